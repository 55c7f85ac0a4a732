# SPDX-License-Identifier: MIT
"""A distribution's own init as a container's first process: what each needs to boot, and to stop in order.

systemd: its Container Interface (systemd.io/CONTAINER_INTERFACE) - a writable control group of its own, /run and /tmp
in memory, /sys and /proc/sys read-only, `container` in the environment, a machine id, and SIGRTMIN+3 to halt. OpenRC's
openrc-init(8) powers off on SIGTERM, BusyBox's init on SIGUSR2.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.errors import ConfigError
from orchestrator.layers.imageconfig import ImageConfig
from orchestrator.layers.nodes import BytesContent, File, Symlink
from orchestrator.layers.options import InitName, RunOptions, Tmpfs
from orchestrator.layers.tree import Tree

_MIB = 1024 * 1024
_LINKS_MOST = 8


@dataclass(frozen=True)
class Init:
    """What one init needs beyond a plain container: `memory` are places that it writes to and nobody keeps."""

    stop_signal: str
    capabilities: tuple[str, ...]
    memory: tuple[Tmpfs, ...]
    environment: Mapping[str, str]


# What services of a distribution do as root: change users, own and open files of others, signal them.
_SERVICES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID")
_MEMORY = (Tmpfs("/run", 64 * _MIB, 0o755), Tmpfs("/tmp", 64 * _MIB, 0o1777))

INITS: Mapping[str, Init] = {
    "systemd": Init(
        "SIGRTMIN+3",
        (*_SERVICES, "SETPCAP"),
        (
            *_MEMORY,
            Tmpfs("/run/lock", 4 * _MIB, 0o1777),
            Tmpfs("/var/lib/systemd", 16 * _MIB, 0o755),
            Tmpfs("/var/log", 32 * _MIB, 0o755),
            Tmpfs("/var/tmp", 16 * _MIB, 0o1777),
        ),
        {"container": "oci"},
    ),
    # OpenRC, which BusyBox's init often starts, knows containers by the names of a few managers only, and skips in them
    # what is for real machines.
    # openrc-init ends by reboot(2) alone, which in a process namespace ends the namespace only.
    "openrc": Init("SIGTERM", (*_SERVICES, "SYS_BOOT"), _MEMORY, {"container": "docker"}),
    "busybox": Init("SIGUSR2", _SERVICES, _MEMORY, {"container": "docker"}),
}

PROGRAM = "/sbin/init"
MACHINE_ID = "/etc/machine-id"
"""machine-id(5); an id in an image would be that of every device."""

# systemd lets go of the standard output that it was started with, and so of the container's log: a cat keeps it.
_KEEP_LOG = 'mkfifo -m 600 /run/pycontainer-log && { cat <>/run/pycontainer-log & }; exec "$0" "$@"'
_LOG_UNIT = """\
[Unit]
Description=The journal in the container's log
DefaultDependencies=no
# Before that there is no journal to follow, and journalctl would wait at a folder that never comes.
After=systemd-journald.service systemd-journal-flush.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
ExecStart=journalctl --follow --boot --lines=all --output=short --no-hostname --quiet
StandardOutput=append:/run/pycontainer-log
StandardError=null
Restart=always

[Install]
WantedBy=sysinit.target
"""


def with_init(options: RunOptions, image: ImageConfig, tree: Tree, mtime: int) -> RunOptions:
    """Return the options of a container that runs its image's own init, and put what the init needs into the tree.

    Raises ConfigError when it is to run as another user than root, or when the image has no such init.
    """
    if options.init is None:
        return options
    known = INITS[options.init]
    user = options.user if options.user is not None else image.user
    if user.partition(":")[0] not in ("", "0", "root"):
        raise ConfigError(
            f"the layer {options.name} cannot run {options.init} as {user}",
            "a distribution's init runs as root",
            "set 'user: root' of the layer, or leave 'init' out",
        )
    program = options.command[0] if options.command else PROGRAM
    found = detect_init(tree, program)
    if found is not None and found != options.init:
        raise ConfigError(
            f"the layer {options.name} says 'init: {options.init}'",
            f"{program} of its image is {found}",
            f"write 'init: {found}'",
        )
    if options.init == "systemd":
        _prepare_systemd(tree, mtime)
    return replace(
        options,
        entrypoint=(),
        command=_command(options, tree),
        stop_signal=options.stop_signal or image.stop_signal or known.stop_signal,
        capabilities=tuple(dict.fromkeys([*options.capabilities, *capabilities_of(options)])),
        environment={**known.environment, **options.environment},
        tmpfs=options.tmpfs + tuple(each for each in known.memory if not _taken(options, each.destination)),
    )


def _command(options: RunOptions, tree: Tree) -> tuple[str, ...]:
    words = options.command or (PROGRAM,)
    if options.init == "systemd" and tree.get(b"/bin/sh") is not None:
        return ("/bin/sh", "-c", _KEEP_LOG, *words)
    return words


def capabilities_of(options: RunOptions) -> tuple[str, ...]:
    """Return the capabilities (CAP_ names) that the container's init brings along."""
    return () if options.init is None else tuple(f"CAP_{name}" for name in INITS[options.init].capabilities)


def detect_init(tree: Tree, program: str = PROGRAM) -> InitName | None:
    """Return which init a program of an image is, told by where its link leads; None when it cannot be told."""
    names: Mapping[str, InitName] = {"systemd": "systemd", "openrc-init": "openrc", "busybox": "busybox"}
    path = program
    for _ in range(_LINKS_MOST):
        node = tree.get(path.encode(), follow=False)
        if not isinstance(node, Symlink):
            break
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), os.fsdecode(node.target)))
    return names.get(posixpath.basename(path))


def _taken(options: RunOptions, place: str) -> bool:
    """Whether the product mounts something at a place, or at a folder above it."""
    own = [volume.destination for volume in options.volumes] + [item.destination for item in options.tmpfs]
    return any(place == each.rstrip("/") or place.startswith(each.rstrip("/") + "/") for each in own)


def _prepare_systemd(tree: Tree, mtime: int) -> None:
    """The place of the machine id, which the device mounts there, and the journal in the container's log."""
    tree.ensure_directory(b"/etc", mtime=mtime)
    tree.add(MACHINE_ID.encode(), File(mode=0o444, mtime=mtime, content=BytesContent(b"")))
    unit = b"/etc/systemd/system/pycontainer-log.service"
    if tree.get(unit) is None:
        wants = b"/etc/systemd/system/sysinit.target.wants"
        tree.ensure_directory(wants, mtime=mtime)
        tree.add(unit, File(mode=0o644, mtime=mtime, content=BytesContent(_LOG_UNIT.encode())))
        link = wants + b"/pycontainer-log.service"
        tree.add(link, Symlink(mode=0o777, mtime=mtime, target=unit))
