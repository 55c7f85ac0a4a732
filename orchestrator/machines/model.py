# SPDX-License-Identifier: MIT
"""The form of a machine's data file and of an architecture's; unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Package = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9+.-]+$")]
Argument = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.,:=/@%+~!\[\]-]+$")]
"""A kernel argument that the boot loader takes as it is."""
RelativePath = Annotated[str, msgspec.Meta(pattern=r"^(?!.*(^|/)\.\.?(/|$))[^/\s][^\s]*$")]


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


class Machine(_Data, frozen=True):
    """One machine that the Debian base builds for. `emulator` is absent for boards."""

    description: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    architecture: Name
    kernel: Kernel
    emulator: MachineEmulator | None = None
    modules: Modules = Modules()
