# SPDX-License-Identifier: MIT
"""What a blob is sent in: lines of data, and lines that name what the device has already (docs/control.md, `put`)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from orchestrator.device.answers import encode_line

COPY_MOST = 16 * 1024 * 1024
"""Bytes that one line has the device copy."""


@dataclass(frozen=True)
class Copied:
    """Bytes that need not be sent: `size` of the blob `digest`, which the device has, from `offset` on."""

    digest: str
    offset: int
    size: int


Piece = bytes | Copied
Source = Callable[[int], Iterator[Piece]]
"""Gives a blob's bytes from an offset on."""


def data_line(data: bytes) -> bytes:
    """Return the line that brings bytes."""
    return encode_line({"data": base64.b64encode(data).decode("ascii")})


def line_of(piece: Piece) -> bytes:
    """Return the line that brings a piece."""
    if isinstance(piece, bytes):
        return data_line(piece)
    return encode_line({"copy": {"digest": piece.digest, "offset": piece.offset, "size": piece.size}})


def sizes_of(piece: Piece) -> tuple[int, int]:
    """Return how many bytes of the blob a piece is, and how many of them are sent."""
    return (len(piece), len(piece)) if isinstance(piece, bytes) else (piece.size, 0)


def split(chunks: Iterator[Piece], size: int) -> Iterator[Piece]:
    """Yield pieces that each fit a line that carries at most `size` bytes."""
    for chunk in chunks:
        if isinstance(chunk, Copied):
            for start in range(0, chunk.size, COPY_MOST):
                yield Copied(chunk.digest, chunk.offset + start, min(COPY_MOST, chunk.size - start))
        else:
            for start in range(0, len(chunk), size):
                yield chunk[start : start + size]
