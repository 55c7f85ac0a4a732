# SPDX-License-Identifier: MIT
"""The form of a machine's data file and of an architecture's; unknown keys are refused."""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Package = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9+.-]+$")]
Argument = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.,:=/@%+~!\[\]-]+$")]
"""A kernel argument that the boot loader takes as it is."""
RelativePath = Annotated[str, msgspec.Meta(pattern=r"^(?!.*(^|/)\.\.?(/|$))[^/\s][^\s]*$")]

SourcePath = Annotated[str, msgspec.Meta(pattern=r"^(?!.*(^|/)\.\.?(/|$))[A-Za-z0-9][A-Za-z0-9/_.+*-]*$")]
EspPath = Annotated[
    str, msgspec.Meta(pattern=r"^(?!.*(^|/)\.\.?(/|$))(?!(?i:EFI|pycontainer)/)[A-Za-z0-9][A-Za-z0-9/_.+-]*$")
]
"""Not where the boot loader and the boot record are."""
Guid = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class _Data(msgspec.Struct, frozen=True, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    pass


class Modules(_Data, frozen=True):
    """Kernel modules beside those of all machines: in the BSP, in the initramfs, and loaded at every start."""

    bsp: list[str] = []
    host: list[str] = []
    load: list[str] = []


class Uefi(_Data, frozen=True):
    """How an architecture's firmware finds the boot loader, and what GRUB calls it."""

    name: Annotated[str, msgspec.Meta(pattern=r"^BOOT[A-Z0-9]+\.EFI$")]
    grub_target: str
    grub_package: Package
    grub_modules: list[str] = []


class Qemu(_Data, frozen=True):
    """QEMU's program for an architecture, and Debian's package that has it."""

    program: str
    package: Package


class Architecture(_Data, frozen=True):
    """What all machines of an architecture have in common; `triplet` is GNU's, `loader` the path of ld.so,
    `kernel_image` what Debian calls the kernel's file in boot/, up to its release."""

    triplet: str
    compiler: Package
    loader: RelativePath
    uefi: Uefi
    qemu: Qemu
    kernel_image: str = "vmlinuz"
    modules: Modules = Modules()


class Kernel(_Data, frozen=True):
    """Debian's kernel package, its arguments, and the device tree below the package's folder of them, if any."""

    package: Package
    arguments: list[Argument]
    device_tree: RelativePath | None = None


class EmulatorFirmware(_Data, frozen=True):
    """What QEMU starts with: files of a Debian package, and how they are given to it (see `orchestrator.deploy`)."""

    name: Name
    package: Package
    kind: Literal["pflash", "bios", "kernel"]
    code: RelativePath
    variables: RelativePath | None = None


class MachineEmulator(_Data, frozen=True):
    """QEMU's machine, in QEMU's words; the first firmware is the one that is used unless another is asked for."""

    machine: str
    cpu: str
    memory_mib: Annotated[int, msgspec.Meta(ge=64, le=65536)]
    least_memory_mib: Annotated[int, msgspec.Meta(ge=64, le=65536)]
    smp: Annotated[int, msgspec.Meta(ge=1, le=64)]
    console: str
    devices: list[str]
    kvm: bool
    firmware: Annotated[list[EmulatorFirmware], msgspec.Meta(min_length=1)]


class BoardFile(_Data, frozen=True):
    """A file of the EFI system partition that the board's own firmware reads: out of a package, or written here.

    `source` is a path in the packages; one `*` in a folder's name stands for what changes with each version.
    """

    path: EspPath
    source: SourcePath | None = None
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=65536)] | None = None

    def __post_init__(self) -> None:
        if (self.source is None) == (self.text is None):
            raise ValueError(f"{self.path}: either source or text")


class BoardArea(_Data, frozen=True):
    """What the board's ROM or first loader reads from a place on the disk, before any file system.

    `offset_kib` and `size_kib` say which bytes of the disk are its own; with `type` the partition table names them.
    """

    name: Name
    offset_kib: Annotated[int, msgspec.Meta(ge=17, le=1 << 20)]
    size_kib: Annotated[int, msgspec.Meta(ge=1, le=1 << 18)]
    source: SourcePath
    type: Guid | None = None


class BoardFirmware(_Data, frozen=True):
    """What starts a board up to UEFI, out of Debian's packages: files beside the boot loader, and areas of the disk.

    `components` of the archive are read beside main; what is not free is taken only from who accepts its licence.
    `exclude` are packages that these depend on and that an image has no use for.
    """

    packages: Annotated[list[Package], msgspec.Meta(min_length=1)]
    components: list[Literal["contrib", "non-free", "non-free-firmware"]] = []
    exclude: list[Package] = []
    files: list[BoardFile] = []
    areas: list[BoardArea] = []

    def __post_init__(self) -> None:
        paths = [each.path.lower() for each in self.files]
        if twice := sorted({path for path in paths if paths.count(path) > 1}):
            raise ValueError(f"FAT has one file of the name {twice[0]}, whatever its case")
        ordered = sorted(self.areas, key=lambda each: each.offset_kib)
        for before, after in itertools.pairwise(ordered):
            if before.offset_kib + before.size_kib > after.offset_kib:
                raise ValueError(f"the areas {before.name} and {after.name} overlap")
        if len({each.name for each in self.areas}) != len(self.areas):
            raise ValueError("two areas have one name")


class Machine(_Data, frozen=True):
    """One machine that the Debian base builds for. `emulator` is absent for boards, `firmware` where it has its own.

    `tried` says of a board whether anybody has started one with what is built for it.
    """

    description: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    architecture: Name
    kernel: Kernel
    emulator: MachineEmulator | None = None
    firmware: BoardFirmware | None = None
    tried: bool = False
    modules: Modules = Modules()
