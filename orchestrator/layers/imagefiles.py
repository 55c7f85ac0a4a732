# SPDX-License-Identifier: MIT
"""The files of an image on disk, in a folder or a tar: found by name, never led outside, read where they lie."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

from orchestrator.canonical import hex_of, sha256_digest
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.layers.nodes import File, FileContent
from orchestrator.layers.tarread import read_tar
from orchestrator.layers.tree import Limits, Tree

HINT = "get or make the image again"
_NAMES_MAX = 20_000
_TAR_MAX = 64 * 1024**3
"""Entries and bytes of an archive that is read in place: it costs an index of names, whatever its size."""


class ImageFiles(Protocol):
    """The files of a layout or an archive."""

    shown: str
    """What to call it in messages."""

    def find(self, name: str) -> FileContent | None:
        """Return the plain file of this name, or None when there is none."""
        ...


class FolderFiles:
    """The files of a folder; symbolic links and what is no file are refused."""

    def __init__(self, root: Path, shown: str) -> None:
        self.root, self.shown = root, shown

    def find(self, name: str) -> FileContent | None:
        path = self.root / name
        try:
            state = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            raise ConfigError(f"{path} cannot be read", problem.strerror or str(problem), HINT) from problem
        if not stat.S_ISREG(state.st_mode):
            raise VerificationError(f"{path} is refused", "it is not a plain file", HINT)
        return FileContent(path, state.st_size)


class ArchiveFiles:
    """The files of an uncompressed tar; links inside of it are followed inside of it."""

    def __init__(self, path: Path, shown: str) -> None:
        self.shown = shown
        self._tree = Tree(Limits(entries=_NAMES_MAX, size=_TAR_MAX))
        read_tar(path, self._tree, shown)

    def find(self, name: str) -> FileContent | None:
        node = self._tree.get(os.fsencode(name))
        return node.content if isinstance(node, File) and isinstance(node.content, FileContent) else None


def small_file(files: ImageFiles, name: str, limit: int) -> bytes:
    """Return a file of at most `limit` bytes; raises VerificationError when it is missing or larger."""
    found = files.find(name)
    if found is None:
        raise VerificationError(f"{files.shown} is refused", f"it has no {name}", HINT)
    if found.size > limit:
        raise VerificationError(f"{files.shown} is refused", f"{name} has more than {limit} bytes", HINT)
    return b"".join(found.chunks())


def find_blob(files: ImageFiles, digest: str, size: int | None = None) -> FileContent:
    """Return a blob of a layout by its digest, its size compared; raises VerificationError."""
    found = files.find(f"blobs/sha256/{hex_of(digest)}")
    if found is None:
        raise VerificationError(f"{files.shown} is not whole", f"it lacks the blob {digest}", HINT)
    if size is not None and found.size != size:
        raise VerificationError(
            f"{files.shown} is damaged", f"blob {digest} has {found.size} bytes, {size} were announced", HINT
        )
    return found


def small_blob(files: ImageFiles, digest: str, limit: int, size: int | None = None) -> bytes:
    """Return a blob of at most `limit` bytes, its size and digest checked; raises VerificationError."""
    found = find_blob(files, digest, size)
    if found.size > limit:
        raise VerificationError(f"{files.shown} is refused", f"blob {digest} has more than {limit} bytes", HINT)
    data = b"".join(found.chunks())
    if sha256_digest(data) != digest:
        raise VerificationError(f"{files.shown} is damaged", f"blob {digest} has other bytes than its name says", HINT)
    return data
