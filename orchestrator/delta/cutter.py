# SPDX-License-Identifier: MIT
"""Where a blob is cut into chunks: at places that its content decides, so that what moves is cut alike.

The rule is FastCDC of 2020 (Xia et al., "The Design of Fast Content-Defined Chunking for Data Deduplication Based
Storage Systems", IEEE TPDS 31/9) with its authors' table of gears and normalised chunking of level 1, as docs/deltas.md
spells it out. Index and reader need not agree on it for the result to be right, only for it to be small: an index
carries its lengths. Yet it is part of the format: change it only together with `CUTTER`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

from pyfastcdc import FastCDC

CUTTER = 1
"""Number of the rule in an index."""
LEAST = 2048
"""Bytes of a chunk at least, but of the last one."""
USUAL = 12 * 1024
"""From here on a cut is easier to find than before."""
MOST = 65536
"""Bytes of a chunk at most."""
DIGEST = 12
"""Bytes of SHA-256 by which a chunk is recognised. The whole blob's digest decides in the end."""

Chunk = tuple[int, bytes]
"""Number of bytes, and the beginning of their SHA-256."""


def cut(stream: BinaryIO) -> Iterator[Chunk]:
    """Yield the chunks of a stream from its position to its end, in memory of two of the largest chunks."""
    cutter = FastCDC(USUAL, min_size=LEAST, max_size=MOST, normalized_chunking=1)
    for chunk in cutter.cut_stream(stream):
        yield chunk.length, hashlib.sha256(chunk.data).digest()[:DIGEST]
