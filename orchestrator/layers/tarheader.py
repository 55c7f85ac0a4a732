# SPDX-License-Identifier: MIT
"""The blocks of a tar file: ustar, GNU and PAX headers to plain values, strictly and within limits.

Formats: POSIX.1-2017 pax, section "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar
Format" and "Storing Sparse Files". Everything malformed raises VerificationError.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from orchestrator.errors import VerificationError

BLOCK = 512
EXTENDED_MAX = 1024 * 1024  # bytes of one PAX header or GNU long name
SPARSE_EXTENTS_MAX = 100_000

_HEADER = struct.Struct("100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12s")
_SIZE_MAX = 2**62


@dataclass(frozen=True, slots=True)
class Header:
    """One header block; `name` and `link` are raw, `rest` is the whole block for the GNU sparse fields."""

    name: bytes
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    type: bytes
    link: bytes
    major: int
    minor: int
    block: bytes


def malformed(why: str) -> VerificationError:
    """The error for bytes that are no well-formed tar."""
    return VerificationError("a tar file is malformed", why, "make it again, or get it again")


def padded(size: int) -> int:
    """Return `size` rounded up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


def number(field: bytes, what: str) -> int:
    """Return a numeric field: octal text, or GNU's base-256 (first bit set; two's complement)."""
    if field[0] & 0x80:
        value = (
            int.from_bytes(field, "big", signed=True)
            if field[0] == 0xFF
            else int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        )
        if not -_SIZE_MAX < value < _SIZE_MAX:
            raise malformed(f"{what} is out of range")
        return value
    text = field.split(b"\0", 1)[0].strip(b" ")
    if not text:
        return 0
    if text.strip(b"01234567"):
        raise malformed(f"{what} is no octal number: {field!r}")
    return int(text, 8)


def parse_header(block: bytes) -> Header | None:
    """Return the header in a 512-byte block, or None for a block of zeros (the end mark)."""
    if not block.strip(b"\0"):
        return None
    (
        name,
        mode,
        uid,
        gid,
        size,
        mtime,
        checksum,
        kind,
        link,
        magic,
        version,
        _user,
        _group,
        major,
        minor,
        prefix,
        _pad,
    ) = _HEADER.unpack(block)
    blanked = block[:148] + b" " * 8 + block[156:]
    total, claimed = sum(blanked), number(checksum, "the checksum")
    if claimed != total and claimed != total - 256 * sum(byte > 127 for byte in blanked):  # old tars sum signed bytes
        raise malformed("the checksum of a header does not match")
    name, link = name.split(b"\0", 1)[0], link.split(b"\0", 1)[0]
    posix = magic == b"ustar\0" and version != b" \0"
    if posix and (front := prefix.split(b"\0", 1)[0]):
        name = front + b"/" + name
    device = kind in (b"3", b"4")
    length = number(size, "a size")
    if length < 0:
        raise malformed("a size is negative")
    return Header(
        name=name,
        mode=number(mode, "a mode") & 0o7777,
        uid=number(uid, "a user"),
        gid=number(gid, "a group"),
        size=length,
        mtime=number(mtime, "a time"),
        type=kind,
        link=link,
        major=number(major, "a device number") if device else 0,
        minor=number(minor, "a device number") if device else 0,
        block=block,
    )


def parse_pax(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the records of a PAX extended header in their order (sparse format 0.0 repeats keys)."""
    records = []
    place = 0
    while place < len(data):
        space = data.find(b" ", place, place + 12)
        digits = data[place:space] if space > place else b""
        if not digits.isdigit():
            raise malformed("a PAX record has no length")
        end = place + int(digits)
        if end > len(data) or end <= space + 1 or data[end - 1 : end] != b"\n":
            raise malformed("a PAX record has the wrong length")
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not equals or not key:
            raise malformed("a PAX record has no keyword")
        records.append((key, value))
        place = end
    return records


def decimal(text: bytes, what: str, limit: int = _SIZE_MAX) -> int:
    """Return a decimal number without sign of a PAX record."""
    if not text.isdigit() or len(text) > 20 or int(text) > limit:
        raise malformed(f"{what} is no number in range: {text[:32]!r}")
    return int(text)


def checked_extents(extents: list[tuple[int, int]], size: int, stored: int) -> tuple[tuple[int, int], ...]:
    """Return the (place, length) pairs of a sparse file, which must ascend within `size` and add up to `stored`."""
    place = total = 0
    for start, length in extents:
        if start < place or start + length > size:
            raise malformed("the map of a sparse file is not in order")
        place, total = start + length, total + length
    if total != stored:
        raise malformed("the map of a sparse file does not fit its data")
    return tuple((start, length) for start, length in extents if length)


def gnu_extents(block: bytes, first: bool) -> tuple[list[tuple[int, int]], bool]:
    """Return the extents in a GNU sparse header (`first`: the main one, else a continuation) and if more follow."""
    start, count = (386, 4) if first else (0, 21)
    found = []
    for index in range(count):
        place = start + 24 * index
        if not block[place : place + 24].strip(b"\0"):
            break
        found.append(
            (
                number(block[place : place + 12], "a sparse offset"),
                number(block[place + 12 : place + 24], "a sparse length"),
            )
        )
    return found, block[start + 24 * count] != 0
