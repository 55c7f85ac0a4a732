# SPDX-License-Identifier: MIT
"""How the device looks after a container and a revision: restarts, logs, health, limits, and when an update is kept."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

import msgspec

from orchestrator.product.fields import FieldError, within
from orchestrator.product.units import parse_duration, parse_size
from orchestrator.product.words import URL_PATH, Name, Port

_CONDITIONS = 16


class Restart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """When a container that ended is started again; `maxRetries` 0 means without limit."""

    policy: Literal["always", "on-failure", "no"] = "always"
    max_retries: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    initial_delay: str = "500ms"
    max_delay: str = "30s"
    reset_after: str = "60s"

    def __post_init__(self) -> None:
        within("initialDelay", parse_duration, self.initial_delay)
        within("maxDelay", parse_duration, self.max_delay)
        within("resetAfter", parse_duration, self.reset_after)


class Logs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """How much of a container's output the device keeps: `files` files of at most `maxSize` each."""

    max_size: str = "1MiB"
    files: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2

    def __post_init__(self) -> None:
        if within("maxSize", parse_size, self.max_size) < 4096:
            raise FieldError("maxSize", "maxSize must be at least 4096 bytes")


class HttpCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A GET from within the container's network: any status from 200 to 399 is healthy."""

    port: Port
    path: Annotated[str, msgspec.Meta(pattern=URL_PATH, max_length=1023)] = "/"


class Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """Whether a container is well: exactly one of a `command` in it, a `tcp` port that accepts, an `http` page.

    Failures within `startPeriod` do not count until the first success; `retries` failures in a row make it unhealthy.
    """

    command: Annotated[list[str], msgspec.Meta(min_length=1, max_length=256)] | None = None
    tcp: Port | None = None
    http: HttpCheck | None = None
    start_period: str = "0s"
    interval: str = "30s"
    timeout: str = "30s"
    retries: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 3

    def __post_init__(self) -> None:
        if sum(check is not None for check in (self.command, self.tcp, self.http)) != 1:
            raise ValueError("a health check has exactly one of command, tcp and http")
        if self.command is not None and (self.command[0] == "" or any("\0" in word for word in self.command)):
            raise FieldError("command", "command names no program")
        within("startPeriod", parse_duration, self.start_period)
        for name, text in (("interval", self.interval), ("timeout", self.timeout)):
            if within(name, parse_duration, text) == 0:
                raise FieldError(name, "interval and timeout must be longer than nothing")


class LayerConfirm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """What a container must show before a new revision is kept: healthy for so long, with so few restarts."""

    healthy_for: str = "10s"
    max_restarts: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 3

    def __post_init__(self) -> None:
        within("healthyFor", parse_duration, self.healthy_for)


class Io(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """How many bytes a second a container may `read` from the storage disk and `write` to it."""

    read: str | None = None
    write: str | None = None

    def __post_init__(self) -> None:
        if self.read is None and self.write is None:
            raise ValueError("io names a limit: read, write or both")
        for name, text in (("read", self.read), ("write", self.write)):
            if text is not None and not 4096 <= within(name, parse_size, text) <= 2**40:
                raise FieldError(name, "a limit must be from 4096 bytes to 1TiB a second")


class FileCondition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A file that must be there: `path` below a `volume` of a `layer`."""

    layer: Name
    volume: Name
    path: Annotated[str, msgspec.Meta(min_length=1)]

    def __post_init__(self) -> None:
        if any(part in ("", ".", "..") for part in self.path.split("/")):
            raise FieldError(
                "path", f"the path {self.path!r} is not a plain path below the volume, such as state/ready"
            )
        if len(self.path.encode()) > 1023 or any(letter < " " or letter == "\x7f" for letter in self.path):
            raise FieldError("path", "the path is too long, or has control characters in it")


class ReachCondition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A TCP port that must accept a connection: at an IP address, so that no name service decides of an update."""

    address: str
    port: Port

    def __post_init__(self) -> None:
        try:
            ipaddress.ip_address(self.address)
        except ValueError:
            reason = f"{self.address!r} is not an IP address, such as 192.0.2.1 or 2001:db8::1"
            raise FieldError("address", reason) from None
        if "%" in self.address:
            raise FieldError("address", f"{self.address!r} names an interface; give an address without %")


class Confirm(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """When the device keeps a new revision: all its containers are well, and all of these conditions hold.

    What is not confirmed after `timeout` is rolled back; with `manual` somebody must say so besides.
    """

    timeout: str = "300s"
    manual: bool = False
    files: Annotated[list[FileCondition], msgspec.Meta(max_length=_CONDITIONS)] = []
    reachable: Annotated[list[ReachCondition], msgspec.Meta(max_length=_CONDITIONS)] = []

    def __post_init__(self) -> None:
        if within("timeout", parse_duration, self.timeout) < 1000:
            raise FieldError("timeout", "timeout must be at least 1s")
