# SPDX-License-Identifier: MIT
"""The rule of docs/deltas.md as it is written there, byte by byte: what the fast one is compared with."""

from __future__ import annotations

import hashlib

GEAR = [int.from_bytes(hashlib.md5(bytes([value]) * 64).digest()[:8], "big") for value in range(256)]
STRICT, LAX = 0x0000D90F03530000, 0x0000D90303530000
LEAST, USUAL, MOST = 2048, 12288, 65536


def cut_by_the_book(data: bytes) -> list[int]:
    """Return the lengths of the chunks of some bytes."""
    lengths = []
    at = 0
    while at < len(data):
        length = next_length(data[at : at + MOST])
        lengths.append(length)
        at += length
    return lengths


def next_length(data: bytes) -> int:
    """Return the length of the first chunk, given the next MOST bytes or all that are left."""
    value = 0
    for position in range(LEAST, len(data) - len(data) % 2):
        value = ((value << 1) + GEAR[data[position]]) % 2**64
        if not value & (STRICT if position < USUAL else LAX):
            return position
    return len(data)
