# SPDX-License-Identifier: MIT
"""How facts are read out of a layer's files: the little that a tree of files must offer, whoever made it.

Paths are relative to the layer's root, without a leading slash; bytes that are no UTF-8 are surrogate escapes, and
`shown` makes them fit for a document.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from orchestrator.errors import BuildError

TEXT_LIMIT = 64 * 1024 * 1024
"""Bytes of the largest database or list that is read whole."""
_CHUNK = 1024 * 1024
_RELEASE = re.compile(r"^(ID|VERSION_ID|ID_LIKE)=[\"']?([A-Za-z0-9._ -]+)[\"']?\s*$", re.MULTILINE)


class ByteSource(Protocol):
    """The content of one file, read at any place."""

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    def at(self, offset: int, length: int) -> bytes:
        """Return the bytes from `offset`, fewer at the end of the file; raises BuildError when it cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A regular file: its path, size in bytes, and whether any execute bit is set. Hard links count once."""

    path: str
    size: int
    executable: bool


class FileTree(Protocol):
    """The files of a layer."""

    def files(self) -> Iterator[FileEntry]:
        """Yield the regular files, sorted by path; a hard link group by its first name."""
        ...

    def canonical(self, path: str) -> str | None:
        """Return the name that `files` gives the regular file at `path`; links above it are followed, itself is none.

        None when there is nothing, or something else.
        """
        ...

    def open(self, path: str) -> ByteSource | None:
        """Return the content of the regular file at `path`, all links followed, or None."""
        ...

    def names(self, folder: str) -> list[str]:
        """Return the names in a folder, links followed, sorted; none when there is no such folder."""
        ...


class NoFiles:
    """A tree without files: of a layer whose files were not given."""

    def files(self) -> Iterator[FileEntry]:
        return iter(())

    def canonical(self, path: str) -> str | None:
        return None

    def open(self, path: str) -> ByteSource | None:
        return None

    def names(self, folder: str) -> list[str]:
        return []


@dataclass(frozen=True, slots=True)
class Bytes:
    """Content in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def at(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]


def read(tree: FileTree, path: str, limit: int = TEXT_LIMIT) -> bytes | None:
    """Return a file's content, or None when there is none; raises BuildError when it is longer than `limit`."""
    source = tree.open(path)
    if source is None:
        return None
    if source.size > limit:
        raise BuildError(f"{shown(path)} of a layer is too large", f"{source.size} bytes, the limit is {limit}")
    return source.at(0, source.size)


def text(tree: FileTree, path: str) -> str | None:
    """Return a file's content as text (what is no UTF-8 is replaced), or None when there is no such file."""
    data = read(tree, path)
    return None if data is None else data.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Hashes:
    """Both hashes of a file in lower-case hexadecimal."""

    sha256: str
    sha512: str


def hashes(source: ByteSource) -> Hashes:
    """Hash a file's content once for both digests."""
    one, two = hashlib.sha256(), hashlib.sha512()
    for offset in range(0, source.size, _CHUNK):
        data = source.at(offset, _CHUNK)
        one.update(data)
        two.update(data)
    return Hashes(one.hexdigest(), two.hexdigest())


def shown(path: str) -> str:
    """Return a path for a document: surrogate escapes and control characters written as escapes."""
    plain = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if plain.isprintable():
        return plain
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in plain)


@dataclass(frozen=True, slots=True)
class Release:
    """The distribution by os-release(5): identifier, version, and the identifiers that it resembles; may be empty."""

    id: str = ""
    version: str = ""
    like: tuple[str, ...] = ()


def release(tree: FileTree) -> Release:
    """Return the distribution that a layer's os-release names."""
    found = text(tree, "etc/os-release") or text(tree, "usr/lib/os-release") or ""
    values = dict(_RELEASE.findall(found))
    return Release(values.get("ID", ""), values.get("VERSION_ID", ""), tuple(values.get("ID_LIKE", "").split()))
