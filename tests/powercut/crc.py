# SPDX-License-Identifier: MIT
"""CRC-32C (Castagnoli) as ext4 and jbd2 use it: without the inversions at both ends of the usual definition."""

from __future__ import annotations

import google_crc32c

_ALL = 0xFFFFFFFF


def crc32c(seed: int, data: bytes) -> int:
    """Go on with a checksum; the first one begins with 0xFFFFFFFF."""
    found: int = google_crc32c.extend(seed ^ _ALL, data)
    return found ^ _ALL
