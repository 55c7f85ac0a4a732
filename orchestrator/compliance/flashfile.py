# SPDX-License-Identifier: MIT
"""What is in a flashable image: the file's own hashes, and the digest of every blob on its storage partition.

The blobs are taken out of the file system again and hashed; nothing is believed of their names. Sources: UEFI 2.10,
5.3 (GPT); debugfs(8), which reads a file system at an offset of a file (`FILE?offset=BYTES`) without root.
"""

from __future__ import annotations

import hashlib
import struct
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

from orchestrator.canonical import hash_file
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.run import Tools, run

_SECTOR = 512
_ENTRIES_LIMIT = 1024
_CHUNK = 1 << 20


def hashes(path: Path, progress: Callable[[int, int], None] | None = None) -> dict[str, str]:
    """Return the image's SHA-256 and SHA-512 by algorithm; raises ConfigError when it cannot be read."""
    sums = {"sha256": hashlib.sha256(), "sha512": hashlib.sha512()}
    try:
        size, done = path.stat().st_size, 0
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                for each in sums.values():
                    each.update(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, size)
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read", problem.strerror or str(problem), "name an image") from problem
    return {name: each.hexdigest() for name, each in sums.items()}


def partition(path: Path, name: str) -> int:
    """Return the offset in bytes of the GPT partition of that name; raises VerificationError when there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(_SECTOR)
            header = stream.read(92)
            if header[:8] != b"EFI PART":
                raise VerificationError(f"{path} is no disk image", "it has no GUID partition table")
            first, count, size = struct.unpack_from("<QII", header, 72)
            if not 0 < count <= _ENTRIES_LIMIT or not 128 <= size <= 4096:
                raise VerificationError(f"{path} is no disk image", "its partition table is damaged")
            stream.seek(first * _SECTOR)
            table = stream.read(count * size)
    except (OSError, struct.error, OverflowError, ValueError) as problem:
        raise VerificationError(f"{path} is no disk image", str(problem)) from problem
    for position in range(0, len(table) - 127, size):
        entry = table[position : position + size]
        label = entry[56:128].decode("utf-16-le", "replace").partition("\0")[0]
        if uuid.UUID(bytes_le=entry[:16]).int and label == name:
            start: int = struct.unpack_from("<Q", entry, 32)[0]
            return start * _SECTOR
    raise VerificationError(f"{path} has no partition {name}", "its partition table does not name it")


def blobs(path: Path, tools: Tools, name: str = "pycontainer-storage") -> frozenset[str]:
    """Return the digests of all blobs on the storage partition, each hashed anew.

    Raises VerificationError when the image has no such file system, ConfigError when debugfs is missing.
    """
    place = f"{path}?offset={partition(path, name)}"
    with tempfile.TemporaryDirectory(prefix="pycontainer-blobs.") as folder:
        command = f'rdump /blobs/sha256 "{folder}"'
        run(tools.argv("debugfs", "-R", command, place), error=VerificationError)
        found = frozenset(map(hash_file, sorted((Path(folder) / "sha256").glob("*"))))
    if not found:
        raise VerificationError(f"{path} has no blobs", f"its partition {name} holds none in /blobs/sha256")
    return found
