# SPDX-License-Identifier: MIT
"""The device program's figures: size, memory, start, verification, live switch, bytes written; beside crun by hand.

    python -m bench.device [--peers] [--runs N] [--work DIR] [PART ...]

Prints a table. Nothing here passes or fails: QEMU's times depend on the machine, their ratios less so. `--peers` also
installs Docker and Podman from Debian into a virtual machine and measures the same there (minutes, root, network).

How it is measured:

size       the program linked with shared libraries and stripped, as `make LIBS="-ljansson -lsodium"` makes it.
memory     a container that has the host's process numbers reads /proc/1/smaps_rollup. A product cannot ask for that;
           the bench signs such a run configuration itself, so that the device program, kernel and initramfs are the
           product's own and nothing is measured in a special one. Helpers are the processes outside of containers.
start      process 1's first line to the last container's "running", on a second start; against a shell that is
           process 1 itself with the same crun, containers and disk, and verifies nothing (bench/by_hand.py).
verify     the step's time by the console at a second start, with root file systems of 20 and 200 MB.
update     the demo in QEMU, with GRUB: its page is changed, built, sent and tried over the control port, while the page
           is asked for every 10 ms. Bytes written are what QEMU counts for the disk that holds ESP and storage.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench import by_hand, peers
from bench.demo import build, row
from orchestrator.build.imaging import tools_of
from orchestrator.bundle import open_bundle
from orchestrator.deploy import Deploy
from orchestrator.device import Link, install, parse_transport, try_revision
from orchestrator.emulator.machine import Machine
from orchestrator.emulator.qemu import Forward, options_for
from orchestrator.oci import Store
from orchestrator.revision import read_revision
from tests.integration.device.rig import STORAGE_UUID, Container, Inputs, Revision, boot, read_back

REPOSITORY = Path(__file__).resolve().parents[1]
PROGRAM = REPOSITORY / "meta-pycontainer" / "recipes-core" / "pycontainer-device" / "files"
SERVICE = "trap 'exit 0' TERM; echo up; while :; do sleep 0.2; done"
LINE = re.compile(r"^pycontainer\[ *(\d+\.\d+)\] (.*)$", re.MULTILINE)
OBSERVER = (
    """sleep 20
cat /proc/1/smaps_rollup
for process in /proc/[0-9]*; do
  [ -n "$(cat $process/maps)" ] && echo "process ${process#/proc/} $(cat $process/cgroup) $(cat $process/comm)"
