# SPDX-License-Identifier: MIT
"""How long importing a 500 MB container image takes, in what memory and how small, beside the usual three tools.

    python -m bench.images [--size MEGABYTES] [--runs N] [--work DIR] [--level N]

Needs skopeo, umoci and mksquashfs, and a Debian machine: the image is made of the files of packages that are installed
on it, in five OCI layers, the last of which removes and changes some of the lower ones'. Compared with
`skopeo copy` + `umoci unpack --rootless` + `mksquashfs -comp zstd` on the same image; best of N runs each, on an
otherwise idle machine. Memory is the largest sum of the resident sizes of all processes at one moment.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from orchestrator.build.containers import image_source
from orchestrator.canonical import sha256_digest
from orchestrator.layers.build import Surroundings, build_layer
from orchestrator.layers.cache import LayerCache
from orchestrator.layers.options import FileMapping, RunOptions
from orchestrator.layers.squashfs import SMALL, SquashFS
from orchestrator.oci.platform import Platform
from orchestrator.product.reference import parse_reference
from orchestrator.run import Tools

EPOCH = 1_700_000_000
PLATFORM = Platform("linux", "amd64")
PROFILE = Path("/usr/share/containers/seccomp.json")


@dataclass
class Figures:
    """Seconds of wall and processor time, MiB at the height, and bytes of the image."""

    seconds: float
    busy: float
    peak: float
    size: int


def installed_files(wanted: int) -> list[Path]:
    """Return regular files and links of installed packages, about `wanted` bytes: a mixture of packages of any size."""
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f=${Installed-Size} ${binary:Package}\\n"], capture_output=True, text=True, check=True
    ).stdout
    sizes = sorted((line.split() for line in listed.splitlines()), key=lambda pair: sha256_digest(pair[1].encode()))
    found: dict[Path, None] = {}
    total = 0
    for size, name in sizes:
        if int(size) * 1024 > wanted / 8:
            continue  # one package's files are of one kind
        owned = subprocess.run(["dpkg-query", "-L", name], capture_output=True, text=True, check=True).stdout
        for line in owned.splitlines():
            path = Path(line)
            if path not in found and (path.is_symlink() or path.is_file()):
                found[path] = None
                total += path.lstat().st_size
        if total >= wanted:
            break
    return list(found)


def make_image(layout: Path, scratch: Path, wanted: int) -> None:
    """Write an OCI layout with one image of five OCI layers, `layout:big`."""
    files = installed_files(wanted)
    umoci("init", "--layout", str(layout))
    umoci("new", "--image", f"{layout}:big")
    share = -(-len(files) // 4)
    for number in range(4):
        tar = scratch / "layer.tar"
        with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as archive:
            for path in files[number * share : (number + 1) * share]:
                archive.add(path, str(path).lstrip("/"), recursive=False)
        umoci("raw", "add-layer", "--image", f"{layout}:big", str(tar))
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in files[::50]:
            archive.addfile(tarfile.TarInfo(f"{str(path.parent).lstrip('/')}/.wh.{path.name}"))
        for path in files[1::50]:
            info = tarfile.TarInfo(str(path).lstrip("/"))
            info.size = 6
            archive.addfile(info, io.BytesIO(b"other\n"))
        program = tarfile.TarInfo("app")
        program.mode = 0o755
        archive.addfile(program)
    umoci("raw", "add-layer", "--image", f"{layout}:big", str(tar))
    umoci("config", "--image", f"{layout}:big", "--config.cmd", "/app")
    tar.unlink()


def umoci(*words: str) -> None:
    subprocess.run(["umoci", *words], check=True, capture_output=True)


def by_tools(layout: Path, scratch: Path, level: int = SMALL, file: Path | None = None) -> int:
    """Do it with the three tools, and put a file below /etc; returns the image's size."""
    copy, image = scratch / "copy", scratch / "image"
    subprocess.run(["skopeo", "copy", "-q", f"oci:{layout}:big", f"oci:{copy}:big"], check=True)
    subprocess.run(["umoci", "unpack", "--rootless", "--image", f"{copy}:big", scratch / "bundle"], check=True)
    if file is not None:
        shutil.copy(file, scratch / "bundle/rootfs/etc")
    packing = ["-comp", "zstd", "-Xcompression-level", str(level), "-no-progress", "-quiet"]
    subprocess.run(["mksquashfs", scratch / "bundle/rootfs", image, *packing], check=True)
    return image.stat().st_size


