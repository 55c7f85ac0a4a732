# SPDX-License-Identifier: MIT
"""GUID partition tables: protective MBR, primary and backup, as the UEFI Specification 2.10 chapter 5.3 defines them.

Written here and not by sfdisk, because the bytes are few, fixed by the specification, and then need no program.
"""

from __future__ import annotations

import hashlib
import os
import struct
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

SECTOR = 512
ALIGNMENT = 1024 * 1024
"""Partitions start at multiples of 1 MiB: every flash and disk has its erase or stripe unit within that."""

ESP_TYPE = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX_TYPE = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")

_ENTRIES = 128
_ENTRY_SIZE = 128
_TABLE_SECTORS = _ENTRIES * _ENTRY_SIZE // SECTOR
TABLE_BYTES = (2 + _TABLE_SECTORS) * SECTOR
"""What the table takes at the disk's start: protective MBR, header, entries."""
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")


@dataclass(frozen=True)
class Partition:
    """One partition; `start` and `size` are bytes and multiples of the sector size, `name` at most 36 characters."""

    name: str
    type: uuid.UUID
    guid: uuid.UUID
    start: int
    size: int


def stable_uuid(*names: str) -> uuid.UUID:
    """Return the same UUID for the same names everywhere: SHA-256 in the form of RFC 9562 version 8 (custom)."""
    digest = bytearray(hashlib.sha256("\0".join(("pycontainer", *names)).encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(digest))


def _entry(partition: Partition) -> bytes:
    name = partition.name.encode("utf-16-le")
    if len(name) > 72:
        raise ValueError(f"partition name too long: {partition.name}")
    last = (partition.start + partition.size) // SECTOR - 1
    return struct.pack(
        "<16s16sQQQ72s", partition.type.bytes_le, partition.guid.bytes_le, partition.start // SECTOR, last, 0, name
    )


def _header(disk: uuid.UUID, own: int, other: int, table: int, sectors: int, entries: bytes) -> bytes:
    def packed(crc: int) -> bytes:
        return _HEADER.pack(
            b"EFI PART", 0x00010000, _HEADER.size, crc, 0, own, other, 2 + _TABLE_SECTORS,
            sectors - _TABLE_SECTORS - 2, disk.bytes_le, table, _ENTRIES, _ENTRY_SIZE, zlib.crc32(entries),
        )  # fmt: skip

    return packed(zlib.crc32(packed(0))).ljust(SECTOR, b"\0")


def _protective_mbr(sectors: int) -> bytes:
    record = struct.pack("<B3sB3sII", 0, b"\x00\x02\x00", 0xEE, b"\xff\xff\xff", 1, min(sectors - 1, 0xFFFFFFFF))
    return bytes(446) + record + bytes(48) + b"\x55\xaa"


def table(disk: uuid.UUID, size: int, partitions: Sequence[Partition]) -> tuple[bytes, bytes]:
    """Return the bytes at the disk's start (MBR, header, entries) and those at its end (entries, header).

    `size` is the disk's size in bytes. Raises ValueError when a partition is misaligned, overlaps or lies outside.
    """
    sectors, rest = divmod(size, SECTOR)
    if rest or sectors < 2 * _TABLE_SECTORS + 4:
        raise ValueError(f"not a disk size: {size}")
    free_from = TABLE_BYTES
    for partition in sorted(partitions, key=lambda each: each.start):
        if partition.start % SECTOR or partition.size % SECTOR or partition.size <= 0:
            raise ValueError(f"partition {partition.name} is not made of whole sectors")
        if partition.start < free_from:
            raise ValueError(f"partition {partition.name} overlaps what is before it")
        free_from = partition.start + partition.size
    if free_from > (sectors - _TABLE_SECTORS - 1) * SECTOR:
        raise ValueError("the partitions do not fit on the disk")
    entries = b"".join(map(_entry, partitions)).ljust(_ENTRIES * _ENTRY_SIZE, b"\0")
    last = sectors - 1
    primary = _header(disk, 1, last, 2, sectors, entries)
    backup = _header(disk, last, 1, last - _TABLE_SECTORS, sectors, entries)
    return _protective_mbr(sectors) + primary + entries, entries + backup


def write(descriptor: int, disk: uuid.UUID, size: int, partitions: Sequence[Partition]) -> None:
    """Write both tables to an open disk or image of `size` bytes."""
    start, end = table(disk, size, partitions)
    for data, offset in ((start, 0), (end, size - len(end))):
        if os.pwrite(descriptor, data, offset) != len(data):
            raise OSError("short write of the partition table")
