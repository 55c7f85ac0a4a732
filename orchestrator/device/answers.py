# SPDX-License-Identifier: MIT
"""What a device answers: lines of JSON to typed values, strictly; unknown members are a newer device's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec

from orchestrator.canonical import canonical_json
from orchestrator.device.stream import LINE_LIMIT, LinkError
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.oci.strict import convert, load_json
from orchestrator.text import shown

PROTOCOL = 1
T = TypeVar("T")
_TEXT_LIMIT = 1000

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Digest = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]


class DeviceError(VerificationError):
    """The device refused, or failed in, what it was asked."""


class AnswerError(LinkError):
    """A line of the device is not what the protocol allows."""


@dataclass(frozen=True)
class Answer:
    """One object of an answer; the last one is `final`, and tells success or an `error`."""

    value: dict[str, Any]
    final: bool
    error: str | None = None


def plain(text: str, limit: int = _TEXT_LIMIT) -> str:
    """Return a device's text for a person's terminal: one line, and not endless."""
    return shown(text, limit)


def parse_answer(line: bytes) -> Answer | None:
    """Return what a line says, or None when it is empty or no object of JSON at all, such as a kernel's message.

    Raises AnswerError for what begins like an answer and is none.
    """
    text = line.strip(b" \t\r")
    if not text.startswith(b"{"):
        return None
    value = load_json(text, "the device's answer", limit=LINE_LIMIT, error=AnswerError)
    if "error" in value:
        if not isinstance(value["error"], str) or "ok" in value:
            raise AnswerError("the device's answer does not have the right form", "its error is no text")
        return Answer(value, True, plain(value["error"]) or "no reason was given")
    if "ok" in value:
        if value["ok"] is not True:
            raise AnswerError("the device's answer does not have the right form", "ok is not true")
        return Answer({name: member for name, member in value.items() if name != "ok"}, True)
    return Answer(value, False)


def encode_request(verb: str, arguments: dict[str, Any]) -> bytes:
    """Return a request's line; raises ConfigError when it is longer than a device reads."""
    return encode_line({"verb": verb, **arguments})


def encode_line(value: dict[str, Any]) -> bytes:
    """Return an object as a line; raises ConfigError when it is longer than a device reads, or no UTF-8."""
    try:
        line = canonical_json(value)
    except ValueError as problem:
        raise ConfigError("what is asked of the device is no text", str(problem)[:200]) from problem
    if len(line) > LINE_LIMIT:
        raise ConfigError("what is asked of the device is too long", f"{len(line)} bytes, the limit is {LINE_LIMIT}")
    return line + b"\n"


def typed(value: dict[str, Any], kind: type[T], verb: str) -> T:
    """Return an answer's members as a value of a msgspec type; raises AnswerError when they do not fit."""
    return convert(value, kind, f"the device's answer to {verb}", error=AnswerError)


