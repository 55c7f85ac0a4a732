# SPDX-License-Identifier: MIT
"""Small ELF files with chosen sections, as a linker would lay them out (System V ABI, chapter 4)."""

from __future__ import annotations

import struct


def elf(sections: dict[str, bytes], kind: int = 1, machine: int = 62) -> bytes:
    """Return a little-endian 64-bit ELF file whose sections have these names and bytes."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*sections, ".shstrtab"))
    body = b""
    placed = []
    for data in (*sections.values(), names):
        placed.append((64 + len(body), len(data)))
        body += data + bytes(-len(data) % 8)
    headers = bytes(64)
    for name, (offset, size) in zip((*sections, ".shstrtab"), placed, strict=True):
        at = names.index(b"\0" + name.encode() + b"\0") + 1
        headers += struct.pack("<IIQQQQIIQQ", at, 1, 0, 0, offset, size, 0, 0, 1, 0)
    count = len(sections) + 2
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, 0, 64 + len(body), 0, 64, 56, 0, 64, count, count - 1)
    return ident + head + body + headers


def modinfo(**tags: str | list[str]) -> bytes:
    """Return a kernel module with these tags in its section .modinfo."""
    values = [(key, value) for key, found in tags.items() for value in ([found] if isinstance(found, str) else found)]
    return elf({".modinfo": b"".join(f"{key}={value}".encode() + b"\0" for key, value in values)})


def go_program(version: str, info: str) -> bytes:
    """Return a program with Go's build information in the form since Go 1.18."""
    wrapped = b"\x30" * 16 + info.encode() + b"\xf9" * 16

    def counted(data: bytes) -> bytes:
        length, out = len(data), b""
        while length >= 0x80:
            out += bytes([length & 0x7F | 0x80])
            length >>= 7
        return out + bytes([length]) + data

    block = b"\xff Go buildinf:\x08\x02" + bytes(16) + counted(version.encode()) + counted(wrapped)
    return elf({".go.buildinfo": block}, kind=2)
