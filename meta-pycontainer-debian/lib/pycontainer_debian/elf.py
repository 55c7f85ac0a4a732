# SPDX-License-Identifier: MIT
"""Which shared libraries a program needs: a strict reader of ELF dynamic sections (System V ABI, gABI chapter 5)."""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import DebianError
from .tree import Tree

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_STRSZ = 0, 1, 5, 10
_SHT_DYNSYM, _STB_WEAK = 11, 2
_HEADERS_LIMIT = 256
_NAMES_LIMIT = 1024


@dataclass(frozen=True)
class Needs:
    """The interpreter (empty for a library) and the sonames that a file needs."""

    interpreter: str
    libraries: tuple[str, ...]


def needs(data: bytes) -> Needs:
    """Return what a little-endian 64-bit ELF file needs; raises ValueError when it is not one, or is damaged."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a little-endian 64-bit ELF file")
    try:
        (offset,) = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        if size != 56 or count > _HEADERS_LIMIT:
            raise ValueError("unexpected program headers")
        headers = [struct.unpack_from("<IIQQQQQQ", data, offset + size * i) for i in range(count)]
        interpreter = ""
        names: tuple[str, ...] = ()
        for kind, _, place, _, _, length, _, _ in headers:
            if kind == _PT_INTERP:
                interpreter = _text(data, place, length)
            elif kind == _PT_DYNAMIC:
                names = _needed(data, place, length, headers)
    except (struct.error, UnicodeDecodeError) as problem:
        raise ValueError(f"damaged ELF file: {problem}") from problem
    return Needs(interpreter, names)


def _text(data: bytes, offset: int, limit: int) -> str:
    end = data.find(b"\0", offset, offset + limit)
    if end < 0:
        raise ValueError("a name has no end")
    return data[offset:end].decode("ascii")


def _needed(data: bytes, place: int, length: int, headers: list[tuple[int, ...]]) -> tuple[str, ...]:
    pairs: list[tuple[int, int]] = []
    for position in range(place, place + length, 16):
        tag, value = struct.unpack_from("<QQ", data, position)
        if tag == _DT_NULL:
            break
        pairs.append((tag, value))
    table = dict(pairs)
    if _DT_STRTAB not in table:
        return ()
    strings = next(
        (
            o + table[_DT_STRTAB] - v
            for kind, _, o, v, _, n, _, _ in headers
            if kind == _PT_LOAD and v <= table[_DT_STRTAB] < v + n
        ),
        None,
    )
    if strings is None:
        raise ValueError("the string table lies in no segment")
    found = [value for tag, value in pairs if tag == _DT_NEEDED]
    if len(found) > _NAMES_LIMIT:
        raise ValueError("too many libraries")
    return tuple(_text(data, strings + value, table.get(_DT_STRSZ, 0)) for value in found)


def symbols(data: bytes) -> tuple[set[str], set[str]]:
    """Return the dynamic symbols that a file defines, and those that it needs; raises ValueError when damaged.

    Weak undefined symbols are not needed: the loader leaves them at zero.
    """
    try:
        (offset,) = struct.unpack_from("<Q", data, 40)
        size, count = struct.unpack_from("<HH", data, 58)
        headers = [struct.unpack_from("<IIQQQQIIQQ", data, offset + size * i) for i in range(count)]
        defined: set[str] = set()
        wanted: set[str] = set()
        for _, kind, _, _, place, length, link, _, _, _ in headers:
            if kind != _SHT_DYNSYM:
                continue
            strings, limit = headers[link][4], headers[link][5]
            for position in range(place, place + length, 24):
                name, info, _, section, _, _ = struct.unpack_from("<IBBHQQ", data, position)
                text = _text(data, strings + name, limit)
                if section:
                    defined.add(text)
                elif text and info >> 4 != _STB_WEAK:
                    wanted.add(text)
    except (struct.error, UnicodeDecodeError, IndexError) as problem:
        raise ValueError(f"damaged ELF file: {problem}") from problem
    return defined, wanted


def check_symbols(tree: Tree, paths: Iterable[str]) -> None:
    """Raise DebianError when a program or library of these needs a symbol that none of them defines."""
    defined: set[str] = set()
    wanted: dict[str, str] = {}
    for path in sorted(paths):
        if not tree.entries[path].is_link:
            own, needed = symbols(tree.entries[path].content.read())
            defined |= own
            wanted.update(dict.fromkeys(needed, path))
    for name in sorted(wanted.keys() - defined):
        raise DebianError(
            f"{wanted[name]} needs the function {name}, which no library of the layer has",
            "a stand-in library is older than the program above it",
            "add the function to the stand-in, or use the real library",
        )


def closure(tree: Tree, programs: Iterable[str], folders: Iterable[str]) -> set[str]:
    """Return the paths (links on the way included) that programs of a tree need to run: loader and libraries.

    `folders` are searched in order, as ld.so would. Raises DebianError naming a library that the tree lacks.
    """
    chosen: set[str] = set()
    queue = list(programs)
    where = list(folders)
    while queue:
        path = queue.pop()
        chain = _chain(tree, path)
        if chain is None:
            raise DebianError(f"the packages have no {path}", "a program or library that the layer needs")
        real = chain[-1]
        chosen.update(chain)
        try:
            found = needs(tree.entries[real].content.read())
        except ValueError as problem:
            raise DebianError(f"{path} is not a program that can run here", str(problem)) from problem
        wanted = [found.interpreter.lstrip("/")] if found.interpreter else []
        for name in found.libraries:
            place = next((f"{folder}/{name}" for folder in where if tree.lookup(f"{folder}/{name}") is not None), None)
            if place is None:
                raise DebianError(f"{path} needs the library {name}", "no package of the recipe brings it")
            wanted.append(place)
        queue += [place for place in wanted if tree.canonical(place) not in chosen]
    return chosen


def _chain(tree: Tree, path: str) -> list[str] | None:
    chain: list[str] = []
    while len(chain) < 16:
        where = tree.canonical(path)
        entry = tree.entries.get(where)
        if entry is None:
            return None
        chain.append(where)
        if not entry.is_link:
            return chain
        path = entry.target if entry.target.startswith("/") else f"{posixpath.dirname(where)}/{entry.target}"
    return None
