# SPDX-License-Identifier: MIT
"""The tar of a bundle: plain files in ustar headers (POSIX.1-2017 pax, "ustar Interchange Format"), nothing else.

The device reads the same form with a reader as strict. A container's root file system has all that tar ever had, and
another reader (`orchestrator.layers`).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

from orchestrator.errors import ConfigError, VerificationError

BLOCK = 512
SIZE_LIMIT = 8 * 1024**3 - 1
"""What eleven octal digits can say."""
ENTRIES_LIMIT = 16384
_TRAILING_LIMIT = 1024 * 1024

_HEADER = struct.Struct("100s8s8s8s12s12s8s1s100s6s2s32s32s8s8s155s12s")
_MAGICS = ((b"ustar\0", b"00"), (b"ustar ", b" \0"))
"""POSIX, and GNU tar's own, which is the same where plain files with short names are concerned."""
_NAME = re.compile(rb"(?!/)[A-Za-z0-9._/+-]{1,255}\Z")
_END = bytes(2 * BLOCK)


@dataclass(frozen=True)
class Member:
    """Where a file's bytes lie in the tar."""

    offset: int
    size: int


def header(name: str, size: int) -> bytes:
    """Return the header of a file: no owner, no time, mode 0644; raises ConfigError when it is too large for a tar."""
    if size > SIZE_LIMIT:
        raise ConfigError(
            f"{name} is too large for a tar", f"{size} bytes; a ustar header holds less than 8 GiB", "write a folder"
        )
    encoded = name.encode("ascii")
    if len(encoded) >= 100:
        raise ValueError(f"the name is too long for a header: {name}")
    zero, blank = b"0000000", b" " * 8
    fields = [
        encoded, b"0000644", zero, zero, b"%011o" % size, b"%011o" % 0, blank, b"0", b"", *_MAGICS[0], b"", b"",
        zero, zero, b"", b"",
    ]  # fmt: skip
    fields[6] = b"%06o\0 " % sum(_HEADER.pack(*fields))
    return _HEADER.pack(*fields)


def padding(size: int) -> bytes:
    """Return the zeros that fill a file's last block."""
    return bytes(-size % BLOCK)


def ending() -> bytes:
    """Return the end mark."""
    return _END


def read_members(stream: BinaryIO, total: int) -> dict[str, Member]:
    """Return the files of a tar of `total` bytes by name; folders are left out.

    Raises VerificationError for whatever a bundle does not have: other entries than files and folders, names that
    lead out, names given twice, wrong checksums, sizes beyond 8 GiB, truncation, anything but zeros after the end.
    """
    members: dict[str, Member] = {}
    place = 0
    while True:
        block = stream.read(BLOCK)
        if len(block) != BLOCK:
            raise _refused("it is truncated")
        place += BLOCK
        if not block.strip(b"\0"):
            break
        name, size, folder = _parse(block)
        if folder:
            continue
        if name in members:
            raise _refused(f"{name} is there twice")
        if len(members) >= ENTRIES_LIMIT:
            raise _refused(f"it has more than {ENTRIES_LIMIT} files")
        members[name] = Member(place, size)
        place += size + len(padding(size))
        if place > total:
            raise _refused("it is truncated")
        stream.seek(place)
    rest = stream.read(_TRAILING_LIMIT + 1)
    if len(rest) > _TRAILING_LIMIT or rest.strip(b"\0"):
        raise _refused("there is something after the end mark")
    return members


def _parse(block: bytes) -> tuple[str, int, bool]:
    """Return a header's name and size, and whether it is a folder."""
    fields = _HEADER.unpack(block)
    raw, size, checksum, kind, magic, version, prefix = (fields[place] for place in (0, 4, 6, 7, 9, 10, 15))
    if (magic, version) not in _MAGICS:
        raise _refused("it is not in the form ustar")
    if _octal(checksum, "a checksum") != sum(block[:148]) + 8 * 32 + sum(block[156:]):
        raise _refused("the checksum of a header does not match")
    name = raw.rstrip(b"\0")
    if magic == _MAGICS[0][0] and prefix.strip(b"\0"):
        name = prefix.rstrip(b"\0") + b"/" + name
    folder = kind == b"5"
    plain = name.removeprefix(b"./")
    if folder:
        plain = plain.rstrip(b"/")
    if kind not in (b"0", b"\0", b"5"):
        raise _refused(f"{_show(name)} is neither a file nor a folder")
    if not (folder and plain in (b"", b".")) and (
        not _NAME.match(plain) or any(part in (b"", b".", b"..") for part in plain.split(b"/"))
    ):
        raise _refused(f"the name {_show(name)} is not a plain relative one")
    length = _octal(size, "a size")
    if folder and length:
        raise _refused(f"the folder {_show(name)} has content")
    return plain.decode("ascii"), length, folder


def _octal(field: bytes, what: str) -> int:
    text = field.rstrip(b" \0").lstrip(b" ")
    if field[0] & 0x80:
        raise _refused(f"{what} is larger than a ustar header holds (8 GiB)")
    if not text or text.strip(b"01234567"):
        raise _refused(f"{what} is no octal number")
    return int(text, 8)


def _show(name: bytes) -> str:
    return repr(name.decode("ascii", "backslashreplace")[:100])


def _refused(why: str) -> VerificationError:
    return VerificationError("the bundle is not a tar that is accepted", why, "make it, or copy it, again")
