# SPDX-License-Identifier: MIT
"""What an update of a root file system costs on the line, beside other ways, on Debian security updates.

    python -m bench.delta [--work FOLDER] [--tools NATIVE_TOOLS_BIN] [--blocks]

Two pairs, see bench/debian_pair.py: from the last point release to the security archive of today, and from the older
version of every package that the mirror has two of. Each state is packed as a layer is packed. Then, for each pair:

pull       `orchestrator.registry.pull` from Debian's docker-registry on loopback, into a store that has the old
           revision; bytes are what crossed the network, the chunk index is part of them
casync     the missing chunks of `casync make` and its index, for its usual chunks of 64 KiB and for 16 KiB; a chunk
           is a file and a request
zstd       `zstd --patch-from`: made for this one pair, by a server that has both
blocks     hashes of the 4 KiB blocks of the new image, of 32 bytes each, and the blocks that the old one has at no
           multiple of 4 KiB, as RAUC's adaptive updates count
xdelta3    likewise made for the pair

--blocks packs the pair with other block sizes of SquashFS, and with its files in other orders, and says what each
costs in full and as a delta.
--work keeps the states and images for another run (minutes, root, network for the first).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.debian_pair import EPOCH, by_package, by_time, installed, make_states, tree_of
from orchestrator.delta import index_of, make_plan
from orchestrator.layers.squashfs import SquashFS
from orchestrator.layers.tree import Tree
from orchestrator.oci import MANIFEST_TYPE, Descriptor, Manifest, Store
from orchestrator.registry import Repository, push
from orchestrator.run import Tools
from tests.integration.registry.conftest import docker_registry

PULL = """
import sys, time
from pathlib import Path
from orchestrator.oci import Store
from orchestrator.registry import parse_reference, pull
folder, host, tag = sys.argv[1:]
store = Store.open_or_create(Path(folder))
began = time.monotonic()
got = pull(parse_reference(f"{host}/bench/product:{tag}"), store)
seconds = time.monotonic() - began
lines = Path("/proc/self/status").read_text().splitlines()
print(got.moved, seconds, next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")))
"""
BLOCK = 4096
SIZES = (4, 16, 32, 64, 128, 256, 1024)
ORDERS: dict[str, Callable[[Tree], Tree]] = {"path": lambda tree: tree, "package": by_package, "time": by_time}


def revision(store: Store, image: Path) -> Descriptor:
    """Put a manifest of one layer into a store."""
    note = {"vnd.pycontainer.layer": "rootfs", "vnd.pycontainer.role": "rootfs"}
    blob = store.put_blob(image, media_type="application/vnd.pycontainer.rootfs").plain(**note)
    config = store.put_blob(b"{}", media_type="application/vnd.pycontainer.revision.config.v1+json")
    kind = "application/vnd.pycontainer.revision.v1"
    made = store.put_manifest(
        Manifest(schema_version=2, media_type=MANIFEST_TYPE, artifact_type=kind, config=config, layers=[blob])
    )
    store.index.add(made)
    return made


def packed(tar: Path, tools: Tools, block: int = SquashFS().block_size, order: str = "path") -> Path:
    """Return the image of a state, made when it is not there."""
    suffix = "" if order == "path" else f"-by-{order}"
    image = tar.with_name(f"{tar.stem}-{block // 1024}k{suffix}.squashfs")
    if not image.exists():
        SquashFS(block_size=block).pack(ORDERS[order](tree_of(tar)), image, tools, EPOCH)
    return image


def row(name: str, size: int, full: int, *rest: object) -> None:
    """Print a line of the table."""
    print(f"{name:<28} {size:>12,} {size / full:>8.2%}  " + "  ".join(f"{each:>10}" for each in rest), flush=True)


def timed(argv: list[str | Path]) -> float:
    """Run a program; returns its seconds."""
    began = time.monotonic()
    subprocess.run([*map(str, argv)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def measure_pull(old: Path, new: Path, scratch: Path) -> None:
    """Pull for real, and say what of it the index is."""
    maker, user = Store.open_or_create(scratch / "maker"), Store.open_or_create(scratch / "user")
    before, after = revision(maker, old), revision(maker, new)
    assert revision(user, old) == before
    with docker_registry(scratch / "registry", secure=False) as server:
        for tag, each in (("old", before), ("new", after)):
            push(maker, each.digest, Repository(server.host, "bench/product"), [tag])
        argv = [sys.executable, "-c", PULL, user.root, server.host, "new"]
        done = subprocess.run([*map(str, argv)], stdout=subprocess.PIPE, check=True)
    moved, seconds, memory = (float(word) for word in done.stdout.split())
    blob = user.read_manifest(after.digest).layers[0]
    user.verify_blob(blob.digest, blob.size)
    seed = maker.read_manifest(before.digest).layers[0]
    began = time.monotonic()
    wanted = index_of(maker, blob.digest)
    cutting = time.monotonic() - began
    plan = make_plan(wanted, [index_of(maker, seed.digest)])
    index = len(wanted.encode())
    note = f"index {index / blob.size:.2%}, {memory / 1e6:.0f} MB of memory"
    row("pull", int(moved), blob.size, plan.requests + 1, f"{seconds:.2f} s", note)
    mean = blob.size // len(wanted)
    print(
        f"  cut and indexed at {blob.size / cutting / 1e6:.0f} MB/s: {len(wanted)} chunks of {mean} bytes in the mean"
    )
    for gap in (0, 4096, 16384, 65536, 262144):
        other = make_plan(wanted, [index_of(maker, seed.digest)], gap=gap)
        print(f"  ranges joined over {gap // 1024:>3} KiB: {other.requests:>3} requests, {other.fetched:>12,} bytes")


def measure_casync(old: Path, new: Path, scratch: Path, chunk: str | None) -> None:
    """Chunks that casync would fetch."""
    options = [f"--chunk-size={chunk}"] if chunk else []
    for name, image in (("old", old), ("new", new)):
        (scratch / name).mkdir()
        timed(["casync", "make", *options, f"--store={scratch / name}", scratch / f"{name}.caibx", image])
    chunks = {name: {path.name: path for path in (scratch / name).rglob("*.cacnk")} for name in ("old", "new")}
    missing = [path for each, path in chunks["new"].items() if each not in chunks["old"]]
    index = (scratch / "new.caibx").stat().st_size
    size = index + sum(path.stat().st_size for path in missing)
    extract = ["casync", "extract", f"--store={scratch / 'new'}", f"--seed={old}"]
    seconds = timed([*extract, scratch / "new.caibx", scratch / "x"])
    note = f"index {index / new.stat().st_size:.2%}"
    row(f"casync, {chunk or '64 KiB'}", size, new.stat().st_size, len(missing) + 1, f"{seconds:.2f} s", note)


def measure_patches(old: Path, new: Path, scratch: Path) -> None:
    """Files made for this one pair."""
    full = new.stat().st_size
    patch = scratch / "patch.zst"
    making = timed(["zstd", "-q", "-19", "--long=31", f"--patch-from={old}", new, "-o", patch])
    seconds = timed(["zstd", "-q", "-d", "--long=31", f"--patch-from={old}", patch, "-o", scratch / "a"])
    row("zstd --patch-from", patch.stat().st_size, full, 1, f"{seconds:.2f} s", f"made in {making:.0f} s")
    if shutil.which("xdelta3"):
        patch = scratch / "patch.xd3"
        making = timed(["xdelta3", "-e", "-9", "-S", "none", "-B", "268435456", "-s", old, new, patch])
        seconds = timed(["xdelta3", "-d", "-B", "268435456", "-s", old, patch, scratch / "b"])
        row("xdelta3", patch.stat().st_size, full, 1, f"{seconds:.2f} s", f"made in {making:.0f} s")


def blocks_of(image: Path) -> list[bytes]:
    """The hashes of an image's blocks."""
    with image.open("rb") as stream:
        return [hashlib.sha256(block).digest() for block in iter(lambda: stream.read(BLOCK), b"")]


def measure_blocks(old: Path, new: Path, scratch: Path) -> None:
    """Blocks at multiples of 4 KiB."""
    here, wanted = set(blocks_of(old)), blocks_of(new)
    missing = [digest not in here for digest in wanted]
    runs = sum(one and not before for one, before in zip(missing, [False, *missing], strict=False))
    index = 32 * len(wanted)
    full = new.stat().st_size
    row("4 KiB blocks", index + sum(missing) * BLOCK, full, runs + 1, "", f"index {index / full:.2%}")


def measure_pair(name: str, tars: dict[str, Path], tools: Tools, work: Path) -> None:
    """All ways for one pair."""
    before, after = installed(tars[name]), installed(tars["now"])
    changed = [f"{each} {before[each]} -> {after[each]}" for each in sorted(after) if before.get(each) != after[each]]
    print(f"\n{name} -> now: {len(changed)} of {len(after)} packages: {', '.join(changed)}")
    old, new = packed(tars[name], tools), packed(tars["now"], tools)
    full = new.stat().st_size
    print(f"{'':<28} {'bytes':>12} {'of full':>8}  {'requests':>10}  {'seconds':>10}")
    row("whole image", full, full, 1)
    ways: list[Callable[[Path, Path, Path], None]] = [measure_pull, measure_blocks, measure_patches]
    if shutil.which("casync"):
        ways += [lambda *paths: measure_casync(*paths, None), lambda *paths: measure_casync(*paths, "16384")]
    for way in ways:
        with tempfile.TemporaryDirectory(dir=work) as scratch:
            way(old, new, Path(scratch))


def measure_sizes(tars: dict[str, Path], tools: Tools, work: Path) -> None:
    """Block sizes of SquashFS and orders of its files: what the image has in full, and as a delta."""
    print("\nblocks, by              full image        release -> now          older -> now")
    for size, order in [*((size, "path") for size in SIZES), (128, "package"), (128, "time")]:
        images = {name: packed(tar, tools, size * 1024, order) for name, tar in tars.items()}
        full = images["now"].stat().st_size
        with tempfile.TemporaryDirectory(dir=work) as scratch:
            store = Store.open_or_create(Path(scratch))
            indexes = {name: index_of(store, store.put_blob(image).digest) for name, image in images.items()}
        cost = len(indexes["now"].encode())
        deltas = [make_plan(indexes["now"], [indexes[name]]).fetched + cost for name in ("release", "older")]
        texts = [f"{delta:>12,} {delta / full:>7.2%}" for delta in deltas]
        print(f"{size:>4} KiB, {order:<10} {full:>14,}  {'  '.join(texts)}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="a folder that is kept and used again (default: a temporary one)")
    parser.add_argument("--tools", type=Path, help="the folder of a native tools tree with mksquashfs")
    parser.add_argument("--blocks", action="store_true", help="measure block sizes of SquashFS too")
    options = parser.parse_args()
    os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
    with tempfile.TemporaryDirectory(prefix="pycontainer-bench-") as temporary:
        work = (options.work or Path(temporary)).absolute()
        work.mkdir(parents=True, exist_ok=True)
        tools = Tools(options.tools)
        tars = make_states(work)
        size = sum(node.content.size for _, node in tree_of(tars["now"]).walk() if hasattr(node, "content"))
        print(f"root file system: {size / 1e6:.0f} MB unpacked")
        for name in ("release", "older"):
            measure_pair(name, tars, tools, work)
        if options.blocks:
            measure_sizes(tars, tools, work)


if __name__ == "__main__":
    main()
