# SPDX-License-Identifier: MIT
"""The revision's configuration and manifest as typed values: strict to read, canonical to write."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from orchestrator.canonical import canonical_json
from orchestrator.deploy import Kind
from orchestrator.errors import BuildError, PyContainerError, VerificationError
from orchestrator.oci.descriptor import Digest
from orchestrator.oci.strict import convert, load_json

CONFIG_TYPE = "application/vnd.pycontainer.revision.config.v1+json"
REVISION_TYPE = "application/vnd.pycontainer.revision.v1"
SPDX_TYPE = "application/spdx+json"
"""The artefact type of the documents that are attached to a revision, one a layer."""
CONFIG_LIMIT = 1024 * 1024
"""Bytes of one revision configuration at most."""

# The device's own limits (config.c and revision.c of pycontainer-device): it must never be sent what it would refuse.
LAYERS_LIMIT = 64
VOLUMES_LIMIT = 32
BLOBS_LIMIT = 512
BLOB_SIZE_LIMIT = 1 << 40

ROLES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "bootloader": (frozenset({"efi"}), frozenset()),
    "bsp": (frozenset({"kernel"}), frozenset({"modules", "firmware", "dtb"})),
    "host": (frozenset({"initramfs", "boot-env"}), frozenset()),
    "rootfs": (frozenset({"rootfs", "run-config"}), frozenset()),
    "app": (frozenset({"rootfs", "run-config"}), frozenset()),
}
"""For each kind of layer the blob roles that it must have, and those that it may have."""

CONTAINER_KINDS = ("rootfs", "app")

Text = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]{1,128}\Z")]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}\Z")]
Natural = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
UserId = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 2)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
AbsolutePath = Annotated[str, msgspec.Meta(pattern=r"^/[^\x00-\x1f\x7f]{0,1023}\Z")]
Time = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")]


class _Part(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Common to all parts of a configuration: immutable, camelCase in JSON, no unknown member accepted."""


class Restart(_Part, frozen=True, kw_only=True):
    """When a container is started again after its end; `max_retries` 0 means without limit, delays in ms."""

    policy: Literal["always", "on-failure", "no"] = "always"
    max_retries: Natural = 0
    initial_delay_ms: Natural = 500
    max_delay_ms: Natural = 30000
    reset_after_ms: Natural = 60000


class Stop(_Part, frozen=True, kw_only=True):
    """How a container is stopped: signal number, then SIGKILL after `timeout_ms`."""

    signal: Annotated[int, msgspec.Meta(ge=1, le=64)] = 15
    timeout_ms: Natural = 10000


class Logs(_Part, frozen=True, kw_only=True):
    """The size in bytes at which a container's log is rotated, and how many files are kept."""

    max_bytes: Positive = 1048576
    files: Annotated[int, msgspec.Meta(ge=1, le=100)] = 2


class Volume(_Part, frozen=True, kw_only=True):
    """Writable storage: kept for ever, per revision, or per boot; mounted at `destination`, `mode` in octal digits."""

    name: Name
    kind: Literal["permanent", "revision", "boot"]
    destination: AbsolutePath
    mode: Annotated[str, msgspec.Meta(pattern=r"^[0-7]{4}\Z")] = "0755"
    uid: UserId = 0
    gid: UserId = 0


class HttpCheck(_Part, frozen=True, kw_only=True):
    """A health check by GET; any status from 200 to 399 is healthy."""

    port: Port
    path: AbsolutePath = "/"


class _HealthTimes(_Part, frozen=True, kw_only=True):
    start_period_ms: Natural = 0
    interval_ms: Positive = 30000
    timeout_ms: Positive = 30000
    retries: Positive = 3


class Health(_HealthTimes, frozen=True, kw_only=True):
    """A health check: exactly one of `command` (run in the container), `tcp` (a port), `http`; times in ms."""

    command: Annotated[list[str], msgspec.Meta(min_length=1, max_length=256)] | msgspec.UnsetType = msgspec.UNSET
    tcp: Port | msgspec.UnsetType = msgspec.UNSET
    http: HttpCheck | msgspec.UnsetType = msgspec.UNSET


class Confirm(_Part, frozen=True, kw_only=True):
    """What must hold before the revision is confirmed: healthy for that many ms without a break."""

    healthy_for_ms: Natural = 0


class PlatformLayer(_Part, frozen=True, kw_only=True):
    """A bootloader, bsp or host layer: its blobs by role, and the digest of its SPDX document."""

    name: Name
    kind: Literal["bootloader", "bsp", "host"]
    version: Text
    blobs: dict[str, Digest]
    spdx: Digest


class ContainerLayer(_Part, frozen=True, kw_only=True):
    """A rootfs or app layer. Start order: ascending `start_group`, within a group the order of the list."""

    name: Name
    kind: Literal["rootfs", "app"]
    version: Text
    blobs: dict[str, Digest]
    spdx: Digest
    runtime: Literal["crun"] = "crun"
    start_group: Natural = 1
    after: Annotated[list[Name], msgspec.Meta(max_length=LAYERS_LIMIT)] = []
    restart: Restart = Restart()
    stop: Stop = Stop()
    logs: Logs = Logs()
    volumes: Annotated[list[Volume], msgspec.Meta(max_length=VOLUMES_LIMIT)] = []
    health: Health | None = None
    confirm: Confirm = Confirm()


