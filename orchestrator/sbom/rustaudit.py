# SPDX-License-Identifier: MIT
"""The crates that a Rust program is made of, where it was built by `cargo auditable` (section .dep-v0: zlib, JSON)."""

from __future__ import annotations

import zlib
from typing import Annotated

import msgspec

from orchestrator.sbom.elf import Elf, ElfError, section_data
from orchestrator.sbom.files import ByteSource

SECTION = ".dep-v0"
_MAX_PACKED = 16 * 1024 * 1024
_MAX_PLAIN = 64 * 1024 * 1024

_Text = Annotated[str, msgspec.Meta(max_length=1024)]


class Crate(msgspec.Struct, frozen=True):
    """A crate: `dependencies` are positions in the list, `kind` is `runtime` or `build`, `root` the program itself."""

    name: _Text
    version: _Text
    source: _Text = ""
    kind: _Text = "runtime"
    dependencies: Annotated[list[Annotated[int, msgspec.Meta(ge=0)]], msgspec.Meta(max_length=10_000)] = []
    root: bool = False


class _Document(msgspec.Struct, frozen=True):
    packages: Annotated[list[Crate], msgspec.Meta(max_length=50_000)]


def read(source: ByteSource, elf: Elf) -> list[Crate] | None:
    """Return the crates of a program, or None when it does not say; raises ElfError for a damaged section."""
    data = section_data(source, elf, SECTION, _MAX_PACKED)
    if data is None:
        return None
    try:
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(data, _MAX_PLAIN)
        if not unpacker.eof:
            raise ElfError("the list of crates is cut short, or too long")
        crates = msgspec.json.decode(plain, type=_Document).packages
    except (zlib.error, msgspec.MsgspecError) as problem:
        raise ElfError(f"the list of crates cannot be read: {problem}") from problem
    if any(position >= len(crates) for crate in crates for position in crate.dependencies):
        raise ElfError("a crate depends on one that is not listed")
    return crates
