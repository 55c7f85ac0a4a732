# SPDX-License-Identifier: MIT
"""The words of `pycontainer.yaml` as typed structs.

Everything that loosens a container's confinement stands in one place, `relax`, and each entry gives its reason, so that
an auditor reads one list; published ports and the network that they need speak for themselves and are listed with it.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from orchestrator.product.confinement import PublishedPort, Relaxation, published_port
from orchestrator.product.fields import FieldError, Path, within
from orchestrator.product.observation import Observe
from orchestrator.product.process import After, Tmpfs, Ulimit, check_labels, check_sysctls
from orchestrator.product.reference import parse_reference
from orchestrator.product.source import Source
from orchestrator.product.supervision import Confirm, Health, Io, LayerConfirm, Logs, Restart
from orchestrator.product.units import parse_duration, parse_size
from orchestrator.product.words import (
    ARGUMENT,
    CHANNEL,
    HOST,
    PORTS,
    SIGNAL,
    ULIMIT,
    VARIABLE,
    AbsolutePath,
    Mode,
    Name,
    Reason,
    UserId,
    Version,
)

LEAST_STORAGE = 8 * 2**20
"""Below this no file system with verity and a journal holds anything: better said before BitBake than after."""

UserLimit = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Files(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A file or folder beside the product file that is laid over the layer at `destination`."""

    source: str
    destination: AbsolutePath
    uid: UserId = 0
    gid: UserId = 0
    mode: Mode | None = None