Layer = PlatformLayer | ContainerLayer


class _Head(_Part, frozen=True, kw_only=True):
    schema_version: Literal[1] = 1
    product: Name
    version: Text
    machine: Name
    architecture: Name
    created: Time
    message: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*\Z", max_length=65536)] = ""
    parents: Annotated[list[Digest], msgspec.Meta(max_length=16)] = []


class RevisionConfig(_Head, frozen=True, kw_only=True):
    """The whole software state of a device, as the revision's config blob records it."""

    layers: list[Layer]

    def to_bytes(self) -> bytes:
        """Return the canonical bytes; raises BuildError when a value is out of its range."""
        data = canonical_json(msgspec.to_builtins(self))
        RevisionConfig.from_bytes(data, error=BuildError)
        return data

    @classmethod
    def from_bytes(cls, data: bytes, *, error: type[PyContainerError] = VerificationError) -> RevisionConfig:
        """Return the configuration from its canonical bytes; raises `error` on anything else."""
        what = "the revision's configuration"
        value = load_json(data, what, limit=CONFIG_LIMIT, canonical=True, error=error)
        if not isinstance(value, dict) or not isinstance(value.get("layers"), list):
            raise error(f"{what} does not have the right form", "it is an object with a list of layers")
        head = convert({name: member for name, member in value.items() if name != "layers"}, _Head, what, error=error)
        if len(value["layers"]) > LAYERS_LIMIT:
            raise error(f"{what} has too many layers", f"{len(value['layers'])}, a device takes {LAYERS_LIMIT}")
        layers = [_layer(raw, position, error) for position, raw in enumerate(value["layers"])]
        config = cls(**{name: getattr(head, name) for name in _Head.__struct_fields__}, layers=layers)
        _check(config, error)
        return config

    def layer(self, name: str) -> Layer | None:
        """Return a layer by its name, or None."""
        return next((layer for layer in self.layers if layer.name == name), None)

    def containers(self) -> list[ContainerLayer]:
        """Return the container layers in the order in which the device starts them."""
        found = [layer for layer in self.layers if isinstance(layer, ContainerLayer)]
        return sorted(found, key=lambda layer: layer.start_group)


def created_at(source_date_epoch: int) -> str:
    """Return seconds since 1970 in the form that `created` has, for example 2026-01-01T00:00:00Z."""
    return datetime.fromtimestamp(source_date_epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def media_type(role: str) -> str:
    """Return the media type of a blob role."""
    special = {
        "initramfs": "application/vnd.pycontainer.initramfs.v1.cpio",
        "run-config": "application/vnd.oci.runtime.config.v1+json",
    }
    squashfs = ".squashfs" if role in {"modules", "firmware", "rootfs"} else ""
    return special.get(role, f"application/vnd.pycontainer.{role}.v1{squashfs}")


def _layer(raw: Any, position: int, error: type[PyContainerError]) -> Layer:
    kind = raw.get("kind") if isinstance(raw, dict) else None
    what = f"layer {position} of the revision's configuration"
    if kind in CONTAINER_KINDS:
        return convert(raw, ContainerLayer, what, error=error)
    return convert(raw, PlatformLayer, what, error=error)


def _check(config: RevisionConfig, error: type[PyContainerError]) -> None:
    """Check what the types cannot say: names, roles, references, order."""

    def refuse(layer: str, why: str) -> None:
        raise error(f"layer {layer!r} of the revision is wrong", why)

    try:
        datetime.strptime(config.created, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError as problem:
        raise error("the revision's creation time is no date", config.created) from problem
    names: set[str] = set()
    for layer in config.layers:
        if layer.name in names:
            refuse(layer.name, "two layers have this name")
        names.add(layer.name)
        required, optional = ROLES[layer.kind]
        if lacking := sorted(required - set(layer.blobs)):
            refuse(layer.name, f"a {layer.kind} layer needs the blob {lacking[0]}")
        if extra := sorted(set(layer.blobs) - required - optional):
            refuse(layer.name, f"a {layer.kind} layer has no blob {extra[0]}")
    kinds: tuple[Kind, ...] = ("bootloader", "bsp", "host")
    for kind in kinds:
        count = sum(layer.kind == kind for layer in config.layers)
        if count != 1:
            raise error(f"a revision has exactly one {kind} layer", f"this one has {count}")
    started: set[str] = set()
    for container in config.containers():
        for name in container.after:
            if name not in started:
                refuse(container.name, f"it starts after {name!r}, which is not a container that starts before it")
        started.add(container.name)
        _check_container(container, refuse)


def _check_container(layer: ContainerLayer, refuse: Any) -> None:
    volumes = [volume.name for volume in layer.volumes]
    if len(set(volumes)) != len(volumes):
        refuse(layer.name, "two volumes have one name")
    destinations = [volume.destination for volume in layer.volumes]
    if len(set(destinations)) != len(destinations):
        refuse(layer.name, "two volumes have one destination")
    for path in destinations:
        if path == "/" or re.search(r"//|/\.{1,2}(/|\Z)|/\Z", path):
            refuse(layer.name, f"the volume destination {path!r} is not a plain absolute path")
    checks = (layer.health.command, layer.health.tcp, layer.health.http) if layer.health else ()
    if checks and sum(check is not msgspec.UNSET for check in checks) != 1:
        refuse(layer.name, "a health check has exactly one of command, tcp and http")
