# SPDX-License-Identifier: MIT
"""The chunk index of a blob: of which chunks it consists, in their order, in 14 bytes each.

All numbers are big-endian. A header of 56 bytes: magic `PCCHUNKS`, version (16 bits), cutter (16 bits), number of
chunks (32 bits), size of the blob (64 bits), its SHA-256 (32 bytes). Then for each chunk its length less one (16 bits)
and the first 12 bytes of its SHA-256. There is one form for one list: no padding, nothing behind the last chunk.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.canonical import hex_of
from orchestrator.delta.cutter import CUTTER, DIGEST, LEAST, MOST, Chunk
from orchestrator.errors import VerificationError

MAGIC = b"PCCHUNKS"
VERSION = 1
_HEADER = struct.Struct(">8sHHIQ32s")
_RECORD = struct.Struct(f">H{DIGEST}s")
CHUNKS_MOST = 4_000_000
"""Chunks of an index at most: blobs of 8 GB and more."""
INDEX_LIMIT = _HEADER.size + CHUNKS_MOST * _RECORD.size
"""Bytes of an index at most."""


@dataclass(frozen=True)
class ChunkIndex:
    """The chunks of the blob `digest` of `size` bytes, as the bytes of their records."""

    digest: str
    size: int
    records: bytes

    def __len__(self) -> int:
        return len(self.records) // _RECORD.size

    def chunks(self) -> Iterator[Chunk]:
        """Yield (bytes, beginning of the digest) of each chunk."""
        for less, digest in _RECORD.iter_unpack(self.records):
            yield less + 1, digest

    def located(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield (offset, bytes, beginning of the digest) of each chunk."""
        offset = 0
        for size, digest in self.chunks():
            yield offset, size, digest
            offset += size

    def encode(self) -> bytes:
        """Return the bytes of the index."""
        digest = bytes.fromhex(hex_of(self.digest))
        return _HEADER.pack(MAGIC, VERSION, CUTTER, len(self), self.size, digest) + self.records


def make_index(digest: str, size: int, chunks: Iterator[Chunk]) -> ChunkIndex:
    """Return the index of a blob; raises ValueError for chunks that none has or that are not its whole."""
    records = bytearray()
    total = 0
    for length, beginning in chunks:
        records += _RECORD.pack(length - 1, beginning)
        total += length
    if total != size or len(records) > CHUNKS_MOST * _RECORD.size:
        raise ValueError(f"chunks of {total} bytes do not make the {size} of {digest}")
    return ChunkIndex(digest, size, bytes(records))


def size_of_index(size: int) -> int:
    """Return how many bytes the index of a blob of `size` bytes has at most."""
    return _HEADER.size + min(-(-size // LEAST), CHUNKS_MOST) * _RECORD.size


def decode_index(data: bytes, digest: str, size: int) -> ChunkIndex:
    """Return the index that foreign bytes are of the blob `digest` of `size` bytes; raises VerificationError."""
    if len(data) < _HEADER.size or data[: len(MAGIC)] != MAGIC:
        raise _wrong(digest, "it does not begin like one")
    _, version, cutter, count, told, raw = _HEADER.unpack_from(data)
    if (version, cutter) != (VERSION, CUTTER):
        raise _wrong(digest, f"its version is {version}, its chunks are cut by rule {cutter}")
    if told != size or raw != bytes.fromhex(hex_of(digest)):
        raise _wrong(digest, "it is of another blob")
    if len(data) != _HEADER.size + count * _RECORD.size or count > CHUNKS_MOST:
        raise _wrong(digest, f"it does not have the {count} chunks that it announces")
    index = ChunkIndex(digest, size, data[_HEADER.size :])
    lengths = [length for length, _ in index.chunks()]
    if sum(lengths) != size or any(length < LEAST for length in itertools.islice(lengths, max(count - 1, 0))):
        raise _wrong(digest, "its chunks do not make the blob")
    return index


def _wrong(digest: str, why: str) -> VerificationError:
    return VerificationError(f"no chunk index of blob {digest[:19]}", why, "attach it anew: pycontainer push")


assert MOST - 1 <= 0xFFFF, "a length less one fits its field"
