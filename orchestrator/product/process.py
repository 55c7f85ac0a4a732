# SPDX-License-Identifier: MIT
"""What a container's processes get besides their program: limits, kernel settings of its own, labels, memory to write
to, and what it waits for."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec

from orchestrator.product.fields import FieldError, within
from orchestrator.product.units import parse_size
from orchestrator.product.words import AbsolutePath, Mode, Name, UserId

Condition = Literal["up", "healthy", "completed"]

_OF_IPC = frozenset(
    {"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
     "kernel.shmmni", "kernel.shm_rmid_forced"}
)  # fmt: skip
_SYSCTL = re.compile(r"(?:net|fs\.mqueue)(?:\.[A-Za-z0-9_-]+)+")
_VALUE = re.compile(r"[ -~]{1,256}")
# The runtime reads these annotations itself: crun(1), "annotations".
_OF_RUNTIME = (
    "io.crun.", "io.kubernetes.", "krun.", "module.wasm.", "org.criu.", "org.systemd.property.", "run.oci."
)  # fmt: skip
_LABEL = re.compile(r"[ -~]{1,256}")


class After(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A layer that comes before this one, and what it must have reached.

    `up`: it runs, and was healthy where it has a check. `healthy`: the same, and it must have a check. `completed`: it
    ended well and is not started again.
    """

    layer: Name
    condition: Condition = "up"


class Ulimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A resource limit, setrlimit(2): what a process has, and what it may raise it to."""

    soft: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    hard: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]

    def __post_init__(self) -> None:
        if self.soft > self.hard:
            raise FieldError("soft", f"the soft limit {self.soft} is above the hard one, {self.hard}")


class Tmpfs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A directory in memory, empty at each start."""

    destination: AbsolutePath
    size: str = "16MiB"
    mode: Mode = "1777"
    uid: UserId = 0
    gid: UserId = 0

    def __post_init__(self) -> None:
        if within("size", parse_size, self.size) < 4096:
            raise FieldError("size", "size must be at least 4096 bytes")


def check_sysctls(sysctls: dict[str, str], own_network: bool) -> None:
    """Refuse a kernel setting that is not the container's own; raises FieldError.

    namespaces(7): `net.*` belongs to a network namespace, the System V and POSIX queue settings to an IPC namespace.
    """
    for name, value in sysctls.items():
        path = ("sysctls", name)
        if name not in _OF_IPC and not _SYSCTL.fullmatch(name):
            hint = "a container has net.*, fs.mqueue.* and the kernel.msg*, kernel.sem and kernel.shm* settings"
            raise FieldError(path, f"{name} is a setting of the whole device", hint)
        if name.startswith("net.") and not own_network:
            raise FieldError(path, f"{name} would be the device's own, whose network it has by 'relax'")
        if not _VALUE.fullmatch(value):
            raise FieldError(path, f"{value!r} is not a value of one line")


def check_labels(labels: dict[str, str]) -> None:
    """Refuse labels that the container runtime would obey; raises FieldError."""
    for name, value in labels.items():
        if not _LABEL.fullmatch(name):
            raise FieldError(("labels", name), f"{name[:60]!r} is no name of a label")
        if name.lower().startswith(_OF_RUNTIME):
            raise FieldError(("labels", name), f"{name} would change how the container is run", "choose another name")
        if "\0" in value or len(value) > 65536:
            raise FieldError(("labels", name), "its text is too long, or has a zero in it")
