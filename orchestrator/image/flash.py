# SPDX-License-Identifier: MIT
"""Write an image to a disk by its block map, and read it back.

The partition table goes last: a disk whose writing was interrupted has none, and so does not pretend to be whole.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.canonical import read_limited
from orchestrator.errors import ConfigError, TryAgainError, VerificationError
from orchestrator.image import bmap
from orchestrator.image.devices import Target, inspect

_CHUNK = 1024 * 1024
_BLKRRPART = 0x125F
_BLKFLSBUF = 0x1261
_BACKUP_TABLE = 33 * 512

Progress = Callable[[str, int, int], None]
"""Called with the phase ("write" or "verify"), the bytes done and the bytes in all."""


@dataclass(frozen=True)
class FlashResult:
    """A written disk: how many bytes were written and read back, of an image of `size` bytes."""

    target: Target
    written: int
    size: int


def load_map(image: Path, block_map: Path | None = None) -> bmap.BlockMap:
    """Return the block map of an image, by default the one beside it; raises ConfigError when there is none."""
    path = block_map or bmap.path_for(image)
    try:
        found = bmap.decode(read_limited(path, bmap.LIMIT), str(path))
        size = image.stat().st_size
    except OSError as problem:
        raise ConfigError(
            f"{problem.filename} cannot be read", problem.strerror or "", "build the image: pycontainer build"
        ) from problem
    if found.image_size != size:
        raise VerificationError(
            f"{image} does not belong to {path.name}",
            f"it has {size} bytes, the block map is for {found.image_size}",
            "build or copy both again",
        )
    return found


def flash(
    image: Path,
    device: Path,
    *,
    block_map: Path | None = None,
    confirm: Callable[[Target], bool],
    progress: Progress | None = None,
    force_fixed: bool = False,
    allow_file: bool = False,
) -> FlashResult:
    """Write `image` to `device` and verify it by reading it back.

    `confirm` is shown the disk and says whether to go on. Raises ConfigError when the disk is unsuitable or not
    confirmed (nothing is written then), TryAgainError when another program holds it, VerificationError when the image
    does not match its block map or the disk does not give back what was written.
    """
    mapped = load_map(image, block_map)
    target = inspect(device, force_fixed=force_fixed, allow_file=allow_file)
    if target.size < mapped.image_size:
        raise ConfigError(
            f"{device} is too small",
            f"the image needs {mapped.image_size} bytes, the disk has {target.size}",
            "take a larger one, or set a smaller image: {storage: ...}",
        )
    if not confirm(target):
        raise ConfigError("not confirmed", f"nothing was written to {device}")
    tell = progress or (lambda _phase, _done, _total: None)
    with _opened(target) as disk, image.open("rb") as source:
        if os.path.samestat(os.fstat(disk), os.fstat(source.fileno())):
            raise ConfigError(f"{device} is the image itself", "nothing was written to it", "name the disk")
        # While a person reads and types, a disk may be pulled out and another one get its name.
        found = inspect(device, force_fixed=force_fixed, allow_file=allow_file)
        if found != target:
            raise ConfigError(
                f"{device} is no longer the disk that was confirmed",
                f"it was {target.describe()}; now it is {found.describe()}",
                "nothing was written to it; run the same command again",
            )
        try:
            _write(source.fileno(), disk, mapped, target, tell)
            _forget(disk, target)
            _verify(disk, mapped, target, tell)
            if target.block:
                with contextlib.suppress(OSError):
                    fcntl.ioctl(disk, _BLKRRPART, 0)
        except OSError as problem:
            raise VerificationError(
                f"{target.path} failed", problem.strerror or str(problem), "the disk may be worn out; try another one"
            ) from problem
    return FlashResult(target, mapped.mapped_bytes, mapped.image_size)


@contextmanager
def _opened(target: Target) -> Iterator[int]:
    """Open the disk for us alone: with O_EXCL the kernel refuses what is mounted or held, whatever was found before."""
    try:
        descriptor = os.open(target.path, os.O_RDWR | os.O_CLOEXEC | (os.O_EXCL if target.block else 0))
    except OSError as problem:
        if problem.errno == errno.EBUSY:
            raise TryAgainError(
                f"{target.path} is in use",
                "another program holds it",
                "close that one, then run the same command again",
            ) from problem
        hint = "run the same command with sudo" if problem.errno in (errno.EACCES, errno.EPERM) else ""
        raise ConfigError(f"{target.path} cannot be opened", problem.strerror or "", hint) from problem
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write(source: int, disk: int, mapped: bmap.BlockMap, target: Target, tell: Progress) -> None:
    total, done = mapped.mapped_bytes, 0
    begin, length = next(_chunks(mapped.ranges[0], mapped.image_size))
    _pwrite(disk, bytes(length), begin)
    head = b""
    if target.size > mapped.image_size:
        # The end of a larger disk may hold the backup of an older table, which some would believe.
        _pwrite(disk, bytes(_BACKUP_TABLE), target.size - _BACKUP_TABLE)
    os.fsync(disk)
    for each in mapped.ranges:
        digest = hashlib.sha256()
        for offset, length in _chunks(each, mapped.image_size):
            data = os.pread(source, length, offset)
            if len(data) != length:
                raise VerificationError("the image changed while it was written", "", "start again")
            digest.update(data)
            if offset == begin:
                head = data
            else:
                _pwrite(disk, data, offset)
            done += length
            tell("write", done, total)
        if digest.hexdigest() != each.sha256:
            raise VerificationError(
                "the image does not match its block map",
                f"blocks {each.first} to {each.last} differ; the disk was left without a partition table",
                "build or copy the image again",
            )
        os.fsync(disk)
    _pwrite(disk, head, begin)
    os.fsync(disk)


def _verify(disk: int, mapped: bmap.BlockMap, target: Target, tell: Progress) -> None:
    total, done = mapped.mapped_bytes, 0
    for each in mapped.ranges:
        digest = hashlib.sha256()
        for offset, length in _chunks(each, mapped.image_size):
            digest.update(os.pread(disk, length, offset))
            done += length
            tell("verify", done, total)
        if digest.hexdigest() != each.sha256:
            raise VerificationError(
                f"{target.path} does not give back what was written to it",
                f"blocks {each.first} to {each.last} differ",
                "the disk is faulty or not of the size that it claims; try another one",
            )


def _chunks(each: bmap.Range, image_size: int) -> Iterator[tuple[int, int]]:
    offset, rest = each.offset(), each.length(image_size)
    while rest:
        length = min(_CHUNK, rest)
        yield offset, length
        offset, rest = offset + length, rest - length


def _pwrite(disk: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(disk, view, offset)
        view, offset = view[written:], offset + written


def _forget(disk: int, target: Target) -> None:
    """Drop what the kernel remembers of the disk, so that reading asks the disk itself."""
    if target.block:
        with contextlib.suppress(PermissionError):
            fcntl.ioctl(disk, _BLKFLSBUF, 0)
    os.posix_fadvise(disk, 0, 0, os.POSIX_FADV_DONTNEED)
