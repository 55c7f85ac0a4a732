# SPDX-License-Identifier: MIT
"""A header as it lies in an rpm database (RPM file format, "Header"; lib/header.c's region-less import form).

Foreign bytes: big-endian counts and offsets, each checked against the blob before it is used.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_MAX_ENTRIES = 65_536
_MAX_DATA = 256 * 1024 * 1024
_MAX_VALUES = 4 * 1024 * 1024
_NUMBERS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "Q"}
_STRING, _BINARY, _STRING_ARRAY, _I18N = 6, 7, 8, 9

NAME, VERSION, RELEASE, EPOCH, SUMMARY, VENDOR, LICENSE, PACKAGER, URL, ARCH = (
    1000, 1001, 1002, 1003, 1004, 1011, 1014, 1015, 1020, 1022,
)  # fmt: skip
FILE_MODES, SOURCE_RPM, PROVIDE_NAME, REQUIRE_NAME, DIR_INDEXES, BASE_NAMES, DIR_NAMES = (
    1030, 1044, 1047, 1049, 1116, 1117, 1118,
)  # fmt: skip


class RpmError(Exception):
    """The bytes are no rpm header, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Header:
    """The entries of a header by tag: numbers, or texts."""

    numbers: dict[int, tuple[int, ...]]
    texts: dict[int, tuple[str, ...]]

    def text(self, tag: int) -> str:
        """Return the first text of a tag, stripped; empty when there is none."""
        return next(iter(self.texts.get(tag, ())), "").strip()

    def number(self, tag: int) -> int | None:
        """Return the first number of a tag, or None."""
        return next(iter(self.numbers.get(tag, ())), None)

    def paths(self) -> tuple[str, ...]:
        """Return the package's files and folders, without a leading slash; raises RpmError when indexes are wrong."""
        folders, names = self.texts.get(DIR_NAMES, ()), self.texts.get(BASE_NAMES, ())
        indexes = self.numbers.get(DIR_INDEXES, ())
        if len(indexes) != len(names) or any(index >= len(folders) for index in indexes):
            raise RpmError("the file names do not fit together")
        return tuple((folders[index] + name).lstrip("/") for index, name in zip(indexes, names, strict=True))


def parse(blob: bytes) -> Header:
    """Return the wanted types of a header's entries; raises RpmError for damaged bytes."""
    if len(blob) < 8:
        raise RpmError("too short")
    count, length = struct.unpack_from(">II", blob, 0)
    start = 8 + 16 * count
    if not 0 < count <= _MAX_ENTRIES or length > _MAX_DATA or start + length > len(blob):
        raise RpmError(f"{count} entries and {length} bytes of data do not fit in {len(blob)} bytes")
    data = blob[start : start + length]
    numbers: dict[int, tuple[int, ...]] = {}
    texts: dict[int, tuple[str, ...]] = {}
    for entry in range(count):
        tag, kind, offset, values = struct.unpack_from(">IIiI", blob, 8 + 16 * entry)
        if tag < 1000:  # regions and signatures
            continue
        if not 0 <= offset <= length or values > _MAX_VALUES:
            raise RpmError(f"the entry of tag {tag} lies outside")
        if kind in _NUMBERS:
            form = f">{values}{_NUMBERS[kind]}"
            if offset + struct.calcsize(form) > length:
                raise RpmError(f"the numbers of tag {tag} are cut short")
            numbers[tag] = struct.unpack_from(form, data, offset)
        elif kind in (_STRING, _STRING_ARRAY, _I18N):
            texts[tag] = _strings(data, offset, 1 if kind == _STRING else values, tag)
        elif kind not in (0, _BINARY):
            raise RpmError(f"tag {tag} is of the unknown type {kind}")
    return Header(numbers, texts)


def _strings(data: bytes, offset: int, count: int, tag: int) -> tuple[str, ...]:
    found = []
    for _ in range(count):
        end = data.find(b"\0", offset)
        if end < 0:
            raise RpmError(f"a text of tag {tag} has no end")
        found.append(data[offset:end].decode("utf-8", "replace"))
        offset = end + 1
    return tuple(found)
