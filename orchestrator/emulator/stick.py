# SPDX-License-Identifier: MIT
"""A USB stick with a bundle on it, plugged into a virtual machine from its start."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from orchestrator.emulator.qemu import MachineOptions, path_value
from orchestrator.run import Tools, run

LABEL = "PYC-STICK"
_MIB = 2**20
_LEAST = 64 * _MIB
"""FAT32 has no fewer clusters than 65,525 (fatgen103), here of 512 bytes."""


def make_stick(bundle: Path, out: Path, tools: Tools) -> Path:
    """Make a FAT32 file system with a bundle (a tar, or a folder of files) as a user copies it; returns its image.

    Raises BuildError when a program fails, OSError on a full disk; nothing is left then.
    """
    files = [bundle] if bundle.is_file() else [each for each in bundle.rglob("*") if each.is_file()]
    used = sum(file.stat().st_size + 2**16 for file in files)
    part = out.with_name(f".{out.name}.tmp")
    clean = {"HOME": str(out.parent), "MTOOLSRC": os.devnull, "MTOOLS_SKIP_CHECK": "1", "MTOOLS_NO_VFAT": "0"}
    try:
        with part.open("wb") as stream:
            # All of its room at once: a full disk is told as one, and not by whatever mkfs.fat says then.
            os.posix_fallocate(stream.fileno(), 0, max(_LEAST, -(-(used + used // 16) // _MIB) * _MIB))
        run(tools.argv("mkfs.fat", "-F", "32", "-n", LABEL, part))
        run(tools.argv("mcopy", "-s", "-i", part, bundle, f"::/{bundle.resolve().name}"), env=clean)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return out


def plugged(options: MachineOptions, stick: Path) -> MachineOptions:
    """Return a machine with a USB controller, and the stick in it, which cannot be written."""
    more = (
        "-device", "qemu-xhci,id=usb",
        "-drive", f"id=stick,if=none,format=raw,readonly=on,file={path_value(stick)}",
        "-device", "usb-storage,bus=usb.0,drive=stick",
    )  # fmt: skip
    return dataclasses.replace(options, extra=(*options.extra, *more))
