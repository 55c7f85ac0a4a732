# SPDX-License-Identifier: MIT
"""What each probe is answered in a container whose product relaxes nothing."""

from __future__ import annotations

REFUSED = {
    # No capabilities, and the calls that need them are filtered besides.
    "mount": "EPERM",
    "mount-new-interface": "EPERM",
    "unmount": "EPERM",
    "enter-namespace": "EPERM",
    "hostname": "EPERM",
    "chroot": "EPERM",
    "raw-socket": "EPERM",
    "packet-socket": "EPERM",
    "crypto-socket": "ENOSYS",
    "audit-socket": "ENOSYS",
    "network-settings": "EPERM",
    "low-port": "EACCES",
    "kernel-log": "EPERM",
    "kernel-log-file": "EACCES",
    "bpf": "EPERM",
    "perf": "EPERM",
    "userfaultfd": "EPERM",
    "io-uring": "ENOSYS",
    "load-module": "EPERM",
    "remove-module": "EPERM",
    "load-kernel": "EPERM",
    "ctrl-alt-del": "EPERM",
    "trace": "EPERM",
    "read-memory": "EPERM",
    "clock": "EPERM",
    "priority": "EACCES",
    "port-access": "EPERM",
    "swap": "EPERM",
    "accounting": "EPERM",
    "fanotify": "EPERM",
    "quota": "EPERM",
    "open-by-handle": "EPERM",
    "no-randomising": "ENOSYS",
    "drop-bound": "EPERM",
    # No capabilities over files and users.
    "other-users-files": "EACCES",
    "give-away": "EPERM",
    "other-user": "EPERM",
    "other-group": "EPERM",
    "other-groups": "EPERM",
    # No namespaces of its own, in which it would have all capabilities again.
    "user-namespace": "EPERM",
    "user-namespace-by-clone": "EPERM",
    "user-namespace-by-clone3": "ENOSYS",
    "network-namespace": "EPERM",
    # Keyrings are no container's own.
    "neighbours-key": "EPERM",
    "own-key": "EPERM",
    # Read-only root, /sys, control groups and parts of /proc; what tells of the host is masked.
    "write-root": "EROFS",
    "write-core-pattern": "EACCES",
    "write-sysrq": "EACCES",
    "write-irq": "EACCES",
    "write-sys": "EACCES",
    "write-cgroup": "EROFS",
    "read-kcore": "EACCES",
    "read-keys": "EACCES",
    "read-timers": "EACCES",
    "read-interrupts": "ENODATA",
    "read-firmware": "EACCES",
    # Devices.
    "make-device": "EPERM",
    "device-memory": "EPERM",
    "device-kernel-messages": "EPERM",
    "device-disk": "EPERM",
    "device-loop": "EPERM",
    "device-console": "EPERM",
    # Nothing that was written in memory is run.
    "run-from-tmp": "EACCES",
    "run-from-shared-memory": "EACCES",
    # Nothing that was written in a volume gives more than its user has (VOLUMES holds the mount alone to it).
    "setuid-from-volume": "EPERM",
    "device-from-volume": "EPERM",
    # Namespaces: the neighbours and the host are not there.
    "neighbours-process": "ESRCH",
    "neighbours-signal": "ESRCH",
    "neighbours-file": "ENOENT",
    "neighbours-shared-memory": "ENOENT",
    "neighbours-socket": "ECONNREFUSED",
    "hosts-devices": "ENOENT",
    "hosts-keys": "ENOENT",
    "hosts-control": "ENOENT",
    # Limits.
    "raise-limit": "EPERM",
    "core-dump": "EPERM",
    "survive-out-of-memory": "EACCES",
    "much-memory": "KILL",
    "many-tasks": "EAGAIN",
    "much-time": "EDQUOT",
}
"""By probe: the errno's name, or that of the signal which ended it. ENODATA: it is there, but empty."""

REFUSED_BY_APPARMOR = set(REFUSED) - {
    # What is no file, capability, mount, signal or network, and what other containers share by namespaces.
    "audit-socket", "quota", "no-randomising", "own-key", "neighbours-key", "neighbours-process",
    "neighbours-shared-memory", "neighbours-socket", "core-dump", "much-memory", "many-tasks", "much-time",
    # It tells of little, and masking is enough.
    "read-interrupts",
    # The group of a container is its own.
    "write-cgroup",
    # Programs of an image may be anywhere; the mount options forbid these two places.
    "run-from-tmp", "run-from-shared-memory",
    "write-root",
}  # fmt: skip
"""What the default AppArmor profile refuses by itself, without capabilities dropped, filters or masks."""

VOLUMES = {"setuid-from-volume": "EPERM", "device-from-volume": "EACCES"}
"""What the mount of a volume refuses to a container that may change its user, make devices, and gain privileges."""

ALLOWED = {"write-volume", "end"}
"""What every container may do."""

NEVER = {"write-root"}
"""Refused to everybody, however little confines him: a SquashFS cannot be written to."""
