# SPDX-License-Identifier: MIT
"""What a disk is and whether anything uses it, from sysfs and procfs: asked before a single byte is written to it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ConfigError

_SYSFS_SECTOR = 512
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Target:
    """A disk to write to, or a regular file standing in for one; `size` in bytes, `bus` usb, mmc or empty."""

    path: Path
    size: int
    model: str = ""
    serial: str = ""
    removable: bool = False
    bus: str = ""
    block: bool = True

    @property
    def name(self) -> str:
        """The short name that the user types to confirm."""
        return self.path.name

    def describe(self) -> str:
        """One line that lets a user recognise the disk."""
        kind = f"{self.bus or 'internal'} disk" if self.block else "file"
        words = [
            str(self.path),
            f"{self.size / 1e9:.1f} GB {kind}",
            self.model,
            self.serial and f"serial {self.serial}",
        ]
        return ", ".join(word for word in words if word)


def inspect(device: Path, *, force_fixed: bool = False, allow_file: bool = False, root: Path = Path("/")) -> Target:
    """Return the disk behind `device` once it is known that writing to it harms nobody.

    It must be a whole disk, removable or on USB or MMC (or `force_fixed`), of 512-byte sectors, writable, and neither
    it nor a part of it mounted, used as swap, or held by another device (RAID, LVM, encryption). A regular file is
    taken with `allow_file`. `root` is where sys and proc are mounted. Raises ConfigError naming the first fault.
    """
    path = device.resolve()
    try:
        status = path.stat()
    except OSError as problem:
        raise ConfigError(f"there is no device {device}", problem.strerror or "", "lsblk lists the disks") from problem
    if stat.S_ISREG(status.st_mode) and allow_file:
        return Target(path, status.st_size, block=False)
    if not stat.S_ISBLK(status.st_mode):
        raise ConfigError(f"{device} is not a disk", "only block devices can be flashed", "lsblk lists the disks")
    folder = root / "sys/dev/block" / f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    folder = folder.resolve()
    if (folder / "partition").exists():
        raise ConfigError(
            f"{device} is a partition", "an image is a whole disk", f"name the disk: /dev/{folder.parent.name}"
        )
    target = Target(
        path=path,
        size=int(_read(folder / "size") or 0) * _SYSFS_SECTOR,
        model=" ".join(filter(None, (_read(folder / "device/vendor"), _read(folder / "device/model"))))
        or _read(folder / "device/name"),
        serial=_read(folder / "device/serial"),
        removable=_read(folder / "removable") == "1",
        bus="usb" if "/usb" in str(folder) else "mmc" if "/mmc" in str(folder) else "",
    )
    if _read(folder / "ro") == "1":
        raise ConfigError(f"{device} is write-protected", "", "look for a switch on the card or its adapter")
    if _read(folder / "queue/logical_block_size") not in ("", "512"):
        raise ConfigError(
            f"{device} has sectors of {_read(folder / 'queue/logical_block_size')} bytes", "images have 512"
        )
    for number, name in _parts(folder):
        _refuse_if_used(number, name, folder, root)
    if not (target.removable or target.bus or force_fixed):
        raise ConfigError(
            f"{device} is a fixed disk: {target.describe()}",
            "only removable, USB and MMC disks are written to without being asked twice",
            "if it is the right one, add --force-fixed",
        )
    return target


def _parts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield major:minor and name of a disk and its partitions."""
    yield _read(folder / "dev"), folder.name
    for part in sorted(folder.iterdir()):
        if (part / "partition").exists():
            yield _read(part / "dev"), part.name


def _refuse_if_used(number: str, name: str, folder: Path, root: Path) -> None:
    own = folder if name == folder.name else folder / name
    holders = sorted(each.name for each in (own / "holders").iterdir()) if (own / "holders").is_dir() else []
    if holders:
        raise ConfigError(f"/dev/{name} is in use", f"it is part of {', '.join(holders)}", "take it out of there first")
    for line in _lines(root / "proc/self/mountinfo"):
        fields = line.split(" ")
        source = fields[fields.index("-") + 2] if "-" in fields[:-2] else ""
        if fields[2:3] == [number] or _unescape(source) == f"/dev/{name}":
            mounted = _unescape(fields[4])
            raise ConfigError(
                f"/dev/{name} is mounted at {mounted}",
                "what is written would be lost or mixed with what is there",
                "is it the right disk? this system runs from it: lsblk lists the disks"
                if mounted == "/"
                else f"unmount it first: umount {mounted}",
            )
    for line in _lines(root / "proc/swaps")[1:]:
        if Path(_unescape(line.split()[0])).name == name:
            raise ConfigError(f"/dev/{name} is used as swap", "", f"stop that first: swapoff /dev/{name}")


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(errors="replace").splitlines() if line]


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def _read(path: Path) -> str:
    """The text of a sysfs attribute, or nothing when the kernel does not have it."""
    try:
        return " ".join(path.read_text(errors="replace").split())
    except OSError:
        return ""
