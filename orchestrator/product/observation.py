# SPDX-License-Identifier: MIT
"""What of a container's doings the device records, and which of them the product declares."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal, TypeAlias

import msgspec

from orchestrator.product.fields import FieldError, within
from orchestrator.product.words import AbsolutePath, Port

_ENTRIES = 200
_PATH_BYTES = 1023

Watch: TypeAlias = Literal["off", "record", "stop"]


class Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """Where a container connects to: a network or one `address` (default: any), a `port` and a `protocol` (any)."""

    address: str | None = None
    port: Port | None = None
    protocol: Literal["tcp", "udp"] | None = None

    def __post_init__(self) -> None:
        if self.address is None and self.port is None and self.protocol is None:
            raise ValueError("name an address, a port or a protocol")
        if self.address is not None:
            within("address", _network, self.address)


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """What a container does by design: programs that it runs, peers that it connects to, files that it writes.

    A path that ends with / is everything below it.
    """

    exec: Annotated[list[AbsolutePath], msgspec.Meta(max_length=_ENTRIES)] = []
    connect: Annotated[list[Peer], msgspec.Meta(max_length=_ENTRIES)] = []
    write: Annotated[list[AbsolutePath], msgspec.Meta(max_length=_ENTRIES)] = []

    def __post_init__(self) -> None:
        for name, paths in (("exec", self.exec), ("write", self.write)):
            for position, path in enumerate(paths):
                within((name, position), _plain, path)


class Observe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """What is watched: programs run, connections made, files written outside the volumes; each `off`, `record`, or
    `stop`, which records as well and stops the container for what `allow` does not declare."""

    exec: Watch = "off"
    connect: Watch = "off"
    write: Watch = "off"
    allow: Declared = Declared()

    def __post_init__(self) -> None:
        if {self.exec, self.connect, self.write} == {"off"}:
            raise ValueError("say what is to be observed: exec, connect or write")
        for name in ("exec", "connect", "write"):
            if getattr(self.allow, name) and getattr(self, name) == "off":
                reason = f"{name} is declared, but not observed"
                raise FieldError(("allow", name), reason, f"write '{name}: record' or '{name}: stop'")


def _network(text: str) -> None:
    if "%" in text:
        raise ValueError(f"{text!r} names an interface; give an address without %")
    try:
        ipaddress.ip_network(text)
    except ValueError as problem:
        raise ValueError(f"{text!r} is no network, such as 10.0.0.0/8 or 2001:db8::1: {problem}") from problem


def _plain(path: str) -> None:
    if any(part in (".", "..") for part in path.split("/")) or "//" in path:
        raise ValueError(f"the path {path!r} has '..', '.' or an empty part, and would never match")
    if len(path.encode()) > _PATH_BYTES or any(letter < " " or letter == "\x7f" for letter in path):
        raise ValueError(f"the path {path[:80]!r} is too long, or has control characters in it")
