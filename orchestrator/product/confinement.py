# SPDX-License-Identifier: MIT
"""What loosens a container's confinement, each with its reason, and which ports of the device it is given."""

from __future__ import annotations

import posixpath
from typing import Annotated, Literal, NamedTuple

import msgspec

from orchestrator.product.fields import FieldError
from orchestrator.product.words import ACCESS, DEVICE, Capability, Mode, Reason, UserId

Verb = Literal[
    "version", "status", "ps", "logs", "observe", "exec", "start", "stop", "restart", "install", "put", "try",
    "confirm", "rollback", "revisions", "gc", "volumes", "identity", "sbom", "reboot", "poweroff",
]  # fmt: skip
"""What the device's control socket can be asked for."""


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A device node that a container may use: `kind` is c or b, `access` any of r, w, m."""

    path: Annotated[str, msgspec.Meta(pattern=DEVICE, max_length=255)]
    kind: Literal["c", "b"] = "c"
    major: Annotated[int, msgspec.Meta(ge=0, le=4095)]
    minor: Annotated[int, msgspec.Meta(ge=0, le=2**20 - 1)]
    access: Annotated[str, msgspec.Meta(pattern=ACCESS)] = "rw"
    mode: Mode = "0660"
    uid: UserId = 0
    gid: UserId = 0

    def __post_init__(self) -> None:
        if posixpath.normpath(self.path) != self.path:
            raise FieldError("path", f"the path {self.path} has '..', '.' or an empty part")


class Relaxation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """One loosening of the default confinement, with the reason that `pycontainer audit` prints."""

    reason: Reason
    capabilities: list[Capability] = []
    network: Literal["host"] | None = None
    seccomp: Literal["unconfined"] | None = None
    apparmor: Literal["unconfined"] | None = None
    new_privileges: Literal["allowed"] | None = None
    user_namespace: Literal["host"] | None = None
    devices: list[Device] = []
    control: list[Verb] = []

    def __post_init__(self) -> None:
        named = [getattr(self, name) for name in self.__struct_fields__ if name != "reason"]
        if not any(named):
            words = "capabilities, network, seccomp, apparmor, newPrivileges, userNamespace, devices or control"
            raise ValueError(f"a relaxation names what it relaxes: {words}")


class PublishedPort(NamedTuple):
    """A port of the device that leads to one of a container."""

    host: int
    container: int
    protocol: Literal["tcp", "udp"]

    @property
    def on_host(self) -> str:
        """The device's port and protocol, for example 8080/tcp."""
        return f"{self.host}/{self.protocol}"


def published_port(text: str) -> PublishedPort:
    """Return what `8080:80` or `53:53/udp` means; raises ValueError for a port above 65535."""
    numbers, _, protocol = text.partition("/")
    host, _, container = numbers.partition(":")
    if max(int(host), int(container)) > 65535:
        raise ValueError(f"{text}: ports go from 1 to 65535")
    return PublishedPort(int(host), int(container), "udp" if protocol == "udp" else "tcp")
