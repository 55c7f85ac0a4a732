# SPDX-License-Identifier: MIT
"""The partition table of a disk in blocks, and files of its FAT32, as firmware and boot loader read them.

UEFI Specification 2.10, chapter 5.3 (GPT); Microsoft's FAT specification 1.03 ("fatgen103"), sections 3 to 6.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.powercut.disk import BLOCK

SECTOR = 512
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_END = 0x0FFFFFF8
_LONG_NAME, _FOLDER = 0x0F, 0x10


class Unreadable(Exception):
    """What a reader would stumble over; the text says where."""


def read_bytes(disk: list[bytes], offset: int, length: int) -> bytes:
    """Bytes of the disk, of which the last ones must be there, too."""
    first, inside = divmod(offset, BLOCK)
    last = (offset + length + BLOCK - 1) // BLOCK
    if offset < 0 or last > len(disk):
        raise Unreadable(f"bytes {offset} to {offset + length} are behind the disk's end")
    return b"".join(disk[first:last])[inside : inside + length]


@dataclass(frozen=True)
class Span:
    """A partition: bytes of the disk."""

    start: int
    size: int


def gpt(disk: list[bytes]) -> list[Span]:
    """The first two partitions: of the primary table, or of the backup when that is damaged."""
    last = len(disk) * BLOCK // SECTOR - 1
    for own in (1, last):
        found = _table(disk, own)
        if found is not None:
            return found
    raise Unreadable("both partition tables are damaged")


def _table(disk: list[bytes], own: int) -> list[Span] | None:
    raw = read_bytes(disk, own * SECTOR, SECTOR)
    magic, _, size, crc, _, at, _, _, _, _, table, count, entry_size, table_crc = _HEADER.unpack_from(raw)
    if magic != b"EFI PART" or size != _HEADER.size or at != own or count > 128 or entry_size != 128:
        return None
    if zlib.crc32(raw[:16] + bytes(4) + raw[20:size]) != crc:
        return None
    entries = read_bytes(disk, table * SECTOR, count * entry_size)
    if zlib.crc32(entries) != table_crc:
        return None
    spans = []
    for number in range(2):
        first, end = struct.unpack_from("<QQ", entries, number * entry_size + 32)
        spans.append(Span(first * SECTOR, (end - first + 1) * SECTOR))
    return spans


class Fat:
    """A FAT32 in a partition, read as the boot loader does it: the first allocation table, names without case."""

    def __init__(self, disk: list[bytes], span: Span) -> None:
        self._disk, self._start = disk, span.start
        boot = read_bytes(disk, span.start, SECTOR)
        (per_sector,) = struct.unpack_from("<H", boot, 11)
        self._cluster = boot[13] * SECTOR
        reserved, copies = struct.unpack_from("<HB", boot, 14)
        (sectors,) = struct.unpack_from("<I", boot, 36)
        (self._root,) = struct.unpack_from("<I", boot, 44)
        if boot[510:512] != b"\x55\xaa" or per_sector != SECTOR or not self._cluster or not sectors:
            raise Unreadable("the EFI system partition has no boot sector")
        self._table = read_bytes(disk, span.start + reserved * SECTOR, sectors * SECTOR)
        self._data = span.start + (reserved + copies * sectors) * SECTOR

    def read(self, path: str) -> bytes:
        """The content of a file."""
        cluster, size, folder = self._root, 0, True
        for name in path.split("/"):
            if not folder:
                raise Unreadable(f"{path}: not a folder on the way")
            cluster, size, folder = self._find(cluster, name.lower(), path)
        if folder:
            raise Unreadable(f"{path}: a folder")
        return self._chain(cluster, size, path)

    def _find(self, folder: int, name: str, path: str) -> tuple[int, int, bool]:
        for found, entry in self._entries(folder, path):
            if name in found:
                high, _, _, low, size = struct.unpack_from("<HHHHI", entry, 20)
                return high << 16 | low, size, bool(entry[11] & _FOLDER)
        raise Unreadable(f"{path}: no {name}")

    def _entries(self, folder: int, path: str) -> Iterator[tuple[tuple[str, str], bytes]]:
        """Yield the long and the short name of what is in a folder, in small letters, with its entry."""
        raw = self._chain(folder, None, path)
        long = ""
        for at in range(0, len(raw), 32):
            entry = raw[at : at + 32]
            if entry[0] == 0:
                return
            if entry[0] == 0xE5:
                long = ""
            elif entry[11] == _LONG_NAME:
                text = (entry[1:11] + entry[14:26] + entry[28:32]).decode("utf-16-le", "replace")
                long = text.split("\0")[0] + ("" if entry[0] & 0x40 else long)
            else:
                base = entry[:8].decode("latin-1").rstrip()
                ending = entry[8:11].decode("latin-1").rstrip()
                yield (long.lower(), f"{base}.{ending}".rstrip(".").lower()), entry
                long = ""

    def _chain(self, cluster: int, size: int | None, path: str) -> bytes:
        """The bytes of a chain of clusters, all or the first `size`."""
        found = bytearray()
        left = len(self._table) // 4
        while (size is None or len(found) < size) and cluster < _END:
            left -= 1
            if cluster < 2 or cluster * 4 + 4 > len(self._table) or left < 0:
                raise Unreadable(f"{path}: a broken chain of clusters")
            found += read_bytes(self._disk, self._data + (cluster - 2) * self._cluster, self._cluster)
            cluster = int.from_bytes(self._table[cluster * 4 : cluster * 4 + 4], "little") & 0x0FFFFFFF
        if size is not None and len(found) < size:
            raise Unreadable(f"{path}: shorter than its size")
        return bytes(found if size is None else found[:size])
