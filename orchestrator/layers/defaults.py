# SPDX-License-Identifier: MIT
# ruff: noqa: SIM905 - a text of words is a tenth of the lines that a list of them would be
"""What every container gets unless the product file says otherwise: the values that container engines share."""

from __future__ import annotations

from typing import Any

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

OCI_VERSION = "1.1.0"
"""The newest that holds all that is used here; crun before 1.20 refuses 1.2 as unknown."""

VOLUME_ROOT = "/run/pycontainer/volumes"
"""Where the supervisor binds a layer's volumes before it starts the container."""

NETWORK_ROOT = "/run/pycontainer/netns"
"""Where the supervisor makes the network of each container on the bridge, before it starts the container."""

HOSTS_ROOT = "/run/pycontainer/hosts"
"""Where the supervisor keeps the /etc/hosts of each container on the bridge."""
MACHINE_ID_ROOT = "/run/pycontainer/machine-id"
"""Where the supervisor writes the machine id of each container that has one."""

CONTROL_ROOT = "/run/pycontainer/control"
"""Where the supervisor makes a folder with `control.sock` for each container that may use some of its verbs."""

CONTROL_PLACE = "/run/pycontainer"
"""Where such a container finds that folder."""

CAPABILITIES = tuple(
    f"CAP_{name}"
    for name in (
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
        "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT "
        "SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL "
        "SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
    ).split()
)
"""capabilities(7), Linux 6.1, by their number."""

RLIMITS = frozenset(
    f"RLIMIT_{name}"
    for name in (
        "AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK"
    ).split()
)

MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)

READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


def mounts(shared_memory: int, *, own_groups: bool = False) -> list[dict[str, Any]]:
    """Return the mounts of every container; `shared_memory` is the size of /dev/shm in bytes.

    With `own_groups` it may make control groups below its own, whose limits stay out of its reach: the namespace is a
    border of delegation (nsdelegate, Linux Documentation/admin-guide/cgroup-v2.rst).
    """
    return [
        _mount("/proc", "proc", "nosuid", "noexec", "nodev"),
        _mount("/dev", "tmpfs", "nosuid", "noexec", "strictatime", "mode=755", "size=65536"),
        _mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        _mount("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777", f"size={shared_memory}"),
        _mount("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        _mount("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        _mount("/sys/fs/cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "rw" if own_groups else "ro"),
    ]


def _mount(destination: str, kind: str, *options: str) -> dict[str, Any]:
    source = {"proc": "proc", "sysfs": "sysfs", "cgroup": "cgroup", "mqueue": "mqueue", "devpts": "devpts"}
    name = source.get(kind, destination.rpartition("/")[2])
    return {"destination": destination, "type": kind, "source": name, "options": list(options)}


def device_rules() -> list[dict[str, Any]]:
    """Return the device rules: nothing but the nodes that the runtime specification says every container has."""
    allowed = ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, None))
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    for major, minor in allowed:
        rule: dict[str, Any] = {"allow": True, "type": "c", "major": major, "access": "rwm"}
        if minor is not None:
            rule["minor"] = minor
        rules.append(rule)
    return rules
