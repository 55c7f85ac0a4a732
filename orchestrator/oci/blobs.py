# SPDX-License-Identifier: MIT
"""The blobs of an OCI image layout: written whole or not at all, named by their SHA-256."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from orchestrator.canonical import sha256_digest
from orchestrator.errors import VerificationError
from orchestrator.oci.descriptor import Descriptor
from orchestrator.oci.files import SYNC_EVERY, Files, begin_sync, explained
from orchestrator.oci.reading import BlobReader, blob_hex, hash_stream

_CHUNK = 1 << 20
_BLOB_MODE = 0o444
OCTETS = "application/octet-stream"
_NO_LINK = (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EACCES, errno.ENOENT, errno.EOPNOTSUPP, errno.EWOULDBLOCK)
"""Why a hard link may be impossible: then the file is copied."""


class Blobs(BlobReader):
    """`blobs/sha256/` of a layout at `root`, and the folder of unfinished files beside it.

    A blob is written to a temporary name in the same file system, hashed on its way, synced, renamed and the folder
    synced: a name under `blobs/sha256/` always has all of its bytes, whatever instant the power fails.
    """

    hint = "build again with --force: what is missing or damaged is stored anew"

    def __init__(self, root: Path, files: Files) -> None:
        self.folder = root / "blobs" / "sha256"
        self.temporary = root / ".tmp"
        self.files = files

    def path(self, digest: str) -> Path:
        """Return where a blob lies, present or not; raises ConfigError when `digest` is not a SHA-256 digest."""
        return self.folder / blob_hex(digest)

    def size(self, digest: str) -> int | None:
        """Return the number of bytes of a blob, or None when it is not here."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def open(self, digest: str) -> BinaryIO:
        """Return a blob as a stream; raises VerificationError when it is not here."""
        path = self.path(digest)
        try:
            return open(path, "rb", opener=_regular)
        except FileNotFoundError as problem:
            raise VerificationError(
                f"blob {digest} is not in the store", "nothing by this name is here", self.hint
            ) from problem
        except OSError as problem:
            raise VerificationError(f"blob {digest} cannot be read", str(problem), self.hint) from problem

    def put(
        self,
        source: bytes | BinaryIO | Path,
        *,
        media_type: str = OCTETS,
        expected: str | None = None,
        limit: int | None = None,
        adopt: bool = False,
    ) -> Descriptor:
        """Store bytes, a stream, or a file's content; returns its descriptor.

        `expected` is the digest that it must have: anything else raises VerificationError and nothing is stored.
        `limit` is the largest number of bytes that is accepted. `adopt` says that nobody will write to the file again,
        so that it may become the blob by a hard link (its mode becomes 0444) instead of a copy. A blob that is here
        and whole is not written again, a damaged one is replaced. Raises TryAgainError on a full disk; the store is
        then as it was.
        """
        with explained("add a blob to the store", self.folder):
            if isinstance(source, bytes):
                return self._put_bytes(source, media_type, expected, limit)
            if isinstance(source, Path):
                return self._put_path(source, media_type, expected, limit, adopt)
            return self._put_stream(source, media_type, expected, limit)

    def _put_bytes(self, data: bytes, media_type: str, expected: str | None, limit: int | None) -> Descriptor:
        digest = sha256_digest(data)
        _check(digest, len(data), expected, limit)
        if not self._reuse(digest, len(data)):
            with self.temporary_file() as (descriptor, path):
                self.files.write(descriptor, data)
                self.finish(descriptor, path, digest)
        return Descriptor(media_type=media_type, digest=digest, size=len(data))

    def _put_stream(self, stream: BinaryIO, media_type: str, expected: str | None, limit: int | None) -> Descriptor:
        with self.temporary_file() as (descriptor, path):
            digest, size = self._copy(stream, descriptor, limit)
            _check(digest, size, expected, limit)
            if not self._reuse(digest, size):
                self.finish(descriptor, path, digest)
        return Descriptor(media_type=media_type, digest=digest, size=size)

    def _put_path(
        self, source: Path, media_type: str, expected: str | None, limit: int | None, adopt: bool
    ) -> Descriptor:
        with source.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            digest = hash_stream(stream)
            _check(digest, size, expected, limit)
            if not (self._reuse(digest, size) or (adopt and self._adopt(stream.fileno(), digest))):
                stream.seek(0)
                with self.temporary_file() as (descriptor, path):
                    if self.files.clone(stream.fileno(), descriptor):
                        with os.fdopen(os.dup(descriptor), "rb") as copy:
                            copy.seek(0)
                            found = hash_stream(copy)
                    else:
                        found, _ = self._copy(stream, descriptor, limit)
                    if found != digest:
                        raise VerificationError(f"{source} changed while it was read", f"{digest}, then {found}")
                    self.finish(descriptor, path, digest)
        return Descriptor(media_type=media_type, digest=digest, size=size)

    def _copy(self, stream: BinaryIO, descriptor: int, limit: int | None) -> tuple[str, int]:
        state = hashlib.sha256()
        size = begun = 0
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if limit is not None and size > limit:
                raise VerificationError("a blob is larger than allowed", f"more than {limit} bytes")
            state.update(chunk)
            self.files.write(descriptor, chunk)
            if size - begun >= SYNC_EVERY:
                begin_sync(descriptor, begun, size - begun)
                begun = size
        return "sha256:" + state.hexdigest(), size

    def _reuse(self, digest: str, size: int) -> bool:
        if not self.has(digest, size):
            return False
        # Its writer may have died between rename and sync; whoever refers to the blob next must be able to rely on it.
        with self.open(digest) as stream:
            if hash_stream(stream) != digest:
                return False
            self.files.sync(stream.fileno())
        self.files.sync_folder(self.folder)
        return True

    def _adopt(self, descriptor: int, digest: str) -> bool:
        path = self._temporary_name()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # the sign of life that `leftovers` looks for
            self.files.link(descriptor, path)
            self.files.seal(descriptor, _BLOB_MODE)
        except OSError as problem:
            self._forget(path)
            if problem.errno in _NO_LINK:
                return False
            raise
        try:
            self.finish(descriptor, path, digest)
        finally:
            self._forget(path)
        return True

    def finish(self, descriptor: int, path: Path, digest: str) -> None:
        """Let an open file of this file system, complete and checked by the caller, become the blob `digest`."""
        self.files.seal(descriptor, _BLOB_MODE)
        self.files.sync(descriptor)
        self.files.rename(path, self.path(digest))
        self.files.sync_folder(self.folder)

    def _temporary_name(self) -> Path:
        if not self.temporary.is_dir():  # a layout that another tool made
            self.files.make_folder(self.temporary)
        return self.temporary / secrets.token_hex(16)

    def _forget(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            self.files.unlink(path)

    @contextlib.contextmanager
    def temporary_file(self) -> Iterator[tuple[int, Path]]:
        """Open a new file in the store's file system and hold its lock, which tells `leftovers` that its writer lives.

        Gives the descriptor and the path; the name is removed at the end unless it was renamed.
        """
        while True:
            path = self._temporary_name()
            descriptor = self.files.create(path, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                break
            os.close(descriptor)  # a sweep took it between creation and lock
        try:
            yield descriptor, path
        finally:
            self._forget(path)
            os.close(descriptor)

    def leftovers(self) -> list[Path]:
        """Return the temporary files whose writer is gone (killed, or the power failed), sorted."""
        return self._each_leftover(lambda path: None)

    def sweep(self) -> list[Path]:
        """Remove the leftovers; returns what was removed."""
        with explained("remove temporary files", self.temporary):
            return self._each_leftover(self.files.unlink)

    def _each_leftover(self, action: Callable[[Path], None]) -> list[Path]:
        found = []
        for path in sorted(self.temporary.iterdir()) if self.temporary.is_dir() else []:
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError:
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                action(path)  # under the lock: a writer that comes now sees that its name is gone
                found.append(path)
            except BlockingIOError:
                continue
            finally:
                os.close(descriptor)
        return found


def _regular(path: str, flags: int) -> int:
    """Open a file without waiting for a writer of what is none; raises OSError for anything but a regular file."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor


def _check(digest: str, size: int, expected: str | None, limit: int | None) -> None:
    if limit is not None and size > limit:
        raise VerificationError("a blob is larger than allowed", f"{size} bytes, the limit is {limit}")
    if expected is not None and digest != expected:
        raise VerificationError(f"the bytes are not those of blob {expected}", f"their digest is {digest}")