class _Part(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Common to all answers: immutable, camelCase in JSON; members that we do not know are passed over."""


class Version(_Part, frozen=True, kw_only=True):
    """Answer to `version`: the device program's, its kernel's, and what it is."""

    version: str
    protocol: Count
    kernel: str = ""
    product: str = ""
    machine: str = ""

    def to_data(self) -> dict[str, Any]:
        """Return the members as plain values."""
        value: dict[str, Any] = msgspec.to_builtins(self)
        return value


class Trial(_Part, frozen=True, kw_only=True):
    """A revision on trial, what it replaces, and what it still waits for."""

    revision: str
    from_: str | None = msgspec.field(name="from", default=None)
    how: str = ""
    elapsed_ms: Count = 0
    timeout_ms: Count = 0
    waiting: list[str] = []


class TrialOutcome(_Part, frozen=True, kw_only=True):
    """How the last trial ended."""

    revision: str
    result: str
    reason: str | None = None
    trial: Count = 0


class Record(_Part, frozen=True, kw_only=True):
    """The boot record: the confirmed revision, the one that the boot loader tries, and how often it still does."""

    generation: Count
    rev: str | None = None
    try_: str | None = msgspec.field(name="try", default=None)
    left: int | None = None


class Room(_Part, frozen=True, kw_only=True):
    """The storage file system, in bytes."""

    size: Count
    free: Count


class Status(_Part, frozen=True, kw_only=True):
    """Answer to `status`."""

    product: str
    version: str
    revision: str | None
    state: str
    trial: Trial | None = None
    outcome: TrialOutcome | None = None
    floor: Count | None = 0
    record: Record | None = None
    storage: Room | None = None
    uptime_ms: Count = 0
    watchdog: bool = False
    apparmor: bool | None = None


class Container(_Part, frozen=True, kw_only=True):
    """A row of `ps`; figures that the kernel does not give are null."""

    name: str
    kind: str = ""
    version: str = ""
    state: str = ""
    health: str | None = None
    pid: int | None = None
    restarts: int | None = None
    running_ms: int | None = None
    memory: int | None = None
    memory_peak: int | None = None
    cpu_us: int | None = None
    processes: int | None = None
    oom_kills: int | None = None
    last: str | int | None = None


class Containers(_Part, frozen=True, kw_only=True):
    """Answer to `ps`."""

    containers: list[Container]


class StoredRevision(_Part, frozen=True, kw_only=True):
    """A row of `revisions`."""

    revision: str
    version: str | None = None
    running: bool = False
    confirmed: bool = False
    previous: bool = False
    complete: bool = False
    size: int | None = None


class StoredRevisions(_Part, frozen=True, kw_only=True):
    """Answer to `revisions`."""

    revisions: list[StoredRevision]


class StoredVolume(_Part, frozen=True, kw_only=True):
    """A row of `volumes`."""

    layer: str
    name: str
    kind: str = ""
    path: str = ""
    used: int | None = None


class StoredVolumes(_Part, frozen=True, kw_only=True):
    """Answer to `volumes`."""

    volumes: list[StoredVolume]


class Removed(_Part, frozen=True, kw_only=True):
    """How much garbage was removed."""

    revisions: Count
    blobs: Count


class Collected(_Part, frozen=True, kw_only=True):
    """Answer to `gc`."""

    removed: Removed
    freed: Count


class Identity(_Part, frozen=True, kw_only=True):
    """Answer to `identity`: the device's own key."""

    public_key: str
    keyid: str


class Event(_Part, frozen=True, kw_only=True):
    """One object of `observe`: what a container did, or, with `count`, how much is not told of."""

    time: str
    layer: str
    event: str
    boot_ms: Count = 0
    declared: bool = False
    refused: bool = False
    pid: int | None = None
    uid: int | None = None
    program: str = ""
    path: str | None = None
    address: str | None = None
    port: int | None = None
    protocol: str = ""
    count: Count | None = None


class Offset(_Part, frozen=True, kw_only=True):
    """Where a blob that was begun goes on; `copy`: what other blobs of the device have may be left out."""

    offset: Count
    copy: bool = False


class Ready(_Part, frozen=True, kw_only=True):
    """The first answer to `put`."""

    ready: Offset


class MissingBlob(_Part, frozen=True, kw_only=True):
    """A blob that the device lacks, and how much of it has come already."""

    digest: Digest
    size: Count
    offset: Count = 0


class Missing(_Part, frozen=True, kw_only=True):
    """Answer to `install` blob by blob."""

    missing: Annotated[list[MissingBlob], msgspec.Meta(max_length=4096)]


class Installed(_Part, frozen=True, kw_only=True):
    """Answer to `install` from a disk of the device."""

    revision: str
    copied: Count = 0
    blobs: Count = 0


class Step(_Part, frozen=True, kw_only=True):
    """How far the device is."""

    step: str
    done: Count = 0
    total: Count = 0


class Finished(_Part, frozen=True, kw_only=True):
    """Answer to `exec`."""

    status: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
