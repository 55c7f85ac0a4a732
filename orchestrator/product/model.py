# SPDX-License-Identifier: MIT
"""The words of `pycontainer.yaml` as typed structs.

Everything that loosens a container's confinement stands in one place, `relax`, and each entry gives its reason, so that
an auditor reads one list; published ports and the network that they need speak for themselves and are listed with it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from orchestrator.product.confinement import PublishedPort, Relaxation, published_port
from orchestrator.product.supervision import Confirm, Health, Io, LayerConfirm, Logs, Restart
from orchestrator.product.units import parse_duration, parse_size
from orchestrator.product.words import (
    ARGUMENT,
    CHANNEL,
    HOST,
    PORTS,
    RECIPE,
    VARIABLE,
    AbsolutePath,
    Mode,
    Name,
    Reason,
    UserId,
    Version,
)


def _size(text: str) -> int:
    return parse_size(text)


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """Where a layer comes from: exactly one of a BitBake recipe, a root file system tar, or a directory."""

    bitbake: Annotated[str, msgspec.Meta(pattern=RECIPE)] | None = None
    tar: str | None = None
    directory: str | None = None

    def __post_init__(self) -> None:
        given = [word for word in ("bitbake", "tar", "directory") if getattr(self, word)]
        if len(given) != 1:
            raise ValueError("name exactly one of bitbake, tar, directory")


class Files(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A file or folder beside the product file that is laid over the layer at `destination`."""

    source: str
    destination: AbsolutePath
    uid: UserId = 0
    gid: UserId = 0


class Volume(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A writable place: `permanent`, per `revision`, or per `boot`."""

    name: Name
    destination: AbsolutePath
    kind: Literal["permanent", "revision", "boot"] = "permanent"
    mode: Mode = "0755"
    uid: UserId = 0
    gid: UserId = 0


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
    working_directory: AbsolutePath | None = None
    hostname: Annotated[str, msgspec.Meta(pattern=HOST)] | None = None
    volumes: list[Volume] = []
    tmpfs: list[AbsolutePath] = []
    memory: str | None = None
    cpus: Annotated[float, msgspec.Meta(gt=0, le=1024)] | None = None
    pids: Annotated[int, msgspec.Meta(ge=1, le=4_194_304)] = 512
    io: Io | None = None
    network: Literal["bridge"] | None = None
    ports: Annotated[list[Annotated[str, msgspec.Meta(pattern=PORTS)]], msgspec.Meta(max_length=64)] = []
    relax: list[Relaxation] = []
    after: list[Name] = []
    group: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    restart: Restart = Restart()
    required: bool = False
    stop_timeout: str = "10s"
    logs: Logs = Logs()
    health: Health | Literal["none"] | None = None
    confirm: LayerConfirm = LayerConfirm()

    def __post_init__(self) -> None:
        parse_duration(self.stop_timeout)
        if self.memory is not None and _size(self.memory) < 1024 * 1024:
            raise ValueError("memory must be at least 1MiB")
        for what, values in (
            ("volume", [volume.name for volume in self.volumes]),
            ("destination", [volume.destination for volume in self.volumes] + self.tmpfs),
            ("port", [port.on_host for port in self.published]),
            ("device", [device.path for each in self.relax for device in each.devices]),
        ):
            doubles = sorted({value for value in values if values.count(value) > 1})
            if doubles:
                raise ValueError(f"the {what} {doubles[0]} is named twice")
        if self.bridged and any(each.network == "host" for each in self.relax):
            raise ValueError(
                "it has the device's own network by 'relax', so it can neither publish ports nor be bridged"
            )

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


class ImageOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """The flashable image; `storage` is the size of the storage partition."""

    storage: str = "512MiB"

    def __post_init__(self) -> None:
        _size(self.storage)


class Kernel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """Kernel arguments appended to those of the machine; what the boot loader would split or expand is refused."""

    args: list[Annotated[str, msgspec.Meta(pattern=ARGUMENT, max_length=200)]] = []

    def __post_init__(self) -> None:
        if any(word.startswith("pycontainer.control=") for word in self.args):
            raise ValueError("a control port is opened by 'control' of the product, with its reason")


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A byte stream into the device on which it obeys every verb: the name of a virtio port, or of a serial device."""

    port: Annotated[str, msgspec.Meta(pattern=CHANNEL)]
    reason: Reason


class Supplier(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """The organisation that ships the product: the creator of its SPDX documents."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    contact: str = ""


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """One product: what `pycontainer.yaml` says, its layers by name in the file's order."""

    product: Name
    version: Version
    security_version: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] = 0
    machine: Name
    base: Literal["debian", "yocto"] = "debian"
    supplier: Supplier | None = None
    image: ImageOptions = ImageOptions()
    kernel: Kernel = Kernel()
    confirm: Confirm = Confirm()
    control: Control | None = None
    bitbake_layers: list[str] = []
    layers: dict[Name, Layer]

    def start_groups(self) -> dict[str, int]:
        """Return each layer's start group: the one it names, else one more than the latest it comes after.

        Raises ValueError for an unknown name in `after`, a cycle, or a group that starts before what it comes after.
        """
        groups: dict[str, int] = {}

        def visit(name: str, path: tuple[str, ...]) -> int:
            if name in groups:
                return groups[name]
            if name in path:
                raise ValueError("layers wait for each other: " + " after ".join([*path[path.index(name) :], name]))
            layer = self.layers[name]
            earliest = 1
            for other in layer.after:
                if other not in self.layers:
                    raise ValueError(f"layer {name} comes after {other}, which is not a layer of this product")
                earliest = max(earliest, visit(other, (*path, name)) + 1)
            if layer.group is not None and layer.group < earliest:
                raise ValueError(f"layer {name} is in group {layer.group}, but what it comes after starts later")
            groups[name] = layer.group or earliest
            return groups[name]

        for name in self.layers:
            visit(name, ())
        return groups
