# SPDX-License-Identifier: MIT
"""Canonical bytes and digests: everything that is named by its content goes through here."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
"""A digest as the OCI image specification, descriptor section "Digests", writes it; SHA-256 only."""


def canonical_json(value: Any) -> bytes:
    """Return `value` as compact UTF-8 JSON with sorted keys: equal values give equal bytes on every machine.

    Raises ValueError for NaN and infinities, which JSON does not have.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256_digest(data: bytes) -> str:
    """Return the digest of `data` in the form `sha256:<64 hex>`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def hash_file(path: Path) -> str:
    """Return the digest of a file's content in the form `sha256:<64 hex>`; raises OSError when it cannot be read."""
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def read_limited(path: Path, limit: int) -> bytes:
    """Return a file's first `limit` + 1 bytes at most: whoever gets more than `limit` refuses it, whatever its size.

    Raises OSError when it cannot be read.
    """
    with path.open("rb") as stream:
        return stream.read(limit + 1)


def hex_of(digest: str) -> str:
    """Return the hexadecimal part of a digest, having checked the form, so that it may become part of a path.

    Raises ValueError for anything but `sha256:<64 lower-case hex>`.
    """
    if not DIGEST.match(digest):
        raise ValueError(f"not a SHA-256 digest: {digest!r}")
    return digest[len("sha256:") :]


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file so that readers and a power cut see the old content or the new, never a part.

    Temporary name in the same folder, fsync, rename, fsync of the folder; folders on the way are made, and are as safe.
    What a killed writer of the same file left is removed. Raises OSError, having removed the temporary file.
    """
    make_folders(path.parent)
    remove_leftovers(path.parent, rf"\.{re.escape(path.name)}\.([0-9]+)\.tmp")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def make_folders(path: Path) -> None:
    """Make a folder and those that it lies in, where they are missing, and bring their names to the disk.

    Raises OSError.
    """
    missing = [path]
    while not missing[-1].exists():
        missing.append(missing[-1].parent)
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing[1:]:
        sync_folder(folder)


def sync_folder(path: Path) -> None:
    """Bring a folder's names to the disk; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove what killed processes left in a folder: names that `pattern` matches, its first group a process id.

    What a process that lives made is left alone, our own too: another thread may be at it.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if (match := re.fullmatch(pattern, path.name)) and not process_lives(int(match[1])):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def process_lives(process: int) -> bool:
    """Whether there is a process of this number, anybody's."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def home_path(text: str) -> Path:
    """Return the path that a person means, `~` being his home; that of a user whom there is none of stays as it is."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)
