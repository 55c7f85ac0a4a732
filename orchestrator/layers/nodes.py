# SPDX-License-Identifier: MIT
"""The entries of an in-memory file system tree, and where the content of a file comes from.

Nothing here touches the user's disk but to read content: a 500 MB root file system is a few megabytes of entries.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from orchestrator.errors import BuildError

CHUNK = 1024 * 1024
"""Bytes that are read at a time: what packing holds of a file's content."""

NO_XATTRS: Mapping[bytes, bytes] = MappingProxyType({})


class Content(Protocol):
    """The bytes of a regular file."""

    @property
    def size(self) -> int:
        """Length in bytes, holes included."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in order, in pieces of at most CHUNK bytes; raises BuildError when it cannot be read."""
        ...


@dataclass(frozen=True, slots=True)
class BytesContent:
    """Content held in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, len(self.data), CHUNK):
            yield self.data[start : start + CHUNK]


@dataclass(frozen=True, slots=True)
class FileContent:
    """`size` bytes of the file at `path`, from `offset`: a whole file, or a member of an uncompressed tar."""

    path: Path
    size: int
    offset: int = 0

    def chunks(self) -> Iterator[bytes]:
        if self.size:
            yield from _read(self.path, [(0, self.offset, self.size)], self.size)


@dataclass(frozen=True, slots=True)
class SparseContent:
    """A file with holes: `extents` are (place in the file, offset in `path`, length), ascending; the rest is zero."""

    path: Path
    size: int
    extents: tuple[tuple[int, int, int], ...]

    def chunks(self) -> Iterator[bytes]:
        yield from _read(self.path, self.extents, self.size)


def _zeros(length: int) -> Iterator[bytes]:
    block = bytes(min(length, CHUNK))
    while length > 0:
        yield block[:length]
        length -= len(block)


def _read(
    path: Path, extents: list[tuple[int, int, int]] | tuple[tuple[int, int, int], ...], size: int
) -> Iterator[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as problem:
        raise BuildError(f"{path} cannot be read", str(problem), "build again") from problem
    try:
        place = 0
        for start, offset, length in extents:
            yield from _zeros(start - place)
            done = 0
            while done < length:
                data = os.pread(descriptor, min(CHUNK, length - done), offset + done)
                if not data:
                    raise BuildError(f"{path} became shorter while it was read", "", "build again")
                done += len(data)
                yield data
            place = start + length
        yield from _zeros(size - place)
    finally:
        os.close(descriptor)


@dataclass(slots=True, kw_only=True)
class Node:
    """What every entry has: permission bits (07777), numeric owner, whole seconds since 1970, extended attributes."""

    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    xattrs: Mapping[bytes, bytes] = field(default_factory=lambda: NO_XATTRS)


@dataclass(slots=True, kw_only=True)
class Directory(Node):
    """A directory; `children` by name, in no particular order."""

    children: dict[bytes, Node] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class File(Node):
    """A regular file. One File under several names is a hard link group."""

    content: Content


@dataclass(slots=True, kw_only=True)
class Symlink(Node):
    """A symbolic link; `target` byte for byte."""

    target: bytes


@dataclass(slots=True, kw_only=True)
class Device(Node):
    """A block or character device node."""

    block: bool
    major: int
    minor: int


@dataclass(slots=True, kw_only=True)
class Fifo(Node):
    """A named pipe."""
