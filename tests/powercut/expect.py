# SPDX-License-Identifier: MIT
"""What must hold of a disk after a cut, by what the device had promised before it."""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.powercut.disk import BLOCK, Blocks
from tests.powercut.recording import Blob, Mark, RevisionFacts, record_line
from tests.powercut.writelog import Entry

_TREE_ALIGN = 65536
"""ext4 puts the Merkle tree of a sealed file at the next multiple of this (filesystems/ext4/verity.rst)."""


@dataclass(frozen=True)
class Promise:
    """What holds from some entry of the log on: revisions by their names, files by the records that must be there."""

    choose: frozenset[str]
    whole: frozenset[str]
    prefix: tuple[tuple[str, int], ...]
    settled: bool


def promises(marks: Sequence[Mark], entries: Sequence[Entry]) -> list[tuple[int, Promise]]:
    """The promises in their order, each with the entry from which on it holds."""
    ends = [entry.end for entry in entries]
    current = Promise(frozenset(), frozenset(), (), False)
    found: list[tuple[int, Promise]] = []
    for mark in marks:
        current = _after(current, mark)
        found.append((bisect_right(ends, mark.end), current))
    return found


def _after(before: Promise, mark: Mark) -> Promise:
    return Promise(
        before.choose if mark.choose is None else frozenset(mark.choose),
        before.whole if mark.whole is None else frozenset(mark.whole),
        tuple(sorted((dict(before.prefix) | mark.prefix).items())),
        before.settled if mark.settled is None else mark.settled,
    )


def promise_at(found: Sequence[tuple[int, Promise]], at: int) -> Promise:
    """The last promise that was made before entry `at`."""
    return [promise for first, promise in found if first <= at][-1]


def records(count: int) -> bytes:
    """What a file of acknowledged records begins with."""
    return b"".join(map(record_line, range(count)))


@dataclass(frozen=True)
class Content:
    """A blob as it must lie on the disk: its blocks, and those of its Merkle tree and descriptor when it is sealed."""

    size: int
    blocks: list[bytes]
    tree: list[bytes]

    @property
    def tree_at(self) -> int:
        """The block of the file at which the tree begins."""
        return -(-self.size // _TREE_ALIGN) * _TREE_ALIGN // BLOCK


def contents(revisions: Sequence[RevisionFacts], folder: Path, blocks: Blocks) -> dict[str, Content]:
    """The content of all blobs of the revisions, by digest; raises ValueError for a file that is not its blob."""
    wanted: dict[str, Blob] = {blob.digest: blob for revision in revisions for blob in revision.blobs}
    found = {}
    for digest, blob in wanted.items():
        data = (folder / digest).read_bytes()
        if hashlib.sha256(data).hexdigest() != digest or len(data) != blob.size:
            raise ValueError(f"{folder / digest} is not the blob of that name")
        found[digest] = Content(blob.size, blocks.split(data), _tree(data, blob.verity, blocks))
    return found


def _tree(data: bytes, wanted: str, blocks: Blocks) -> list[bytes]:
    """Merkle tree and descriptor, the root's level first (filesystems/fsverity.rst); SHA-256, 4096 bytes, no salt."""
    levels: list[bytes] = []
    level = data
    while len(level) > 32 or not levels:
        level = b"".join(
            hashlib.sha256(level[at : at + BLOCK].ljust(BLOCK, b"\0")).digest() for at in range(0, len(level), BLOCK)
        )
        levels.insert(0, level)
    root = levels.pop(0) if data else bytes(32)
    descriptor = struct.pack("<BBBBIQ64s32s144s", 1, 1, 12, 0, 0, len(data), root, b"", b"")
    if wanted and hashlib.sha256(descriptor).hexdigest() != wanted:
        raise ValueError("the fs-verity digest of a blob is not the one that its manifest names")
    tree = [block for each in levels for block in blocks.split(each)]
    return [*tree, blocks.one(descriptor.ljust(BLOCK - 4, b"\0") + struct.pack("<I", len(descriptor)))]