def by_us(reference: str, scratch: Path, level: int | None = None, file: Path | None = None) -> int:
    """Do it with this program, at the level that it chooses if none is given; returns the image's size."""
    around = Surroundings(Tools(), LayerCache(scratch / "cache"), "amd64", EPOCH, PROFILE)
    source = image_source(parse_reference(reference), PLATFORM, Path("/"))
    files = () if file is None else (FileMapping(file, "/etc/"),)
    form = None if level is None else SquashFS(level=level)
    built = build_layer(source, RunOptions("big", files=files), around, form)
    return built.blobs["rootfs"].size


def measured(work: Callable[[], int]) -> Figures:
    """Do `work`, which can be pickled, in a process that begins empty: a forked one would hold its parent's memory."""
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=timed, args=(work, results))
    process.start()
    assert process.pid is not None
    with peak_of(process.pid) as peak:
        process.join()
    if process.exitcode:
        raise SystemExit(f"a run failed with status {process.exitcode}")
    seconds, busy, size = results.get()
    return Figures(seconds, busy, peak[0] / 2**20, size)


def timed(work: Callable[[], int], results: SimpleQueue[tuple[float, float, int]]) -> None:
    """Put the seconds, the seconds of processor time, children's included, and the result of `work` into `results`."""
    before, began = sum(os.times()[:4]), time.monotonic()
    size = work()
    results.put((time.monotonic() - began, sum(os.times()[:4]) - before, size))


@contextmanager
def peak_of(process: int) -> Iterator[list[int]]:
    """Watch the resident bytes of a process and all below it; the list's one entry is the most that were seen."""
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], resident(process))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def resident(process: int) -> int:
    """Return the resident bytes of a process and of its descendants."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident(int(child)) for child in children)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=500, help="megabytes of content (500)")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--level", type=int, default=SMALL, help=f"zstd level of both ({SMALL}, mksquashfs' own)")
    parser.add_argument("--work", type=Path, default=None, help="where the image is made and kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        scratch = Path(folder)
        layout = (options.work or scratch) / f"image-{options.size}"
        if not layout.exists():
            make_image(layout, scratch, options.size * 10**6)
        zstd, archive = scratch / "zstd", scratch / "docker.tar"
        copy = ["skopeo", "copy", "-q", f"oci:{layout}:big"]
        subprocess.run([*copy, f"oci:{zstd}:big", "--dest-compress-format", "zstd"], check=True)
        subprocess.run([*copy, f"docker-archive:{archive}:example.org/big:1"], check=True)
        rows: dict[str, Callable[[Path], int]] = {
            "skopeo, umoci, mksquashfs": partial(by_tools, layout, level=options.level),
            "OCI layout, gzip": partial(by_us, f"oci:{layout}:big", level=options.level),
            "OCI layout, zstd": partial(by_us, f"oci:{zstd}:big", level=options.level),
            "docker-archive": partial(by_us, f"docker-archive:{archive}", level=options.level),
        }
        best: dict[str, Figures] = {}
        for turn in range(options.runs):
            for name, work in rows.items():
                place = scratch / "run"
                place.mkdir()
                found = measured(partial(work, place))
                if name not in best or found.seconds < best[name].seconds:
                    best[name] = found
                if turn == options.runs - 1 and name == "docker-archive":
                    again = measured(partial(work, place))
                    best["docker-archive, unchanged"] = again
                shutil.rmtree(place)
        base = next(iter(best.values()))
        print(f"{'':28}  seconds  ratio    cpu s  ratio   peak MiB   image MB  ratio")
        for name, found in best.items():
            print(
                f"{name:28} {found.seconds:8.2f} {found.seconds / base.seconds:6.2f} {found.busy:8.2f}"
                f" {found.busy / base.busy:6.2f} {found.peak:10.0f}"
                f" {found.size / 1e6:10.1f} {found.size / base.size:6.3f}"
            )


if __name__ == "__main__":
    main()
