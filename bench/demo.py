# SPDX-License-Identifier: MIT
"""The demo's figures: build times, sizes, how often equal inputs give equal bytes, boot times, memory.

They stand beside the obvious alternative on the same machine.

    python bench/demo.py [--cold] [--work DIR]

Prints a table. Nothing here passes or fails: the figures depend on the machine, the ratios less so. `--cold` also
times a build with every download (minutes).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from orchestrator.build.imaging import image_request, tools_of
from orchestrator.canonical import hash_file
from orchestrator.deploy import Deploy
from orchestrator.emulator.machine import Machine
from orchestrator.emulator.qemu import Forward, MachineOptions, options_for
from orchestrator.errors import PyContainerError
from orchestrator.image.writer import write_image
from orchestrator.oci import Store
from orchestrator.product import load_product
from orchestrator.revision import boot_env, load_revision, newc
from orchestrator.run import run
from orchestrator.trust import product_keys

REPOSITORY = Path(__file__).resolve().parents[1]
RUNS = 3
SEEDS = 10


def build(product: Path, **environment: str) -> tuple[float, dict]:
    """Run `pycontainer build` as a process; returns wall seconds and its summary."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", "build", "--json", str(product)],
        cwd=REPOSITORY, env=os.environ | environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    seconds = time.monotonic() - started
    if done.returncode:
        raise SystemExit(done.stdout.decode())
    return seconds, json.loads(done.stdout)


def row(name: str, value: str, note: str = "") -> None:
    """Print one line of the table."""
    print(f"{name:<58} {value:>14}  {note}", flush=True)


def measure_builds(product: Path, downloads: Path, cold: bool) -> dict:
    """Cold, warm, unchanged, and changed-page builds."""
    if cold:
        seconds, summary = build(product, DL_DIR=str(downloads))
        row("cold build, downloads included", f"{seconds:.1f} s", f"{summary['bitbakeTasks']} BitBake tasks")
        shutil.rmtree(product / "build")
    seconds, summary = build(product)
    row("build from downloads", f"{seconds:.1f} s", f"{summary['bitbakeTasks']} BitBake tasks")
    times = [build(product)[0] for _ in range(RUNS)]
    row("build with nothing changed", f"{statistics.median(times):.2f} s", f"median of {RUNS}; no BitBake")
    page = product / "www" / "index.html"
    text = page.read_text()
    times = []
    for turn in range(RUNS):
        page.write_text(f"{text}<!-- {turn} -->\n")
        seconds, changed = build(product)
        assert changed["bitbakeTasks"] == 0 and changed["revision"] != summary["revision"]
        times.append(seconds)
    row("build with a changed page: new revision and image", f"{statistics.median(times):.2f} s", "no BitBake")
    page.write_text(text)
    build(product)
    return summary


def made(product: Path, summary: dict) -> dict[str, str]:
    """The digests of everything that a build made: revision, each layer's blobs, documents, image, block map."""
    revision = load_revision(Store.open(product / ".pycontainer" / "store"), summary["revision"])
    found = {"revision": summary["revision"], "image": hash_file(Path(summary["image"]))}
    found["block map"] = hash_file(Path(summary["bmap"]))
    found |= {f"{blob.layer} {blob.role}": blob.digest for blob in revision.blobs()}
    return found | {path.name: hash_file(path) for path in sorted(Path(summary["sbom"]).iterdir())}


def copy_demo(folder: Path) -> Path:
    """A copy of the demo that was never built."""
    shutil.copytree(REPOSITORY / "examples" / "demo", folder, ignore=shutil.ignore_patterns("build", ".pycontainer"))
    return folder


def measure_reproducibility(product: Path, summary: dict, scratch: Path) -> None:
    """Two builds from nothing in two folders with one lock, then one assembling for each of ten hash seeds."""
    wanted = made(product, summary)
    bitbake = product / "build" / "bitbake-qemu-amd64"
    other = copy_demo(scratch / "elsewhere" / "another-name")
    shutil.copyfile(bitbake / "debian.lock.json", other / "pycontainer.lock")
    _compare("two builds from nothing in two folders", [(other.name, made(other, build(other)[1]))], wanted)
    shutil.rmtree(other.parent)
    stamp = json.loads((product / "build" / "stamp-qemu-amd64.json").read_text())
    turns = []
    for seed in range(SEEDS):
        folder = copy_demo(scratch / f"seed{seed}" / ("x" * seed + "product"))
        (folder / "build").mkdir()
        (folder / "build" / bitbake.name).symlink_to(bitbake)
        (folder / "build" / "stamp-qemu-amd64.json").write_text(json.dumps({"base": stamp["base"]}))
        turns.append((f"seed {seed}", made(folder, build(folder, PYTHONHASHSEED=str(seed))[1])))
        shutil.rmtree(folder.parent)
    _compare(f"assembled with {SEEDS} hash seeds in {SEEDS} folders", turns, wanted)


