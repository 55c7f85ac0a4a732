# SPDX-License-Identifier: MIT
"""The modules that a Go program is made of, by its build information (Go's package debug/buildinfo).

The block begins with 14 bytes of magic, the pointer size, and flags: bit 1 says that two texts with varint lengths
follow at offset 32 (since Go 1.18), else two pointers to Go strings do, bit 0 giving their byte order.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.sbom.elf import Elf, ElfError, section_data
from orchestrator.sbom.files import ByteSource

SECTION = ".go.buildinfo"
_MAGIC = b"\xff Go buildinf:"
_MAX_SECTION = 1024 * 1024
_MAX_TEXT = 16 * 1024 * 1024
_MAX_MODULES = 20_000
_SENTINEL = 16


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module: path, version (may be `(devel)`), and the `h1:` hash of its content, empty when it has none."""

    path: str
    version: str
    sum: str


@dataclass(frozen=True, slots=True)
class GoBuild:
    """What a program says of its build: Go's version, the main package and module, the modules linked in, settings."""

    go: str
    package: str
    main: Module | None
    modules: tuple[Module, ...]
    settings: dict[str, str]


def read(source: ByteSource, elf: Elf) -> GoBuild | None:
    """Return a program's build information, or None when it has none; raises ElfError for a damaged one."""
    data = section_data(source, elf, SECTION, _MAX_SECTION)
    if data is None:
        return None
    start = data.find(_MAGIC)
    if start < 0 or len(data) < start + 32:
        raise ElfError("the Go build information has no magic")
    data = data[start:]
    if data[15] & 2:
        version, place = _inline(source, elf, data, 32)
        info, _ = _inline(source, elf, data, place)
    else:
        version = _by_pointer(source, elf, data, 16)
        info = _by_pointer(source, elf, data, 16 + data[14])
    text = info[_SENTINEL:-_SENTINEL] if len(info) > 2 * _SENTINEL and info[-_SENTINEL - 1 :][:1] == b"\n" else b""
    return _parse(version.decode("utf-8", "replace"), text.decode("utf-8", "replace"))


def _inline(source: ByteSource, elf: Elf, data: bytes, place: int) -> tuple[bytes, int]:
    length, shift = 0, 0
    while True:
        if place >= len(data) or shift > 28:
            raise ElfError("the Go build information is cut short")
        byte = data[place]
        place += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if place + length > len(data):
        raise ElfError("the Go build information is cut short")
    return data[place : place + length], place + length


def _by_pointer(source: ByteSource, elf: Elf, data: bytes, place: int) -> bytes:
    width = data[14]
    order = "big" if data[15] & 1 else "little"
    if width not in (4, 8) or len(data) < place + width:
        raise ElfError("impossible pointers in the Go build information")

    def at(address: int, length: int) -> bytes:
        offset = elf.offset_of(address)
        found = source.at(offset, length) if offset is not None else b""
        if len(found) != length:
            raise ElfError("a pointer of the Go build information leads nowhere")
        return found

    header = at(int.from_bytes(data[place : place + width], order), 2 * width)  # type: ignore[arg-type]
    length = int.from_bytes(header[width:], order)  # type: ignore[arg-type]
    if length > _MAX_TEXT:
        raise ElfError("the Go build information is too long")
    return at(int.from_bytes(header[:width], order), length) if length else b""  # type: ignore[arg-type]


def _parse(version: str, text: str) -> GoBuild:
    package = ""
    main: Module | None = None
    modules: list[Module] = []
    settings: dict[str, str] = {}
    for line in text.splitlines():
        word, _, rest = line.partition("\t")
        parts = [*rest.split("\t"), "", "", ""]
        module = Module(parts[0], parts[1], parts[2])
        if word == "path":
            package = parts[0]
        elif word == "mod":
            main = module
        elif word == "dep" and len(modules) < _MAX_MODULES:
            modules.append(module)
        elif word == "=>" and modules:
            modules[-1] = module  # replaced: this is what was linked
        elif word == "build":
            key, _, value = parts[0].partition("=")
            settings[key] = value
    return GoBuild(version, package, main, tuple(modules), settings)
