# SPDX-License-Identifier: MIT
"""Names of processor architectures: OpenEmbedded's, the OCI image specification's (GOARCH), and GRUB's targets."""

from __future__ import annotations

import re

from .errors import LayerError

_OCI = {
    "x86_64": "amd64",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "aarch64": "arm64",
    "arm": "arm",
    "riscv64": "riscv64",
    "loongarch64": "loong64",
    "powerpc64le": "ppc64le",
}
# UEFI specification, section 3.5.1.1: the name under which firmware looks for a loader on removable media.
_GRUB = {
    "amd64": ("x86_64-efi", "BOOTX64.EFI"),
    "386": ("i386-efi", "BOOTIA32.EFI"),
    "arm64": ("arm64-efi", "BOOTAA64.EFI"),
    "arm": ("arm-efi", "BOOTARM.EFI"),
    "riscv64": ("riscv64-efi", "BOOTRISCV64.EFI"),
    "loong64": ("loongarch64-efi", "BOOTLOONGARCH64.EFI"),
}


def oci_architecture(target_arch: str) -> str:
    """Return the OCI name of a TARGET_ARCH; raises LayerError for one that images have no name for."""
    try:
        return _OCI[target_arch]
    except KeyError:
        known = ", ".join(sorted(_OCI))
        raise LayerError(f"TARGET_ARCH {target_arch!r} has no OCI architecture", f"known: {known}") from None


def grub_target(target_arch: str) -> tuple[str, str]:
    """Return GRUB's target and the file name of the EFI program for a TARGET_ARCH; raises LayerError without EFI."""
    name = oci_architecture(target_arch)
    if name not in _GRUB:
        raise LayerError(f"GRUB has no EFI target for {name}", "", "a machine boots by UEFI, or by U-Boot's UEFI")
    return _GRUB[name]


def command_line(text: str) -> list[str]:
    """Return kernel arguments as words; raises LayerError for what the boot loader would split or expand."""
    words = text.split()
    for word in words:
        if not re.fullmatch(r"[A-Za-z0-9_.,:=/@%+~!\[\]-]+", word):
            raise LayerError(f"the kernel argument {word!r} has a character that the boot loader would take apart")
    return words
