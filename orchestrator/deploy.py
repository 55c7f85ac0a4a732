# SPDX-License-Identifier: MIT
"""The deploy contract: what a BitBake base hands over, read from `pycontainer-deploy.json`.

The orchestrator knows a base by this file alone, so every word in it is checked before any path is used;
unknown keys are refused, because a newer base must not be half understood.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import msgspec

from orchestrator.canonical import hash_file, read_limited
from orchestrator.errors import BuildError, VerificationError

Kind = Literal["bootloader", "bsp", "host", "rootfs", "app"]
DigestText = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}$")]
LayerName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]

MANIFEST_NAME = "pycontainer-deploy.json"
_LIMIT = 16 * 1024 * 1024


class DeployFile(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """One file of a layer; `path` is relative to the manifest's folder, `size` in bytes."""

    path: str
    digest: DigestText
    size: int


class Distribution(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The distribution that the base's packages come from, in the words of os-release(5)."""

    id: str
    version: str
    codename: str = ""


class NativeTools(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The pinned tools tree: `path` relative to the manifest's folder, `digest` over its locked content."""

    path: str
    digest: str


class Firmware(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What QEMU starts a machine with; paths are relative to the manifest's folder.

    `kind` says how it is given to QEMU: flash memory (`variables` is then the memory's second half, of which each
    machine has its own copy), in the place of the first program (-bios), or as what that starts (-kernel).
    """

    name: str
    kind: Literal["pflash", "bios", "kernel"]
    code: str
    variables: str = ""


class Emulator(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """How QEMU runs this machine. `package` is Debian's that has the program; the first firmware is the usual one."""

    binary: str
    package: str = "qemu-system"
    machine: str
    cpu: str
    memory_mi_b: int = msgspec.field(name="memoryMiB")
    least_memory_mi_b: int = msgspec.field(name="leastMemoryMiB", default=0)
    smp: int
    console: str
    firmware: Annotated[list[Firmware], msgspec.Meta(min_length=1)]
    devices: list[str] = []
    kvm: bool = False


class DeployLayer(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """One layer as BitBake built it: its files by role, and the SPDX document of the facts that were in hand.

    `copyright` is a tar of `<package>/copyright`, `contents` says who owns which file (`orchestrator.sbom.contents`),
    `packages` is an image's manifest (name, architecture, version a line), which BitBake's own SPDX document is held
    against, `runtimes` of a host what it can run containers by.
    """

    name: LayerName
    kind: Kind
    recipe: str
    version: str
    architecture: str
    files: dict[str, DeployFile]
    command_line: list[str] = []
    config: dict[str, Any] = {}
    runtimes: tuple[Literal["crun", "lxc"], ...] = ("crun",)
    spdx: DeployFile | None = None
    packages: DeployFile | None = None
    copyright: DeployFile | None = None
    contents: DeployFile | None = None


class DeployManifest(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Everything that one BitBake run deployed for one machine."""

    schema_version: Literal[1]
    base: str
    machine: str
    architecture: str
    distribution: Distribution
    source_date_epoch: int
    tools: NativeTools | None = None
    emulator: Emulator | None = None
    layers: list[DeployLayer]


class Deploy:
    """A deploy folder and its manifest.

    Raises BuildError when the manifest is missing or does not follow the contract.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / MANIFEST_NAME
        try:
            data = read_limited(path, _LIMIT)
        except OSError as problem:
            raise BuildError(
                f"no deploy manifest at {path}", str(problem), "build the base first: pycontainer build, or kas build"
            ) from problem
        if len(data) > _LIMIT:
            raise BuildError(f"{path} is too large", f"the limit is {_LIMIT} bytes")
        try:
            self.manifest = msgspec.json.decode(data, type=DeployManifest)
        except msgspec.MsgspecError as problem:
            raise BuildError(
                f"{path} does not follow the deploy contract",
                str(problem),
                "base and orchestrator must be of one release",
            ) from problem

    def intact(self) -> bool:
        """Whether every file that the manifest lists is there in its size; contents are checked when they are used."""
        for layer in self.manifest.layers:
            for file in (*layer.files.values(), layer.spdx, layer.packages, layer.copyright, layer.contents):
                if file is not None:
                    try:
                        if self.resolve(file.path).stat().st_size != file.size:
                            return False
                    except OSError:
                        return False
        return True

    def layer(self, recipe: str) -> DeployLayer | None:
        """Return the layer that was built by `recipe`, or None."""
        return next((layer for layer in self.manifest.layers if layer.recipe == recipe), None)

    def of_kind(self, kind: str) -> list[DeployLayer]:
        """Return the layers of one kind, in the manifest's order."""
        return [layer for layer in self.manifest.layers if layer.kind == kind]

    def efi_name(self) -> str:
        """Return the name under which the firmware looks for the boot loader; raises BuildError when there is none."""
        files = [layer.files["efi"] for layer in self.of_kind("bootloader") if "efi" in layer.files]
        if len(files) != 1:
            raise BuildError(f"the base has {len(files)} boot loaders", "exactly one file of the role efi is needed")
        return PurePosixPath(files[0].path).name

    def resolve(self, relative: str) -> Path:
        """Return a manifest path as a real one; raises VerificationError when it leads out of the deploy folder."""
        candidate = self.folder / relative
        if Path(relative).is_absolute() or ".." in Path(relative).parts:
            raise VerificationError("the deploy manifest names a path outside its folder", relative)
        return candidate

    def verified(self, file: DeployFile) -> Path:
        """Return the path of a deployed file whose content was checked against its digest."""
        path = self.resolve(file.path)
        try:
            found = hash_file(path)
        except OSError as problem:
            raise BuildError(
                f"a deployed file cannot be read: {path}", str(problem), "build again: pycontainer build --force"
            ) from problem
        if found != file.digest:
            raise VerificationError(
                f"{path} is not what BitBake deployed",
                f"its digest is {found}, the deploy manifest says {file.digest}",
                "nothing may change a deploy folder by hand; build again: pycontainer build --force",
            )
        return path
