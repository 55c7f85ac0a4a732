# SPDX-License-Identifier: MIT
"""The parts of a revision's configuration, as typed values."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from orchestrator.oci.descriptor import Digest

# The device's own limits (config.c, container_config.c, revision.c of pycontainer-device): it must not be sent what it
# would refuse.
LAYERS_LIMIT = 64
VOLUMES_LIMIT = 32
WORDS_LIMIT = 256
PORTS_LIMIT = 64
VERBS_LIMIT = 32
CONDITIONS_LIMIT = 16
DECLARED_LIMIT = 256
BLOBS_LIMIT = 512
BLOB_SIZE_LIMIT = 1 << 40

Text = Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]{1,128}\Z")]
CHANNEL = r"[a-z0-9]+(?:[_-][a-z0-9]+)*"
"""The name of a channel. Without a dot: a registry's tag is `channel.<channel>.<machine>`, and a machine's has some."""
CHANNEL_LIMIT = 32
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}\Z")]
Natural = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
UserId = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 2)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
AbsolutePath = Annotated[str, msgspec.Meta(pattern=r"^/[^\x00-\x1f\x7f]{0,1023}\Z")]
Rate = Annotated[int, msgspec.Meta(ge=0, le=2**40)]
UrlPath = Annotated[str, msgspec.Meta(pattern=r"^/[!-~]{0,1022}\Z")]
Verb = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}\Z")]
Profile = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,126}\Z")]
Time = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")]


class Part(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Common to all parts of a configuration: immutable, camelCase in JSON, no unknown member accepted."""


class Restart(Part, frozen=True, kw_only=True):
    """When a container is started again after its end; `max_retries` 0 means without limit, delays in ms."""

    policy: Literal["always", "on-failure", "no"] = "always"
    max_retries: Natural = 0
    initial_delay_ms: Natural = 500
    max_delay_ms: Natural = 30000
    reset_after_ms: Natural = 60000


class Stop(Part, frozen=True, kw_only=True):
    """How a container is stopped: signal number, then SIGKILL after `timeout_ms`."""

    signal: Annotated[int, msgspec.Meta(ge=1, le=64)] = 15
    timeout_ms: Natural = 10000


class Logs(Part, frozen=True, kw_only=True):
    """The size in bytes at which a container's log is rotated, and how many files are kept."""

    max_bytes: Positive = 1048576
    files: Annotated[int, msgspec.Meta(ge=1, le=100)] = 2


class Volume(Part, frozen=True, kw_only=True):
    """Writable storage: kept for ever, per revision, or per boot; mounted at `destination`, `mode` in octal digits."""

    name: Name
    kind: Literal["permanent", "revision", "boot"]
    destination: AbsolutePath
    mode: Annotated[str, msgspec.Meta(pattern=r"^[0-7]{4}\Z")] = "0755"
    uid: UserId = 0
    gid: UserId = 0


class HttpCheck(Part, frozen=True, kw_only=True):
    """A health check by GET; any status from 200 to 399 is healthy."""

    port: Port
    path: UrlPath = "/"


class _HealthTimes(Part, frozen=True, kw_only=True):
    start_period_ms: Natural = 0
    interval_ms: Positive = 30000
    timeout_ms: Positive = 30000
    retries: Positive = 3


class Health(_HealthTimes, frozen=True, kw_only=True):
    """A health check: exactly one of `command` (run in the container), `tcp` (a port), `http`; times in ms."""

    command: Annotated[list[str], msgspec.Meta(min_length=1, max_length=WORDS_LIMIT)] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    tcp: Port | msgspec.UnsetType = msgspec.UNSET
    http: HttpCheck | msgspec.UnsetType = msgspec.UNSET


class Confirm(Part, frozen=True, kw_only=True):
    """What a container must show before a revision is confirmed: healthy (without a check: running) for that many ms
    without a break, and no more restarts than that."""

    healthy_for_ms: Natural = 10000
    max_restarts: Natural = 3


class PublishedPort(Part, frozen=True, kw_only=True):
    """A port of the device that leads to one of a container on the bridge."""

    host: Port
    container: Port
    protocol: Literal["tcp", "udp"]


