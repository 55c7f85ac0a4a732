# SPDX-License-Identifier: MIT
"""The words of `pycontainer.yaml` as typed structs.

Everything that loosens a container's confinement stands in one place, `relax`, and each entry gives its reason, so that
an auditor reads one list.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from orchestrator.product.units import parse_duration, parse_size

# Patterns end in (?![\s\S]) because Python's $ also matches before a last line end, and JSON Schema knows no \Z.
_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}(?![\s\S])"
_VERSION = r"^[0-9A-Za-z][0-9A-Za-z.+~_-]{0,63}(?![\s\S])"
_PATH = r"^/[^\0]*(?![\s\S])"
_CAPABILITY = r"^[A-Z][A-Z0-9_]{1,40}(?![\s\S])"
_MODE = r"^0?[0-7]{3,4}(?![\s\S])"
_RECIPE = r"^[a-z0-9][a-z0-9+._-]*(?![\s\S])"
_VARIABLE = r"^[^=\0]+(?![\s\S])"
_HOST = r"^[A-Za-z0-9][A-Za-z0-9.-]{0,62}(?![\s\S])"
_ARGUMENT = r"^[A-Za-z0-9_.,:;=+/@%^~!-]+(?![\s\S])"

PATTERNS = {
    _NAME: "lower-case letters, digits, '.', '_' and '-', beginning with a letter or digit, 63 at most",
    _VERSION: "letters, digits and . + ~ _ -, beginning with a letter or digit, 64 at most",
    _PATH: "an absolute path, beginning with /",
    _CAPABILITY: "a capability's name in capital letters, such as NET_ADMIN",
    _MODE: "an octal mode in quotes, such as '0755'",
    _RECIPE: "a recipe's name, such as app-nginx",
    _VARIABLE: "the name of an environment variable, without =",
    _HOST: "a host name: letters, digits, '.' and '-', 63 at most",
    _ARGUMENT: "one kernel argument without spaces, quotes or characters that the boot loader would change",
}
"""What each pattern allows, in words for an error message."""

Name = Annotated[str, msgspec.Meta(pattern=_NAME)]
Version = Annotated[str, msgspec.Meta(pattern=_VERSION)]
AbsolutePath = Annotated[str, msgspec.Meta(pattern=_PATH, max_length=4096)]
Capability = Annotated[str, msgspec.Meta(pattern=_CAPABILITY)]
Mode = Annotated[str, msgspec.Meta(pattern=_MODE)]


def _size(text: str) -> int:
    return parse_size(text)


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """Where a layer comes from: exactly one of a BitBake recipe, a root file system tar, or a directory."""

    bitbake: Annotated[str, msgspec.Meta(pattern=_RECIPE)] | None = None
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
    uid: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 2)] = 0
    gid: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 2)] = 0


class Volume(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A writable place: `permanent`, per `revision`, or per `boot`."""

    name: Name
    destination: AbsolutePath
    kind: Literal["permanent", "revision", "boot"] = "permanent"
    mode: Mode = "0755"
    uid: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 2)] = 0
    gid: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 2)] = 0


class Relaxation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """One loosening of the default confinement, with the reason that `pycontainer audit` prints."""

    reason: Annotated[str, msgspec.Meta(min_length=8, max_length=500)]
    capabilities: list[Capability] = []
    network: Literal["host"] | None = None
    seccomp: Literal["unconfined"] | None = None

    def __post_init__(self) -> None:
        if not (self.capabilities or self.network or self.seccomp):
            raise ValueError("a relaxation names what it relaxes: capabilities, network or seccomp")


class Restart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """When a container that ended is started again; `maxRetries` 0 means without limit."""

    policy: Literal["always", "on-failure", "no"] = "always"
    max_retries: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    initial_delay: str = "500ms"
    max_delay: str = "30s"
    reset_after: str = "60s"

    def __post_init__(self) -> None:
        for text in (self.initial_delay, self.max_delay, self.reset_after):
            parse_duration(text)


class Logs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """How much of a container's output the device keeps: `files` files of at most `maxSize` each."""

    max_size: str = "1MiB"
    files: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2

    def __post_init__(self) -> None:
        if parse_size(self.max_size) < 4096:
            raise ValueError("maxSize must be at least 4096 bytes")


class Layer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """A container layer of the product. The platform's layers (bootloader, bsp, host) come from the base."""

    kind: Literal["rootfs", "app"]
    source: Source = msgspec.field(name="from")
    version: Version | None = None
    files: list[Files] = []
    entrypoint: list[str] | None = None
    command: list[str] | None = None
    environment: dict[Annotated[str, msgspec.Meta(pattern=_VARIABLE)], str] = {}
    user: str | None = None
    working_directory: AbsolutePath | None = None
    hostname: Annotated[str, msgspec.Meta(pattern=_HOST)] | None = None
    volumes: list[Volume] = []
    tmpfs: list[AbsolutePath] = []
    memory: str | None = None
    cpus: Annotated[float, msgspec.Meta(gt=0, le=1024)] | None = None
    pids: Annotated[int, msgspec.Meta(ge=1, le=4_194_304)] = 512
    relax: list[Relaxation] = []
    after: list[Name] = []
    group: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = None
    restart: Restart = Restart()
    stop_timeout: str = "10s"
    logs: Logs = Logs()

    def __post_init__(self) -> None:
        parse_duration(self.stop_timeout)
        if self.memory is not None and _size(self.memory) < 1024 * 1024:
            raise ValueError("memory must be at least 1MiB")
        for what, values in (
            ("volume", [volume.name for volume in self.volumes]),
            ("destination", [volume.destination for volume in self.volumes] + self.tmpfs),
        ):
            doubles = sorted({value for value in values if values.count(value) > 1})
            if doubles:
                raise ValueError(f"the {what} {doubles[0]} is named twice")

    @property
    def memory_bytes(self) -> int | None:
        """The memory limit in bytes, or None."""
        return None if self.memory is None else parse_size(self.memory)


class ImageOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """The flashable image; `storage` is the size of the storage partition."""

    storage: str = "512MiB"

    def __post_init__(self) -> None:
        _size(self.storage)


class Kernel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """Kernel arguments appended to those of the machine; what the boot loader would split or expand is refused."""

    args: list[Annotated[str, msgspec.Meta(pattern=_ARGUMENT, max_length=200)]] = []


class Supplier(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """The organisation that ships the product: the creator of its SPDX documents."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    contact: str = ""


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """One product: what `pycontainer.yaml` says, its layers by name in the file's order."""

    product: Name
    version: Version
    machine: Name
    base: Literal["debian", "yocto"] = "debian"
    supplier: Supplier | None = None
    image: ImageOptions = ImageOptions()
    kernel: Kernel = Kernel()
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