done
echo observed
"""
    + SERVICE
)


class Measured(Revision):
    """A revision whose observer sees the host's processes, with files of random bytes in its root file systems."""

    padding = 0

    def describe(self, layer: str, role: str, data: bytes) -> str:
        """Give the observer the host's process numbers, and the right to read what process 1 uses."""
        if (layer, role) == ("observer", "run-config"):
            config = json.loads(data)
            spaces = config["linux"]["namespaces"]
            config["linux"]["namespaces"] = [space for space in spaces if space["type"] not in ("pid", "cgroup")]
            rights = ["CAP_KILL", "CAP_SYS_PTRACE"]
            config["process"]["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), rights)
            data = json.dumps(config).encode()
        return super().describe(layer, role, data)

    def rootfs(self) -> bytes:
        """Add the random bytes."""
        (self.folder / "rootfs").mkdir(exist_ok=True)
        (self.folder / "rootfs" / "padding").write_bytes(random.Random(1).randbytes(self.padding))
        return super().rootfs()

    def storage_image(self, verity: bool = True) -> Path:
        """Make it large enough."""
        image = self.folder / "storage.img"
        argv = ["mke2fs", "-q", "-t", "ext4", "-b", "4096", "-O", "verity", "-U", STORAGE_UUID, "-d", self.tree, image]
        subprocess.run([*argv, f"{128 + self.padding * 3 // 2**21}M"], check=True, stdout=subprocess.DEVNULL)
        return image


@dataclass(frozen=True)
class Bench:
    """What everything is measured with."""

    inputs: Inputs
    scratch: Path
    runs: int

    def revision(self, name: str, containers: list[Container], padding: int = 0) -> tuple[Measured, Path]:
        """Make a revision and its storage, and let the device program seal and settle it at a first start."""
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        revision = Measured(folder, self.inputs, containers)
        revision.padding = padding
        revision.build()
        storage = revision.storage_image()
        lines(revision, storage, "verify: the other")
        return revision, storage


def lines(revision: Revision, storage: Path, until: str = "ready:") -> list[tuple[float, str]]:
    """Start the device program, switch it off after a certain line, and return its lines with their times.

    QEMU without KVM now and then fails while the kernel patches itself, which panics with "int3": that is repeated.
    """
    try:
        with boot(revision, storage) as machine:
            machine.expect(until, 240)
            machine.press_power_button(1)
            machine.wait(120)
            return [(float(time), text) for time, text in LINE.findall(machine.text)]
    except AssertionError as problem:
        if "Oops: int3" not in str(problem):
            raise
    return lines(revision, storage, until)


def same(count: int) -> list[Container]:
    """So many containers that do the same."""
    return [Container(f"c{number}", SERVICE) for number in range(1, count + 1)]


def measure_size(bench: Bench) -> None:
    """Bytes of the program without its libraries."""
    out = bench.scratch / "program"
    shutil.rmtree(out, ignore_errors=True)
    argv = ["make", "-s", "-C", PROGRAM, "all", f"BUILD={out}", "LIBS=-ljansson -lsodium"]
    subprocess.run(argv, check=True)
    subprocess.run(["strip", out / "pycontainer-init"], check=True)
    row("device program, stripped, without libraries", f"{(out / 'pycontainer-init').stat().st_size:,} B")


def measure_memory(bench: Bench) -> None:
    """Idle memory of process 1, and what else runs outside of the containers."""
    for count in (1, 8):
        observer = Container("observer", OBSERVER, group=1, logs={"maxBytes": 65536})
        revision, storage = bench.revision("memory", [*same(count - 1), observer])
        with boot(revision, storage) as machine:
            machine.expect("ready:", 240)
            machine.press_power_button(40)
            machine.wait(120)
        told = read_back(storage, "/logs/observer.log").rpartition("Rss:")[2]
        pss = re.search(r"^Pss: +(\d+) kB", told, re.MULTILINE)
        outside = re.findall(r"^process (\d+) 0::/ (.*)$", told, re.MULTILINE)
        if pss is None or "1" not in [pid for pid, _ in outside]:
            raise SystemExit(f"the observer saw nothing:\n{told}")
        parts = dict(re.findall(r"^(Pss_\w+|Private_Dirty): +(\d+) kB", told, re.MULTILINE))
        note = ", ".join(f"{name} {size} kB" for name, size in parts.items())
        row(f"process 1 idle, {count} containers: PSS", f"{int(pss[1]) / 1000:.2f} MB", note)
        helpers = [name for pid, name in outside if pid != "1"]
        row("  helper processes per container", f"{len(helpers) / count:g}", " ".join(helpers))


def phases(told: list[tuple[float, str]]) -> str:
    """Seconds of each step until the layers are mounted."""
    steps = []
    for (before, _), (after, text) in itertools.pairwise(told):
        name = text.partition(":")[0]
        steps.append(f"{name} {after - before:.2f}")
        if name == "layers":
            break
    return ", ".join(steps)


def measure_start(bench: Bench) -> None:
    """Process 1 to the last container, beside a shell that does only what is needed; the best of the runs."""
    for count in (1, 4, 8):
        revision, storage = bench.revision("start", same(count))
        starts, containers, hands = [], [], []
        for _ in range(bench.runs):
            told = lines(revision, storage)
            last = max(time for time, text in told if ": running, process" in text)
            starts.append((last - told[0][0], phases(told)))
            containers.append(last - next(time for time, text in told if text.startswith("layers:")))
            hands.append(by_hand.crun_by_hand(revision, storage))
        runs, shell, replaced = (min(getattr(each, name) for each in hands) for name in ("runs", "whole", "replaced"))
        whole, note = min(starts)
        row(f"start of {count}: layers mounted to all running", f"{min(containers):.2f} s", "")
        row("  ratio to crun's runs, one after the other", f"{min(containers) / runs:.2f}", f"these take {runs:.2f} s")
        row("  process 1 to all running", f"{whole:.2f} s", note)
        row("  ratio to a shell as process 1", f"{whole / shell:.2f}", f"this takes {shell:.2f} s and verifies nothing")
        row("  stop, delete, run of one container by a shell", f"{replaced:.2f} s")


def measure_verification(bench: Bench) -> None:
    """The verify step of later starts, by the size of what it verifies."""
    for size in (20, 200):
        revision, storage = bench.revision("verify", same(1), size * 1000 * 1000)
        steps = []
        for _ in range(bench.runs):
            told = lines(revision, storage)
            at = next(index for index, (_, text) in enumerate(told) if text.startswith("verify: revision"))
            steps.append(told[at][0] - told[at - 1][0])
        row(f"verification at a later start, {size} MB", f"{min(steps) * 1000:.0f} ms", f"best of {bench.runs}")
        shutil.rmtree(revision.folder)


class Poll(threading.Thread):
    """Asks for the page every 10 ms and keeps when it was answered."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.answered: list[float] = []
        self.stopping = False

    def run(self) -> None:
        """Until it is told to stop."""
        while not self.stopping:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as link:
                    link.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    answer = b""
                    while data := link.recv(65536):
                        answer += data
                if answer.startswith(b"HTTP/1.1 200"):
                    self.answered.append(time.monotonic())
            except OSError:
                pass
            time.sleep(0.01)

    def gap(self, begin: float) -> float:
        """The longest time between two answers since `begin`."""
        times = [at for at in self.answered if at >= begin - 1]
        return max(later - earlier for earlier, later in itertools.pairwise(times))


class Silent:
    """Who is told how an update goes, and does not tell."""

    def say(self, text: str) -> None:
        """A line."""

    def show(self, phase: str, done: int, total: int) -> None:
        """Progress."""


def written(machine: Machine, settle: float = 0) -> tuple[int, int]:
    """Bytes that the guest has written to its disk, and its flushes; the kernel holds some back for 30 seconds."""
    time.sleep(settle)
    disk = next(each for each in machine.qmp("query-blockstats") if each.get("device") == "disk")
    return int(disk["stats"]["wr_bytes"]), int(disk["stats"]["flush_operations"])


def without(machine: Machine, container: str) -> float:
    """Seconds of the last time that a container did not run, by the console."""
    told = [(float(time), text) for time, text in LINE.findall(machine.console.text)]
    words = f"container {container}: "
    ends = [time for time, text in told if text.startswith(words + "stopped")]
    return next(time for time, text in told if text.startswith(words + "running") and time > ends[-1]) - ends[-1]


def bundle_of(product: Path, turn: int, scratch: Path) -> Path:
    """Build the demo with another page, as a bundle."""
    page = product / "www" / "index.html"
    page.write_text(re.sub(r"(<!-- .* -->\n)?\Z", f"<!-- {turn} {time.time()} -->\n", page.read_text(), count=1))
    build(product)
    out = scratch / f"turn{turn}.tar"
    argv = [sys.executable, "-m", "orchestrator.cli.main", "bundle", "create", str(product), "-o", str(out)]
    subprocess.run(argv, check=True, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return out


def measure_bytes(machine: Machine, link: Link, path: Path, known: set[str]) -> None:
    """What reaches the disk in one app-only update, while nothing else happens."""
    quiet, _ = written(machine, 40)
    start, flushes = written(machine, 40)
    row("written by the idle demo in 40 s", f"{start - quiet:,} B")
    with open_bundle(path) as bundle:
        revision = bundle.select("")
        blobs = {blob.digest: blob.size for blob in revision.manifest.layers if blob.digest not in known}
        blobs |= {revision.id: revision.descriptor.size}
        blobs |= {revision.manifest.config.digest: revision.manifest.config.size}
        install(link, bundle, revision, Silent())
        installed, install_flushes = written(machine)
        try_revision(link, revision.id, Silent()).check()
    tried, all_flushes = written(machine, 40)
    new = sum(blobs.values())
    row(f"update of an app: {len(blobs)} new blobs", f"{new:,} B", "manifest and configuration are two of them")
    row("  written by install, beyond them", f"{(installed - start - new) / 1024:.0f} KiB",
        f"{install_flushes - flushes} flushes; verity trees are {new // 128 / 1024:.0f} KiB of it")  # fmt: skip
    row(
        "  written by try and confirm",
        f"{(tried - installed) / 1024:.0f} KiB",
        f"{all_flushes - install_flushes} flushes",
    )
    row("  written in all, ratio to the new blobs", f"{(tried - start) / new:.2f}")


def measure_switches(machine: Machine, link: Link, paths: list[Path]) -> None:
    """How long the page is away during live switches, and when its container is only restarted."""
    poll = Poll(machine.host_port(8080))
    poll.start()
    switches, restarts = [], []
    for path in paths:
        with open_bundle(path) as bundle:
            revision = bundle.select("")
            install(link, bundle, revision, Silent())
            begin = time.monotonic()
            try_revision(link, revision.id, Silent()).check()
        switches.append((poll.gap(begin), without(machine, "web")))
    for _ in paths:
        begin = time.monotonic()
        link.ask("restart", {"container": "web"})
        time.sleep(8)
        restarts.append((poll.gap(begin), without(machine, "web")))
    poll.stopping = True
    for what, gaps in (("during a live switch", switches), ("while its container is restarted", restarts)):
        every = ", ".join(f"{gap:.2f}" for gap, _ in gaps)
        row(f"page away {what}", f"{min(gaps)[0]:.2f} s", f"best of {every}; {min(gaps)[1]:.2f} s of it no container")


def measure_update(bench: Bench, product: Path, deploy: Deploy, summary: dict) -> None:
    """App-only updates of the running demo."""
    image = bench.scratch / "running.img"
    shutil.copyfile(summary["image"], image)
    store = Store.open(product / ".pycontainer" / "store")
    known = {blob.digest for blob in read_revision(store, summary["revision"]).manifest.layers}
    bundles = [bundle_of(product, turn, bench.scratch) for turn in range(bench.runs + 1)]
    with Machine(options_for(deploy, image, forwards=(Forward(0, 8080),))) as machine:
        machine.wait_for("ready:", 240)
        machine.wait_for("verify: the other", 240)
        with Link(parse_transport(f"unix:{machine.control_path}")) as link:
            measure_bytes(machine, link, bundles[0], known)
            measure_switches(machine, link, bundles[1:])


def inputs_of(deploy: Deploy, scratch: Path) -> Inputs:
    """Kernel, host and modules of a built demo, and this machine's static busybox."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise SystemExit("the containers of this bench are a static busybox: install busybox-static")
    files = {layer.kind: layer.files for layer in deploy.manifest.layers if layer.kind in ("bsp", "host")}
    modules = scratch / "modules.squashfs"
    if not modules.exists():
        packer = tools_of(deploy).argv("sqfstar")
        with deploy.verified(files["bsp"]["modules"]).open("rb") as tar:
            subprocess.run([*packer, "-comp", "zstd", "-quiet", "-no-progress", modules], stdin=tar, check=True)
    kernel, host = deploy.verified(files["bsp"]["kernel"]), deploy.verified(files["host"]["initramfs"])
    return Inputs(kernel, host, Path(busybox), modules)


def demo_product(scratch: Path) -> Path:
    """A copy of the demo, which may be asked over its control port."""
    product = scratch / "demo"
    if not product.exists():
        ignored = shutil.ignore_patterns("build", ".pycontainer")
        shutil.copytree(REPOSITORY / "examples" / "demo", product, ignore=ignored)
    return product


def main() -> None:
    """Measure everything, or the parts that are named."""
    parts = ("size", "memory", "start", "verify", "update")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", metavar="PART", choices=[*parts, []], help=f"of: {', '.join(parts)}")
    parser.add_argument("--peers", action="store_true", help="measure Docker and Podman too")
    parser.add_argument("--runs", type=int, default=5, help="how often each time is taken (default 5)")
    parser.add_argument("--work", type=Path, help="a folder that is kept and used again (default: a temporary one)")
    options = parser.parse_args()
    chosen = options.part or ([] if options.peers and options.work else parts)
    with tempfile.TemporaryDirectory(prefix="pycontainer-bench-") as temporary:
        scratch = (options.work or Path(temporary)).absolute()
        scratch.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("PYCONTAINER_KEYS", str(scratch / "keys"))
        product = demo_product(scratch)
        _, summary = build(product)
        deploy = Deploy(product / "build" / "bitbake-qemu-amd64" / "tmp" / "deploy" / "images" / "qemu-amd64")
        bench = Bench(inputs_of(deploy, scratch), scratch, options.runs)
        if "size" in chosen:
            measure_size(bench)
        if "memory" in chosen:
            measure_memory(bench)
        if "start" in chosen:
            measure_start(bench)
        if "verify" in chosen:
            measure_verification(bench)
        if "update" in chosen:
            measure_update(bench, product, deploy, summary)
        if options.peers:
            peers.measure(bench.inputs, deploy.verified(bsp_modules(deploy)), scratch)


def bsp_modules(deploy: Deploy) -> str:
    """The archive of all modules."""
    return deploy.of_kind("bsp")[0].files["modules"]


if __name__ == "__main__":
    main()
