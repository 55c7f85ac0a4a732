# SPDX-License-Identifier: MIT
"""The obvious alternative to the device program: process 1 as a few lines of shell, in a virtual machine of its own.

The machine has the same kernel, the same host initramfs and the same storage as the device program's; only process 1 is
busybox's shell with a script, and it verifies nothing. The kernel's log tells the times, by the clock that the device
program's lines have too.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.canonical import canonical_json
from tests.integration.device.rig import Inputs, Machine, Revision, newc, run_config

MARK = re.compile(r"^\[ *(\d+\.\d+)\] bench: (.*)$", re.MULTILINE)

# The root mount moves, because pivot_root(2) refuses the kernel's own: mounts.c of the device program does the same.
BEGIN = """#!/usr/bin/busybox sh
export PATH=/usr/bin:/usr/sbin:/applets
/usr/bin/busybox mkdir -p /applets /root-mount
/usr/bin/busybox --install -s /applets
mount --bind / /root-mount
cd /root-mount
mount --move . /
exec chroot . /usr/bin/busybox sh /bench/main
"""
MOUNTS = """mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo 1 > /proc/sys/kernel/panic
say() { echo "<1>bench: $*" > /dev/kmsg; }
say init
for name in virtio_blk crc32c-intel sha256-ssse3 mbcache crc16 jbd2 ext4 loop squashfs; do
  file=$(find /usr/lib/modules -name $name.ko)
  [ -z "$file" ] || insmod $file
done
"""
STORAGE = """mkdir -p /storage /run/crun /sys/fs/cgroup/pycontainer
for controller in cpu io memory pids; do
  echo +$controller > /sys/fs/cgroup/cgroup.subtree_control
  echo +$controller > /sys/fs/cgroup/pycontainer/cgroup.subtree_control
done
e2fsck -p /dev/vda > /dev/null
mount -t ext4 -o noatime /dev/vda /storage
run() { crun --root /run/crun --cgroup-manager=cgroupfs "$@"; }
"""
END = """say end
sync
poweroff -f
"""


@dataclass(frozen=True)
class ByHand:
    """Seconds: of all `crun run`s, from process 1 to the last container, and of replacing one container."""

    runs: float
    whole: float
    replaced: float


def initramfs(inputs: Inputs, main: str, files: dict[str, bytes], target: Path) -> Path:
    """Write the host's initramfs with busybox, the script `main` and further files added."""
    folders = sorted({str(parent) for name in files for parent in Path(name).parents if str(parent) != "."})
    segment = newc(
        [
            ("bench", 0o40755, b""),
            ("bench/init", 0o100755, BEGIN.encode()),
            ("bench/main", 0o100644, main.encode()),
            ("usr/bin/busybox", 0o100755, inputs.busybox.read_bytes()),
            *((folder, 0o40755, b"") for folder in folders),
            *((name, 0o100644, data) for name, data in files.items()),
        ]
    )
    host = inputs.host.read_bytes()
    target.write_bytes(host + bytes(-len(host) % 4) + segment)
    return target


@contextlib.contextmanager
def booted(inputs: Inputs, archive: Path, disk: Path, folder: Path, memory_mib: int = 256) -> Iterator[Machine]:
    """Boot such an initramfs."""
    words = "console=ttyS0 quiet loglevel=2 printk.devkmsg=on rdinit=/bench/init"
    machine = Machine(inputs.kernel, archive, disk, words, folder, memory_mib)
    try:
        yield machine
    finally:
        machine.close()


def marks(text: str) -> list[tuple[float, str]]:
    """Return the times and words that a script told."""
    return [(float(time), words.strip()) for time, words in MARK.findall(text)]


def between(told: list[tuple[float, str]], first: str, last: str) -> float:
    """Seconds from the first mark `first` to the next one that is `last`."""
    begin = next(time for time, words in told if words == first)
    return next(time for time, words in told if words == last and time >= begin) - begin


def crun_script(revision: Revision) -> tuple[str, dict[str, bytes]]:
    """Return the script that starts a revision's containers one after the other, and their configurations.

    Then it replaces the first one, as somebody would who has only crun: stop, forget, start.
    """
    mounts, starts, files = [], [], {}
    for container in revision.containers:
        name, bundle = container.name, f"/bundles/{container.name}"
        files[f"{bundle[1:]}/config.json"] = canonical_json(run_config(container))
        image = revision.find(name, "rootfs").name
        mounts.append(f"mkdir -p {bundle}/rootfs")
        mounts.append(f"mount -o loop,ro -t squashfs /storage/blobs/sha256/{image} {bundle}/rootfs")
        starts.append(f"run run --detach --bundle {bundle} {name} > /run/{name}.log 2>&1 < /dev/null && say up {name}")
    first = revision.containers[0].name
    replace = [
        "say replace", f"run kill {first} TERM", f"while run state {first} | grep -q running; do :; done",
        f"run delete {first}", starts[0],
    ]  # fmt: skip
    return "\n".join([MOUNTS, STORAGE, *mounts, "say begin", *starts, "sleep 3", *replace, END]), files


def crun_by_hand(revision: Revision, storage: Path) -> ByHand:
    """Boot the shell on a revision's storage and let it start and replace the containers."""
    script, files = crun_script(revision)
    archive = initramfs(revision.inputs, script, files, revision.folder / "by-hand")
    with booted(revision.inputs, archive, storage, revision.folder) as machine:
        machine.expect("bench: end", 120)
        told = marks(machine.text)
    first, last = (f"up {revision.containers[index].name}" for index in (0, -1))
    return ByHand(between(told, "begin", last), between(told, "init", last), between(told, "replace", first))
