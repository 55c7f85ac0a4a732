# SPDX-License-Identifier: MIT
"""The headers of an ELF file (System V ABI, chapter 4 and 5; elf(5)): what a program needs, and its named sections.

Foreign bytes: every offset and count is checked against the file and against limits, nothing is executed or mapped.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from orchestrator.sbom.files import ByteSource

MAGIC = b"\x7fELF"
_MAX_HEADERS = 65_536
_MAX_STRINGS = 64 * 1024 * 1024
_MAX_DYNAMIC = 1024 * 1024
_MAX_NEEDED = 1024
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_STRSZ = 0, 1, 5, 14, 10
_SHT_NOBITS = 8
_ET_REL, _ET_EXEC, _ET_DYN = 1, 2, 3
_NT_GNU_BUILD_ID = 3
_TYPES = {1: "relocatable", 2: "executable", 3: "shared", 4: "core"}
_MACHINES = {
    3: "i386",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    62: "x86-64",
    183: "aarch64",
    243: "riscv",
}


class ElfError(Exception):
    """The bytes are no ELF file, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Section:
    """A named section: its address in memory, offset in the file and size; `size` is 0 when it has no bytes there."""

    name: str
    address: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the file that is loaded: address, offset in the file, bytes in the file."""

    address: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Elf:
    """What the headers say. `interpreter` is empty for a program that needs none; `build_id` is hexadecimal."""

    kind: str
    machine: str
    little: bool
    wide: bool
    interpreter: str
    needed: tuple[str, ...]
    soname: str
    build_id: str
    dynamic: bool
    sections: dict[str, Section]
    segments: tuple[Segment, ...]

    @property
    def static(self) -> bool:
        """Whether it is a program that the loader is not needed for."""
        return self.kind in ("executable", "shared") and not self.interpreter and not self.needed and not self.soname

    def offset_of(self, address: int) -> int | None:
        """Return where in the file the byte at a memory address is, or None."""
        for segment in self.segments:
            if segment.address <= address < segment.address + segment.size:
                return segment.offset + address - segment.address
        return None


def parse(source: ByteSource) -> Elf:
    """Return the headers of an ELF file; raises ElfError for anything that is not one, whole and within limits."""
    try:
        return _parse(source)
    except (struct.error, UnicodeDecodeError, IndexError, ValueError) as problem:
        raise ElfError(str(problem)) from problem


def section_data(source: ByteSource, elf: Elf, name: str, limit: int) -> bytes | None:
    """Return a section's bytes, or None when there is no such section; raises ElfError when it exceeds `limit`."""
    section = elf.sections.get(name)
    if section is None:
        return None
    if section.size > limit:
        raise ElfError(f"section {name} has {section.size} bytes, the limit is {limit}")
    data = source.at(section.offset, section.size)
    if len(data) != section.size:
        raise ElfError(f"section {name} is cut short")
    return data


def _parse(source: ByteSource) -> Elf:
    ident = source.at(0, 64)
    if ident[:4] != MAGIC or ident[4] not in (1, 2) or ident[5] not in (1, 2) or len(ident) < 52:
        raise ElfError("no ELF identification")
    wide, little = ident[4] == 2, ident[5] == 1
    order = "<" if little else ">"
    header = order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH")
    kind, machine, _, _, phoff, shoff, _, _, phsize, phnum, shsize, shnum, shstr = struct.unpack_from(header, ident, 16)
    programs = _programs(source, order, wide, phoff, phsize, phnum)
    sections = _sections(source, order, wide, shoff, shsize, shnum, shstr)
    segments = tuple(Segment(address, offset, size) for what, offset, address, size in programs if what == _PT_LOAD)
    interpreter = ""
    dynamic = False
    needed: tuple[str, ...] = ()
    soname = ""
    for what, offset, _address, size in programs:
        if what == _PT_INTERP:
            interpreter = _string(source.at(offset, min(size, 4096)), 0)
        elif what == _PT_DYNAMIC and size:
            dynamic = True
            needed, soname = _dynamic(source, order, wide, offset, size, segments)
    return Elf(
        kind=_TYPES.get(kind, f"type {kind}"),
        machine=_MACHINES.get(machine, f"machine {machine}"),
        little=little,
        wide=wide,
        interpreter=interpreter,
        needed=needed,
        soname=soname,
        build_id=_build_id(source, order, sections),
        dynamic=dynamic,
        sections=sections,
        segments=segments,
    )