class UserNamespace(Part, frozen=True, kw_only=True):
    """The users of a container: its user 0 is `host_id` on the device, and it has `size` of them; groups likewise."""

    host_id: Annotated[int, msgspec.Meta(ge=65536, le=2**32 - 2)]
    size: Annotated[int, msgspec.Meta(ge=1, le=2**32 - 2)]


class Io(Part, frozen=True, kw_only=True):
    """Bytes a second from and to the storage disk at most; 0: no limit."""

    read_bytes_per_second: Rate = 0
    write_bytes_per_second: Rate = 0


class Peer(Part, frozen=True, kw_only=True, omit_defaults=True):
    """Where a container connects to; what is not there is any."""

    address: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-fA-F:.]{2,45}(?:/[0-9]{1,3})?\Z")] | None = None
    port: Port | None = None
    protocol: Literal["tcp", "udp"] | None = None


class Declared(Part, frozen=True, kw_only=True):
    """What a container does by design; a path that ends with / is everything below it."""

    exec: Annotated[list[AbsolutePath], msgspec.Meta(max_length=DECLARED_LIMIT)] = []
    connect: Annotated[list[Peer], msgspec.Meta(max_length=DECLARED_LIMIT)] = []
    write: Annotated[list[AbsolutePath], msgspec.Meta(max_length=DECLARED_LIMIT)] = []


class Observe(Part, frozen=True, kw_only=True):
    """What of a container's doings is recorded, or stops it unless it is declared; volumes it writes as it likes."""

    exec: Literal["off", "record", "stop"] = "off"
    connect: Literal["off", "record", "stop"] = "off"
    write: Literal["off", "record", "stop"] = "off"
    allow: Declared = Declared()


class FileCondition(Part, frozen=True, kw_only=True):
    """A file that must be in a container's volume; `path` is relative to it."""

    layer: Name
    volume: Name
    path: Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f\x7f]+\Z")]


class ReachCondition(Part, frozen=True, kw_only=True):
    """A TCP port at an IP address that must accept a connection."""

    address: str
    port: Port


class Conditions(Part, frozen=True, kw_only=True):
    """When the device confirms the revision, besides what its containers must show; after `timeout_ms` it rolls back.

    With `manual`, somebody must say so when all of it holds.
    """

    timeout_ms: Positive = 300_000
    manual: bool = False
    files: Annotated[list[FileCondition], msgspec.Meta(max_length=CONDITIONS_LIMIT)] = []
    reachable: Annotated[list[ReachCondition], msgspec.Meta(max_length=CONDITIONS_LIMIT)] = []


class PlatformLayer(Part, frozen=True, kw_only=True):
    """A bootloader, bsp or host layer: its blobs by role, and the digest of its SPDX document."""

    name: Name
    kind: Literal["bootloader", "bsp", "host"]
    version: Text
    blobs: dict[str, Digest]
    spdx: Digest


class ContainerLayer(Part, frozen=True, kw_only=True):
    """A rootfs or app layer. Start order: ascending `start_group`, within a group the order of the list; what `after`
    names must be up before, what `after_end` names must have ended well."""

    name: Name
    kind: Literal["rootfs", "app"]
    version: Text
    blobs: dict[str, Digest]
    spdx: Digest
    runtime: Literal["crun", "lxc"] = "crun"
    start_group: Natural = 1
    after: Annotated[list[Name], msgspec.Meta(max_length=LAYERS_LIMIT)] = []
    after_end: Annotated[list[Name], msgspec.Meta(max_length=LAYERS_LIMIT)] = []
    restart: Restart = Restart()
    stop: Stop = Stop()
    logs: Logs = Logs()
    volumes: Annotated[list[Volume], msgspec.Meta(max_length=VOLUMES_LIMIT)] = []
    health: Health | None = None
    confirm: Confirm = Confirm()
    required: bool = False
    machine_id: bool = False
    network: Literal["none", "host", "bridge"] = "none"
    ports: Annotated[list[PublishedPort], msgspec.Meta(max_length=PORTS_LIMIT)] = []
    io: Io | None = None
    control: Annotated[list[Verb], msgspec.Meta(max_length=VERBS_LIMIT)] = []
    apparmor: Profile | None = None
    observe: Observe | None = None
    user_namespace: UserNamespace | None = None
