# SPDX-License-Identifier: MIT
"""How a layer is to run: what the product file says of it, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

VolumeKind = Literal["permanent", "revision", "boot"]
InitName = Literal["systemd", "openrc", "busybox"]


@dataclass(frozen=True)
class Volume:
    """Writable storage at `destination`. Owner and mode None: those of the directory in the image, else the process'
    own user and 0755."""

    name: str
    destination: str
    kind: VolumeKind = "permanent"
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    read_only: bool = False


@dataclass(frozen=True)
class Tmpfs:
    """Memory-backed writable directory, empty at each start; `size` in bytes."""

    destination: str
    size: int = 16 * 1024 * 1024
    mode: int = 0o1777
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class DeviceNode:
    """A device that the container may use: `kind` is c or b, `access` any of r, w, m (cgroup device rules)."""

    path: str
    kind: Literal["c", "b"]
    major: int
    minor: int
    access: str = "rw"
    mode: int = 0o660
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Rlimit:
    """A resource limit, setrlimit(2); `name` with or without RLIMIT_."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True)
class FileMapping:
    """Files of the product that are added to a layer: a folder's content, or one file, at `destination`.

    `mode` None: 0755 or 0644 by the executable bit of the source.
    """

    source: Path
    destination: str
    uid: int = 0
    gid: int = 0
    mode: int | None = None


@dataclass(frozen=True)
class RunOptions:
    """What the product file says of one container. None: what the image's configuration says, else the default.

    `sysctls` are settings of the container's own namespaces, `labels` become annotations of its configuration.
    `memory` in bytes, `cpus` in cores (0.5 is half of one), `processes` as the limit of tasks. `capabilities` are those
    kept, `control` the verbs of the device's control socket that it may use, `ports` what it publishes, as the audit
    says it. `users` says whether it may have a user namespace, `user_base` which number its user 0 has on the device
    then (0: it is given none). `apparmor_profile` is a profile of the product's own in the place of the default one.
    `init` is the image's own init, which is its first process then; `lxc_template` is the product's own in place of
    ours. `reasons` says why a relaxation is needed: by the capability's name or the device's path where there is such
    an entry, else by the relaxation's key (network, ports, capabilities, seccomp, apparmor, users, new_privileges,
    devices, control).
    """

    name: str
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    working_directory: str | None = None
    user: str | None = None
    groups: tuple[str, ...] = ()
    stop_signal: str | int | None = None
    hostname: str | None = None
    network: Literal["none", "host", "bridge"] = "none"
    ports: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    seccomp: Literal["default", "unconfined"] = "default"
    apparmor: Literal["default", "unconfined"] = "default"
    apparmor_profile: Path | None = None
    users: Literal["own", "host"] = "own"
    user_base: int = 0
    no_new_privileges: bool = True
    volumes: tuple[Volume, ...] = ()
    tmpfs: tuple[Tmpfs, ...] = ()
    devices: tuple[DeviceNode, ...] = ()
    rlimits: tuple[Rlimit, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    memory: int | None = None
    cpus: float | None = None
    processes: int = 512
    shared_memory: int = 16 * 1024 * 1024
    files: tuple[FileMapping, ...] = ()
    init: InitName | None = None
    runtime: Literal["crun", "lxc"] = "crun"
    lxc_template: Path | None = None
    reasons: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
