# SPDX-License-Identifier: MIT
"""Every call of the store that changes the disk, in one class: so that tests can make each of them fail."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from orchestrator.canonical import sync_folder
from orchestrator.errors import ConfigError, PyContainerError, TryAgainError

_FICLONE = 0x40049409
"""ioctl_ficlone(2): share the blocks of another file (btrfs, XFS); not in the fcntl module before Python 3.14."""

SYNC_EVERY = 16 * 1024 * 1024
"""Bytes after which a file that is being written is on its way to the disk."""

_OF_THE_USER = (
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)
"""What a wrong path or a missing permission gives."""


class Files:
    """The system calls that change a store, one method each; all raise OSError."""

    def create(self, path: Path, mode: int) -> int:
        """Make a file that must not exist; returns its descriptor, open for reading and writing."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        """Write all of `data`, however short the single writes are."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def clone(self, source: int, target: int) -> bool:
        """Let `target` share the blocks of `source`; False where the file system cannot."""
        try:
            fcntl.ioctl(target, _FICLONE, source)
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise
            return False
        return True

    def seal(self, descriptor: int, mode: int) -> None:
        """Set the file's mode, whatever the umask."""
        os.fchmod(descriptor, mode)

    def sync(self, descriptor: int) -> None:
        """Bring the file's content to the disk."""
        os.fsync(descriptor)

    def link(self, descriptor: int, target: Path) -> None:
        """Give an open file a second name (it must be on the same file system)."""
        # With a folder descriptor Python calls linkat(2) with AT_SYMLINK_FOLLOW; without one, link(2), which would
        # link the symbolic link itself. An absolute path makes the folder descriptor's value irrelevant.
        os.link(f"/proc/self/fd/{descriptor}", target, src_dir_fd=descriptor, follow_symlinks=True)

    def rename(self, source: Path, target: Path) -> None:
        """Move a file over `target` in one step."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a file; one that is gone already is no error."""
        path.unlink(missing_ok=True)

    def make_folder(self, path: Path) -> None:
        """Make a folder; one that is there already is no error."""
        path.mkdir(exist_ok=True)

    def sync_folder(self, path: Path) -> None:
        """Bring a folder's names to the disk."""
        sync_folder(path)


def begin_sync(descriptor: int, offset: int, length: int) -> None:
    """Let the kernel begin to bring a part of a file to the disk, without waiting: so that the sync at the end of a
    large file finds little to do. posix_fadvise(2): dirty pages that are said not to be needed are written back.
    """
    with contextlib.suppress(OSError):  # a hint: not every file system takes it
        os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)


@contextlib.contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turn an OSError into an error that says what to do; `action` completes "cannot ..."."""
    try:
        yield
    except OSError as problem:
        reason = problem.strerror or str(problem)
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TryAgainError(
                f"cannot {action}: the disk is full",
                f"{path}: {reason}",
                "free some space and run the same command again; the store is as it was",
            ) from problem
        if problem.errno in _OF_THE_USER:
            raise ConfigError(
                f"cannot {action}", f"{problem.filename or path}: {reason}", "check the path and its permissions"
            ) from problem
        raise PyContainerError(
            f"cannot {action}", f"{problem.filename or path}: {reason}", "check the disk; the store is as it was"
        ) from problem


@contextlib.contextmanager
def exclusive_lock(path: Path, *, timeout: float) -> Iterator[None]:
    """Hold flock(2) on `path` (made when missing); raises TryAgainError when another holds it for `timeout` seconds."""
    with explained("lock the store", path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as problem:
                if time.monotonic() >= deadline:
                    raise TryAgainError(
                        "another command is changing the store",
                        f"{path} has been locked for {timeout:g} seconds",
                        "wait for it to end, then run the same command again",
                    ) from problem
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
