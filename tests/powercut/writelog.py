# SPDX-License-Identifier: MIT
"""What a disk was told, in the order in which it was done: a strict reader of QEMU's blklogwrites logs.

The format is the one of Linux's dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst), all numbers
little-endian: sector 0 has the magic number, the version, the count of entries and the sector size; each entry is one
sector with the first sector written, how many, flags and the length of a mark, and then the bytes written.

QEMU logs a request when it has been done and before the guest is told so. Hence whatever a guest was told of lies
before the log's end at that time. The order of two requests of which the second was begun before the first had ended
is the order of their ends; a write that ended while a flush was under way is taken for flushed, which it may not be.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")
_MOST = 8 * 2**30
"""Bytes of a log that is still read: a scenario writes some hundred MiB."""


class LogError(ValueError):
    """A log that is none, or is damaged."""


@dataclass(frozen=True)
class Entry:
    """One request: `data` from byte `offset` of the disk on, or a flush with none; in the log it ends at `end`."""

    offset: int
    data: bytes
    flush: bool
    fua: bool
    end: int


def parse(log: bytes, disk_size: int) -> list[Entry]:
    """Return the entries of a whole log of a disk of `disk_size` bytes; raises LogError.

    The count in the superblock is as of the last flush, so what follows is read too, as far as it is whole: the machine
    was switched off at some time, and its last entry may be cut off.
    """
    if len(log) < SECTOR or len(log) > _MOST:
        raise LogError(f"a log of {len(log)} bytes")
    magic, version, count, sector_size = _SUPER.unpack_from(log)
    if (magic, version, sector_size) != (MAGIC, 1, SECTOR):
        raise LogError(f"magic {magic:#x}, version {version}, sectors of {sector_size}")
    entries: list[Entry] = []
    at = SECTOR
    while at + SECTOR <= len(log):
        entry = _entry(log, at, disk_size)
        if entry is None:
            break
        entries.append(entry)
        at = entry.end
    if len(entries) < count:
        raise LogError(f"the log counts {count} entries and has {len(entries)}")
    return entries


def _entry(log: bytes, at: int, disk_size: int) -> Entry | None:
    """The entry at `at`, or None when the log was cut off within it."""
    first, sectors, flags, mark = _ENTRY.unpack_from(log, at)
    if flags & ~(FLUSH | FUA) or mark or any(log[at + _ENTRY.size : at + SECTOR]):
        raise LogError(f"no entry at byte {at}: flags {flags:#x}")
    if flags & FLUSH and sectors:
        raise LogError(f"a flush with data at byte {at}")
    if not flags & FLUSH and not sectors:
        if not first and not flags:
            return None  # the log was made longer, and not written any more
        raise LogError(f"an entry without data at byte {at}")
    if (first + sectors) * SECTOR > disk_size:
        raise LogError(f"a write behind the disk's end at byte {at}: sector {first}, {sectors} sectors")
    begin = at + SECTOR
    end = begin + sectors * SECTOR
    if end > len(log):
        return None
    return Entry(first * SECTOR, log[begin:end], bool(flags & FLUSH), bool(flags & FUA), end)


def read(path: Path, disk_size: int) -> list[Entry]:
    """Parse the log at `path`."""
    return parse(path.read_bytes(), disk_size)
