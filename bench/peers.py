# SPDX-License-Identifier: MIT
"""Docker and Podman from Debian 13, in a virtual machine with the demo's kernel: starts, a replacement, idle memory.

Neither gets a network, a firewall or a log driver to set up, as the device program's containers in the same bench have
none; their images are the same busybox. The machine gets 1 GiB, since they do not fit into the device's 256 MiB.
"""

from __future__ import annotations

import re
import statistics
import subprocess
from pathlib import Path

from bench import by_hand
from bench.demo import row
from tests.integration.device.rig import Inputs

PACKAGES = "docker.io,docker-cli,podman,crun,busybox-static,kmod,procps"
SUITE = "trixie"
WARM = 4
SERVICE = "trap 'exit 0' TERM; echo up; while :; do sleep 0.2; done"

MOUNT = """mkdir -p /disk
mount -t ext4 /dev/vda /disk
for folder in proc sys dev run tmp; do mount --move /$folder /disk/$folder; done
cd /disk
mount --move . /
exec chroot . /bin/bash /bench/main
"""

MAIN = """export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
say() { echo "<1>bench: $*" > /dev/kmsg; }
use() { # what it is called, the program, options of run
  name=$1; program=$2; shift 2
  tar -C /bench/rootfs -c . | $program import - bench > /dev/null 2> /run/import.log
  start() {
    $program run -d --name $1 --network none "${@:2}" bench /bin/sh -c "$SERVICE" > /run/$1.log 2>&1 || cat /run/$1.log
  }
  sync; echo 3 > /proc/sys/vm/drop_caches
  say $name cold; start c0 "$@"; say $name up
  for number in $(seq WARM); do say $name warm$number; start c$number "$@"; say $name up; done
  sleep 30
  for process in /proc/[0-9]*; do
    pss=$(sed -n 's/^Pss: *\\([0-9]*\\) kB/\\1/p' $process/smaps_rollup 2> /dev/null)
    [ -z "$pss" ] || say $name pss $pss $(cat $process/comm)
  done
  say $name replace; $program stop c0 > /dev/null; $program rm c0 > /dev/null; start c0 "$@"; say $name up
  $program ps -q | xargs $program rm -f > /dev/null
}
mkdir -p /sys/fs/cgroup/init
echo $$ > /sys/fs/cgroup/init/cgroup.procs
modprobe overlay
mkdir -p /dev/shm /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t devpts devpts /dev/pts
use podman podman --runtime crun --log-driver k8s-file
say docker daemon
dockerd --bridge none --iptables=false --ip6tables=false > /run/dockerd.log 2>&1 &
for attempt in $(seq 100); do docker info > /dev/null 2>&1 && break; sleep 0.1; done
docker info > /dev/null 2>&1 || tail /run/dockerd.log
say docker ready
use docker docker
say end
sync
echo o > /proc/sysrq-trigger
sleep 60
"""


def disk(inputs: Inputs, modules: Path, scratch: Path) -> Path:
    """Make the disk: Debian with both programs, the kernel's modules, and what the containers run."""
    image = scratch / "peers.img"
    if image.exists():
        return image
    root = scratch / "peers"
    if not root.exists():
        options = ["--mode=root", "--variant=minbase", f"--include={PACKAGES}"]
        subprocess.run(["mmdebstrap", "--quiet", *options, SUITE, root], check=True)
    subprocess.run(["tar", "-C", root / "usr", "-xf", modules, "lib/modules"], check=True)
    content = root / "bench" / "rootfs"
    for name in ("bin", "proc", "dev", "tmp", "sys", "etc", "run"):
        (content / name).mkdir(parents=True, exist_ok=True)
    (content / "bin" / "busybox").write_bytes(inputs.busybox.read_bytes())
    (content / "bin" / "busybox").chmod(0o755)
    for name in ("sh", "sleep", "echo"):
        (content / "bin" / name).unlink(missing_ok=True)
        (content / "bin" / name).symlink_to("busybox")
    script = f"SERVICE={SERVICE!r}\n" if "'" not in SERVICE else f'SERVICE="{SERVICE}"\n'
    (root / "bench" / "main").write_text(script + MAIN.replace("WARM", str(WARM)))
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, image, "4G"], check=True, stdout=subprocess.DEVNULL)
    return image


def measure(inputs: Inputs, modules: Path, scratch: Path) -> None:
    """Boot it once; everything is measured in it, one program after the other."""
    image = disk(inputs, modules, scratch)
    archive = by_hand.initramfs(inputs, by_hand.MOUNTS + MOUNT, {}, scratch / "peers.initramfs")
    with by_hand.booted(inputs, archive, image, scratch, memory_mib=1024) as machine:
        machine.expect("bench: end", 1800)
        told = by_hand.marks(machine.text)
    row("docker: daemon's start to ready", f"{by_hand.between(told, 'docker daemon', 'docker ready'):.2f} s")
    for name in ("docker", "podman"):
        warm = [by_hand.between(told, f"{name} warm{number}", f"{name} up") for number in range(1, WARM + 1)]
        row(f"{name}: start of one container, cold", f"{by_hand.between(told, f'{name} cold', f'{name} up'):.2f} s")
        row(f"{name}: start of one container, warm", f"{statistics.median(warm):.2f} s", f"median of {WARM}")
        row(f"{name}: stop, rm, run", f"{by_hand.between(told, f'{name} replace', f'{name} up'):.2f} s")
        sizes: dict[str, list[int]] = {}
        for _, words in told:
            if (found := re.fullmatch(rf"{name} pss (\d+) (.*)", words)) and found[2] not in ("sh", "sleep", "bash"):
                sizes.setdefault(found[2], []).append(int(found[1]))
        total = sum(sum(each) for each in sizes.values())
        note = ", ".join(f"{len(each)} {process} {sum(each) / 1000:.1f} MB" for process, each in sizes.items())
        row(f"{name}: PSS of its processes, {WARM + 1} containers idle", f"{total / 1000:.1f} MB", note)