class Volume(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A writable place: `permanent`, per `revision`, or per `boot`.

    Without `mode`, `uid` or `gid` that of the image's directory there, else 0755 and the process's own user.
    """

    name: Name
    destination: AbsolutePath
    kind: Literal["permanent", "revision", "boot"] = "permanent"
    mode: Mode | None = None
    uid: UserId | None = None
    gid: UserId | None = None
    read_only: bool = False


class Layer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A container layer of the product. The platform's layers (bootloader, bsp, host) come from the base."""

    kind: Literal["rootfs", "app"]
    source: Source = msgspec.field(name="from")
    version: Version | None = None
    files: list[Files] = []
    entrypoint: list[str] | None = None
    command: list[str] | None = None
    environment: dict[Annotated[str, msgspec.Meta(pattern=VARIABLE)], str] = {}
    user: str | None = None
    groups: list[str] = []
    working_directory: AbsolutePath | None = None
    hostname: Annotated[str, msgspec.Meta(pattern=HOST)] | None = None
    volumes: list[Volume] = []
    tmpfs: list[AbsolutePath | Tmpfs] = []
    shm_size: str = "16MiB"
    memory: str | None = None
    cpus: Annotated[float, msgspec.Meta(gt=0, le=1024)] | None = None
    pids: Annotated[int, msgspec.Meta(ge=1, le=4_194_304)] = 512
    io: Io | None = None
    ulimits: dict[Annotated[str, msgspec.Meta(pattern=ULIMIT)], UserLimit | Ulimit] = {}
    sysctls: dict[str, str] = {}
    labels: dict[str, str] = {}
    network: Literal["bridge"] | None = None
    ports: Annotated[list[Annotated[str, msgspec.Meta(pattern=PORTS)]], msgspec.Meta(max_length=64)] = []
    apparmor: str | None = None
    relax: list[Relaxation] = []
    after: list[Name | After] = []
    group: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    restart: Restart = Restart()
    required: bool = False
    stop_signal: Annotated[str, msgspec.Meta(pattern=SIGNAL)] | None = None
    init: Literal["none", "systemd", "openrc", "busybox"] = "none"
    runtime: Literal["crun", "lxc"] = "crun"
    lxc_template: str | None = None
    stop_timeout: str = "10s"
    logs: Logs = Logs()
    observe: Observe | None = None
    health: Health | Literal["none"] | None = None
    confirm: LayerConfirm = LayerConfirm()

    def __post_init__(self) -> None:
        within("stopTimeout", parse_duration, self.stop_timeout)
        if self.lxc_template is not None and self.runtime != "lxc":
            raise FieldError("lxcTemplate", "it is for LXC, which does not run this layer", "write also runtime: lxc")
        if self.memory is not None and within("memory", parse_size, self.memory) < 1024 * 1024:
            raise FieldError("memory", "memory must be at least 1MiB", "write for example 64MiB")
        if within("shmSize", parse_size, self.shm_size) < 4096:
            raise FieldError("shmSize", "shmSize must be at least 4096 bytes")
        check_sysctls(self.sysctls, own_network=not any(each.network == "host" for each in self.relax))
        check_labels(self.labels)
        _no_doubles("layer", [(("after", at), each.layer) for at, each in enumerate(self.predecessors)])
        ports = [within(("ports", at), published_port, text) for at, text in enumerate(self.ports)]
        places: list[tuple[Path, str]] = [
            (("volumes", at, "destination"), volume.destination) for at, volume in enumerate(self.volumes)
        ]
        places += [(("tmpfs", at), each.destination) for at, each in enumerate(self.in_memory)]
        _no_doubles("volume", [(("volumes", at, "name"), volume.name) for at, volume in enumerate(self.volumes)])
        _no_doubles("destination", places)
        _no_doubles("port", [(("ports", at), port.on_host) for at, port in enumerate(ports)])
        devices: list[tuple[Path, str]] = [
            (("relax", at, "devices", position, "path"), device.path)
            for at, each in enumerate(self.relax)
            for position, device in enumerate(each.devices)
        ]
        _no_doubles("device", devices)
        if self.apparmor is not None and any(each.apparmor for each in self.relax):
            raise FieldError("apparmor", "it has a profile of its own, and 'relax' says that it has none")
        if self.bridged and any(each.network == "host" for each in self.relax):
            raise FieldError(
                "ports" if self.ports else "network",
                "it has the device's own network by 'relax', so it can neither publish ports nor be bridged",
            )

    @property
    def predecessors(self) -> list[After]:
        """What comes before this layer, each with its condition."""
        return [After(layer=each) if isinstance(each, str) else each for each in self.after]

    @property
    def in_memory(self) -> list[Tmpfs]:
        """The directories in memory, each with its size and owner."""
        return [Tmpfs(destination=each) if isinstance(each, str) else each for each in self.tmpfs]

    @property
    def memory_bytes(self) -> int | None:
        """The memory limit in bytes, or None."""
        return None if self.memory is None else parse_size(self.memory)

    @property
    def published(self) -> list[PublishedPort]:
        """The ports of the device that lead to this container."""
        return [published_port(text) for text in self.ports]

    @property
    def bridged(self) -> bool:
        """Whether the container has an address of its own on the device's bridge."""
        return self.network == "bridge" or bool(self.ports)


def _no_doubles(what: str, values: Sequence[tuple[Path, str]]) -> None:
    seen = set()
    for path, value in values:
        if value in seen:
            raise FieldError(path, f"the {what} {value} is named twice", "remove or rename one of them")
        seen.add(value)


class ImageOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """The flashable image; `storage` is the size of the storage partition."""

    storage: str = "512MiB"

    def __post_init__(self) -> None:
        if within("storage", parse_size, self.storage) < LEAST_STORAGE:
            raise FieldError(
                "storage",
                f"storage must be at least {LEAST_STORAGE // 2**20}MiB",
                "a device keeps two revisions and its volumes there: write for example 512MiB",
            )


class Kernel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """Kernel arguments appended to those of the machine; what the boot loader would split or expand is refused."""

    args: list[Annotated[str, msgspec.Meta(pattern=ARGUMENT, max_length=200)]] = []

    def __post_init__(self) -> None:
        for position, word in enumerate(self.args):
            if word.startswith("pycontainer.control="):
                reason = "a control port is opened by 'control' of the product, with its reason"
                raise FieldError(("args", position), reason)


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A byte stream into the device on which it obeys every verb: the name of a virtio port, or of a serial device."""

    port: Annotated[str, msgspec.Meta(pattern=CHANNEL)]
    reason: Reason


class Supplier(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """The organisation that ships the product: the creator of its SPDX documents."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    contact: str = ""


class Sbom(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """The documents of what the product is made of; with `device` they are on the device too."""

    device: bool = False


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """One product: what `pycontainer.yaml` says, its layers by name in the file's order.

    The file names one `machine` or several `machines`; here `machines` are all of them, and `machine` the first.
    """

    product: Name
    version: Version
    security_version: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    machine: Name = ""
    machines: list[Name] = []
    base: Literal["debian", "yocto"] = "debian"
    supplier: Supplier | None = None
    image: ImageOptions = ImageOptions()
    kernel: Kernel = Kernel()
    confirm: Confirm = Confirm()
    control: Control | None = None
    apparmor: Literal["required"] | None = None
    registry: str | None = None
    bitbake_layers: list[str] = []
    components: list[str] = []
    sbom: Sbom = Sbom()
    layers: dict[Name, Layer]

    def __post_init__(self) -> None:
        if self.registry is not None:
            found = within("registry", parse_reference, self.registry)
            if found.transport != "docker" or found.tag or found.digest:
                raise FieldError(
                    "registry", "it is a repository of a registry, without tag and digest", "write HOST[:PORT]/NAME"
                )
        if not self.machine and not self.machines:
            raise FieldError(
                ("machine",), "what the product runs on is not said", "'pycontainer machines' lists what there is"
            )
        if self.machine and self.machines and self.machine != self.machines[0]:
            raise FieldError(("machines",), "machine and machines are both given", "write one of them")
        if len(set(self.machines)) != len(self.machines):
            raise FieldError(("machines",), "a machine is named twice", "name each once")
        msgspec.structs.force_setattr(self, "machines", self.machines or [self.machine])
        msgspec.structs.force_setattr(self, "machine", self.machines[0])

    def start_groups(self) -> dict[str, int]:
        """Return each layer's start group: the one it names, else one more than the latest it comes after.

        Raises FieldError for an unknown name in `after`, a cycle, or a group that starts before what it comes after.
        """
        groups: dict[str, int] = {}

        def visit(name: str, path: tuple[str, ...]) -> int:
            if name in groups:
                return groups[name]
            if name in path:
                round_ = " after ".join([*path[path.index(name) :], name])
                raise FieldError(("layers", name, "after"), f"layers wait for each other: {round_}")
            layer = self.layers[name]
            earliest = 1
            for position, each in enumerate(layer.predecessors):
                other = each.layer
                if other not in self.layers:
                    near = difflib.get_close_matches(other, self.layers, n=1)
                    raise FieldError(
                        ("layers", name, "after", position),
                        f"layer {name} comes after {other}, which is not a layer of this product",
                        f"did you mean '{near[0]}'?" if near else f"the layers are: {', '.join(self.layers)}",
                    )
                earliest = max(earliest, visit(other, (*path, name)) + 1)
            if layer.group is not None and layer.group < earliest:
                reason = f"layer {name} is in group {layer.group}, but what it comes after starts later"
                raise FieldError(("layers", name, "group"), reason, f"write {earliest}, or leave 'group' out")
            groups[name] = layer.group or earliest
            return groups[name]

        for name in self.layers:
            visit(name, ())
        return groups
