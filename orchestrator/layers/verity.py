# SPDX-License-Identifier: MIT
"""The fs-verity digest of a file, computed here, so that a device can be told what its kernel must measure.

Linux Documentation/filesystems/fsverity.rst, "File digest computation" and "Merkle tree": SHA-256, 4096-byte blocks,
no salt.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

BLOCK = 4096
_DIGEST = 32
_READ = 256 * BLOCK


def fsverity_digest(path: Path) -> str:
    """Return the fs-verity digest of the file at `path` as `sha256:<64 hex>`; raises OSError when unreadable."""
    sha256 = hashlib.sha256
    hashes = bytearray()
    size = 0
    buffer = bytearray(_READ)
    view = memoryview(buffer)
    with path.open("rb") as stream:
        while count := stream.readinto(buffer):
            size += count
            whole = -(-count // BLOCK) * BLOCK
            view[count:whole] = bytes(whole - count)
            for start in range(0, whole, BLOCK):
                hashes += sha256(view[start : start + BLOCK]).digest()
    root = bytes(_DIGEST) if size == 0 else _root(bytes(hashes))
    descriptor = struct.pack("<BBBBIQ64s32s144s", 1, 1, BLOCK.bit_length() - 1, 0, 0, size, root, b"", b"")
    return "sha256:" + sha256(descriptor).hexdigest()


def _root(level: bytes) -> bytes:
    while len(level) > _DIGEST:
        level = b"".join(
            hashlib.sha256(level[start : start + BLOCK].ljust(BLOCK, b"\0")).digest()
            for start in range(0, len(level), BLOCK)
        )
    return level
