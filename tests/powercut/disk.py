# SPDX-License-Identifier: MIT
"""A disk as a list of blocks in memory, where equal blocks are one object: comparing files costs next to nothing.

A block is 4096 bytes of the disk. A write that is not made of whole blocks is mixed into what is there.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

BLOCK = 4096
ZERO = bytes(BLOCK)
_PIECE = 1024 * BLOCK


class Blocks:
    """Blocks by content: the same bytes are always the same object."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {ZERO: ZERO}

    def one(self, data: bytes) -> bytes:
        """The one object with this content."""
        return self._known.setdefault(data, data)

    def split(self, data: bytes) -> list[bytes]:
        """The blocks of a file, the last one filled with zeros."""
        if len(data) % BLOCK:
            data += bytes(-len(data) % BLOCK)
        view = memoryview(data)
        pieces = (bytes(view[at : at + BLOCK]) for at in range(0, len(data), BLOCK))
        return [ZERO if piece == ZERO else self.one(piece) for piece in pieces]

    def load(self, image: Path) -> list[bytes]:
        """All blocks of an image whose size is a multiple of theirs."""
        size = image.stat().st_size
        if size % BLOCK:
            raise ValueError(f"{image} is not made of blocks of {BLOCK} bytes")
        found = [ZERO] * (size // BLOCK)
        with image.open("rb") as stream:
            for begin, end in _data(stream.fileno(), size):
                first = begin // BLOCK
                stream.seek(first * BLOCK)
                blocks = self.split(stream.read(-(-end // BLOCK) * BLOCK - first * BLOCK))
                found[first : first + len(blocks)] = blocks
        return found


def _data(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield where a sparse file has data, as (begin, end), in pieces of some MiB."""
    at = 0
    while at < size:
        try:
            at = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as problem:
            if problem.errno != errno.ENXIO:
                raise
            return
        end = min(os.lseek(descriptor, at, os.SEEK_HOLE), at + _PIECE)
        yield at, end
        at = end


def content_digest(disk: Sequence[bytes]) -> str:
    """A name for the content of a disk, in hex: SHA-256 of all blocks that are not zero, each behind its number."""
    found = hashlib.sha256()
    for number, block in enumerate(disk):
        if block is not ZERO:
            found.update(number.to_bytes(8, "little"))
            found.update(block)
    return found.hexdigest()


Patch = tuple[int, int, bytes]
"""A block's number, a byte in it, and the bytes from there on."""


def patches(offset: int, data: bytes) -> Iterator[Patch]:
    """Yield a write block by block."""
    at = 0
    while at < len(data):
        block, inside = divmod(offset + at, BLOCK)
        length = min(BLOCK - inside, len(data) - at)
        yield block, inside, data[at : at + length]
        at += length


def apply(disk: list[bytes], blocks: Blocks, all_patches: Iterable[Patch]) -> dict[int, bytes]:
    """Change the disk in place; returns what each changed block was before, for `restore`."""
    before: dict[int, bytes] = {}
    for number, inside, data in all_patches:
        old = disk[number]
        before.setdefault(number, old)
        new = data if len(data) == BLOCK else old[:inside] + data + old[inside + len(data) :]
        disk[number] = blocks.one(new)
    return before


def restore(disk: list[bytes], before: Mapping[int, bytes]) -> None:
    """Undo `apply`."""
    for number, old in before.items():
        disk[number] = old