def _compare(name: str, turns: list[tuple[str, dict[str, str]]], wanted: dict[str, str]) -> None:
    wrong = [f"{turn}: {key}" for turn, found in turns for key in wanted if found.get(key) != wanted[key]]
    wrong += [f"{turn}: {key}" for turn, found in turns for key in found.keys() - wanted.keys()]
    total = len(turns) * len(wanted)
    row(name, f"{total - len(wrong)} of {total}", f"DIFFER: {', '.join(wrong)}" if wrong else "files byte-identical")


def measure_tools(deploy: Deploy) -> None:
    """The two benches of single steps, with this product's tools and root file system."""
    tools = str(tools_of(deploy).bin_dir or "")
    rootfs = deploy.verified(deploy.of_kind("rootfs")[0].files["rootfs"])
    for words in (["image.py", "100", tools], ["squashfs.py", str(rootfs), tools]):
        print(f"\nbench/{words[0]}", flush=True)
        subprocess.run([sys.executable, str(REPOSITORY / "bench" / words[0]), *filter(None, words[1:])], check=True)


def measure_sizes(deploy: Deploy, summary: dict) -> None:
    """Compressed initramfs, layers, image."""
    initramfs = deploy.verified(deploy.of_kind("host")[0].files["initramfs"]).stat().st_size
    row("compressed initramfs", f"{initramfs / 1e6:.2f} MB")
    for layer in summary["layers"]:
        row(f"layer {layer['name']}", f"{layer['size'] / 1e6:.1f} MB", f"{layer['packages']} packages")
    row("image, to be written", f"{summary['imageUsed'] / 1e6:.1f} MB", f"of {summary['imageSize'] / 1e6:.0f} MB")


EMPTY_INIT = b"""
#include <unistd.h>
#include <sys/syscall.h>
int main(void) { write(1, "empty init\\n", 11); for (;;) pause(); }
"""


def variant(product: Path, deploy: Deploy, role: str, file: Path, out: Path) -> Path:
    """The demo's image with another file in one of the boot loader's roles: same firmware, GRUB, disk layout."""
    store = Store.open(product / ".pycontainer" / "store")
    revision = load_revision(store, "candidate/qemu-amd64")
    description = load_product(product / "pycontainer.yaml")
    request = image_request(store, revision, description, deploy, product_keys(description.product))
    digest = hash_file(file)
    request = dataclasses.replace(request, blobs={**request.blobs, digest: file}, links={**request.links, role: digest})
    write_image(request, out, tools_of(deploy), deploy.manifest.source_date_epoch)
    return out


def empty_initramfs(deploy: Deploy, scratch: Path) -> Path:
    """An initramfs that holds only a static init of one line; compiled by the host's compiler."""
    (scratch / "init.c").write_bytes(EMPTY_INIT)
    subprocess.run(["gcc", "-Os", "-static", "-o", scratch / "init", scratch / "init.c"], check=True)
    subprocess.run(["strip", scratch / "init"], check=True)
    archive = newc({"init": (scratch / "init").read_bytes()})
    packed = scratch / "empty.cpio.zst"
    (scratch / "empty.cpio").write_bytes(archive.replace(b"000081A4", b"000081ED", 1))  # 0644 -> 0755
    run([*tools_of(deploy).argv("zstd"), "-q", "-f", "-19", scratch / "empty.cpio", "-o", packed])
    return packed


def seconds_to(machine: Machine, pattern: str) -> float:
    """Wall seconds from now until the console shows `pattern`."""
    started = time.monotonic()
    machine.wait_for(pattern, 120)
    return time.monotonic() - started