def _programs(
    source: ByteSource, order: str, wide: bool, offset: int, size: int, count: int
) -> list[tuple[int, int, int, int]]:
    if not count:
        return []
    form = order + ("IIQQQQ" if wide else "IIIII")
    if size < struct.calcsize(form) or count > _MAX_HEADERS:
        raise ElfError("impossible program headers")
    table = _table(source, offset, size, count)
    found = []
    for number in range(count):
        if wide:
            what, _flags, place, address, _physical, length = struct.unpack_from(form, table, number * size)
        else:
            what, place, address, _physical, length = struct.unpack_from(form, table, number * size)
        found.append((what, place, address, length))
    return found


def _sections(
    source: ByteSource, order: str, wide: bool, offset: int, size: int, count: int, names: int
) -> dict[str, Section]:
    if not offset or not count:
        return {}
    form = order + ("IIQQQQ" if wide else "IIIIII")
    if size < struct.calcsize(form):
        raise ElfError("impossible section headers")
    table = _table(source, offset, size, count)
    raw = [struct.unpack_from(form, table, number * size) for number in range(count)]
    if names >= count:
        return {}
    _, _, _, _, place, length = raw[names]
    if length > _MAX_STRINGS:
        raise ElfError("the section names are too long")
    strings = source.at(place, length)
    sections: dict[str, Section] = {}
    for name, what, _flags, address, start, length in raw:
        title = _string(strings, name)
        if title and title not in sections:
            sections[title] = Section(title, address, start, 0 if what == _SHT_NOBITS else length)
    return sections


def _table(source: ByteSource, offset: int, size: int, count: int) -> bytes:
    table = source.at(offset, size * count)
    if len(table) != size * count:
        raise ElfError("the headers are cut short")
    return table


def _dynamic(
    source: ByteSource, order: str, wide: bool, offset: int, size: int, segments: tuple[Segment, ...]
) -> tuple[tuple[str, ...], str]:
    form = order + ("qQ" if wide else "iI")
    step = struct.calcsize(form)
    data = source.at(offset, min(size, _MAX_DYNAMIC))
    entries: list[tuple[int, int]] = []
    for place in range(0, len(data) - step + 1, step):
        tag, value = struct.unpack_from(form, data, place)
        if tag == _DT_NULL:
            break
        entries.append((tag, value))
    values = dict(entries)
    address, length = values.get(_DT_STRTAB), values.get(_DT_STRSZ, 0)
    if address is None or not length or length > _MAX_STRINGS:
        return (), ""
    start = next((s.offset + address - s.address for s in segments if s.address <= address < s.address + s.size), None)
    if start is None:
        return (), ""
    strings = source.at(start, length)
    needed = [_string(strings, value) for tag, value in entries if tag == _DT_NEEDED][:_MAX_NEEDED]
    soname = _string(strings, values[_DT_SONAME]) if _DT_SONAME in values else ""
    return tuple(name for name in needed if name), soname


def _build_id(source: ByteSource, order: str, sections: dict[str, Section]) -> str:
    section = sections.get(".note.gnu.build-id")
    if section is None or not 16 <= section.size <= 4096:
        return ""
    note = source.at(section.offset, section.size)
    if len(note) < 16:
        return ""
    name, length, kind = struct.unpack_from(order + "III", note, 0)
    if kind != _NT_GNU_BUILD_ID or name != 4 or length > 64:
        return ""
    return note[16 : 16 + length].hex()


def _string(data: bytes, offset: int) -> str:
    if offset >= len(data):
        return ""
    end = data.find(b"\0", offset)
    return data[offset : end if end >= 0 else len(data)].decode("utf-8", "replace")
