# SPDX-License-Identifier: MIT
"""Blobs that arrive piece by piece: what has come is kept, and another run goes on behind it.

They lie in `.partial/` of the layout, named by the digest that they are to have; none is a blob before all of its bytes
are there and have that digest.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from orchestrator.oci.blobs import Blobs
from orchestrator.oci.files import SYNC_EVERY, begin_sync, explained
from orchestrator.oci.reading import blob_hex

PARTIAL = ".partial"
KEPT_SECONDS = 7 * 24 * 3600
"""How long what nobody went on with is kept."""
_CHUNK = 1 << 20


class PartialBlob:
    """The first `size` bytes of a blob, open for more. Use `partial_blob`."""

    def __init__(self, blobs: Blobs, digest: str, descriptor: int, path: Path) -> None:
        self.digest = digest
        self.size = 0
        self._blobs = blobs
        self._descriptor = descriptor
        self._path = path
        self._begun = 0
        self._state = hashlib.sha256()
        while chunk := os.pread(descriptor, _CHUNK, self.size):
            self._state.update(chunk)
            self.size += len(chunk)
        os.lseek(descriptor, self.size, os.SEEK_SET)

    def append(self, data: bytes) -> None:
        """Add bytes; raises TryAgainError on a full disk (what came before stays)."""
        with explained("add to a blob that arrives", self._path):
            self._blobs.files.write(self._descriptor, data)
        self._state.update(data)
        self.size += len(data)
        if self.size - self._begun >= SYNC_EVERY:
            begin_sync(self._descriptor, self._begun, self.size - self._begun)
            self._begun = self.size

    def restart(self) -> None:
        """Forget all bytes."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._state = hashlib.sha256()
        self.size = self._begun = 0

    @property
    def right(self) -> bool:
        """Whether the bytes have the digest that they are to have."""
        return "sha256:" + self._state.hexdigest() == self.digest

    def finish(self) -> None:
        """Make it a blob of the store; raises ValueError when its bytes are not `right`."""
        if not self.right:
            raise ValueError(f"not the bytes of {self.digest}")
        with explained("add a blob to the store", self._path):
            self._blobs.finish(self._descriptor, self._path, self.digest)


@contextlib.contextmanager
def partial_blob(blobs: Blobs, digest: str) -> Iterator[PartialBlob]:
    """Open what is here of a blob that has not arrived; a new one when another process is at the same blob."""
    path = blobs.folder.parent.parent / PARTIAL / blob_hex(digest)
    with explained("receive a blob", path):
        descriptor = _own(blobs, path)
    if descriptor is None:
        with blobs.temporary_file() as (other, temporary):
            yield PartialBlob(blobs, digest, other, temporary)
        return
    try:
        with explained("receive a blob", path):
            found = PartialBlob(blobs, digest, descriptor, path)
        yield found
        if not found.size:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _own(blobs: Blobs, path: Path) -> int | None:
    """Return the file, locked; None when another has it, or it became a blob between opening and locking."""
    blobs.files.make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def forget_old(blobs: Blobs) -> None:
    """Remove what arrived in part, long ago, and nobody is at."""
    folder = blobs.folder.parent.parent / PARTIAL
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime < KEPT_SECONDS:
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)