def measure_boot(product: Path, deploy: Deploy, image: Path, scratch: Path) -> None:
    """GRUB's last line to the page being served, beside the same kernel with an empty init."""
    options = options_for(deploy, image, forwards=(Forward(0, 8080),))
    empty_image = variant(product, deploy, "initramfs", empty_initramfs(deploy, scratch), scratch / "empty.img")
    nothing = dataclasses.replace(options, image=empty_image, forwards=())
    empty, served = [], []
    for _ in range(RUNS):
        with Machine(nothing) as machine:
            machine.wait_for("booting revision", 60)
            empty.append(seconds_to(machine, "empty init"))
        with Machine(options) as machine:
            machine.wait_for("booting revision", 60)
            served.append(first_page(machine, time.monotonic()))
    row("kernel to an empty init", f"{statistics.median(empty):.2f} s", f"median of {RUNS}")
    row("kernel to the page served (first boot: seals every blob)", f"{statistics.median(served):.2f} s")
    row("ratio", f"{statistics.median(served) / statistics.median(empty):.2f}")
    persistent = scratch / "persistent.img"
    shutil.copyfile(image, persistent)
    later = []
    with Machine(dataclasses.replace(options, image=persistent, persist=True)) as machine:
        machine.wait_for("ready:", 120)
        machine.powerdown(30)
    for _ in range(RUNS):
        with Machine(dataclasses.replace(options, image=persistent)) as machine:
            machine.wait_for("booting revision", 60)
            later.append(first_page(machine, time.monotonic()))
    row("kernel to the page served (later boots)", f"{statistics.median(later):.2f} s")
    row("ratio", f"{statistics.median(later) / statistics.median(empty):.2f}")


def first_page(machine: Machine, started: float) -> float:
    """Seconds from `started` until the page is answered."""
    url = f"http://127.0.0.1:{machine.host_port(8080)}/"
    while time.monotonic() - started < 120:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                answer.read()
            return time.monotonic() - started
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    raise SystemExit("the page never came:\n" + machine.console.text[-2000:])


def serves(options: MachineOptions) -> bool:
    """Whether the demo boots and serves so."""
    try:
        with Machine(options) as machine:
            machine.wait_for("ready:", 60)
            first_page(machine, time.monotonic())
            return not re.search("Out of memory", machine.console.text)
    except (PyContainerError, SystemExit):
        return False


def least(low: int, high: int, works: Callable[[int], bool]) -> tuple[int, int]:
    """The least multiple of 8 that works, and the largest that does not, between `low` (does not) and `high`."""
    if not works(high):
        raise SystemExit(f"it does not work with {high} MiB")
    while high - low > 8:
        middle = (low + high) // 2 // 8 * 8
        low, high = (low, middle) if works(middle) else (middle, high)
    return high, low


def measure_memory(product: Path, deploy: Deploy, image: Path, scratch: Path) -> None:
    """The least RAM: of the whole machine under UEFI and GRUB, and of the system once it is loaded (mem=)."""
    options = options_for(deploy, image, forwards=(Forward(0, 8080),))
    enough, short = least(96, 256, lambda size: serves(dataclasses.replace(options, memory_mib=size)))
    row("least RAM under UEFI and GRUB", f"{enough} MiB", f"not with {short} MiB: the kernel's EFI stub finds no room")

    def limited(size: int) -> bool:
        block = scratch / "boot-env"
        arguments = [word for layer in deploy.of_kind("bsp") for word in layer.command_line]
        block.write_bytes(boot_env([*arguments, f"mem={size}M"]))
        disk = variant(product, deploy, "boot-env", block, scratch / "limited.img")
        return serves(dataclasses.replace(options, image=disk))

    enough, short = least(40, 128, limited)
    row("least RAM of the running system (mem=)", f"{enough} MiB", f"not with {short} MiB")


def main() -> None:
    """Measure everything in a scratch folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", action="store_true", help="also time a build with every download")
    parser.add_argument("--work", type=Path, help="where to work (default: a temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pycontainer-bench-", dir=options.work) as folder:
        scratch = Path(folder)
        os.environ.setdefault("PYCONTAINER_KEYS", str(scratch / "keys"))
        product = copy_demo(scratch / "demo")
        summary = measure_builds(product, scratch / "downloads", options.cold)
        deploy = Deploy(product / "build" / "bitbake-qemu-amd64" / "tmp" / "deploy" / "images" / "qemu-amd64")
        measure_sizes(deploy, summary)
        measure_reproducibility(product, summary, scratch)
        image = Path(summary["image"])
        measure_boot(product, deploy, image, scratch)
        measure_memory(product, deploy, image, scratch)
        measure_tools(deploy)


if __name__ == "__main__":
    main()
