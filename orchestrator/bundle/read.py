# SPDX-License-Identifier: MIT
"""Opening a bundle: the folder or tar as an OCI image layout whose blobs are read where they lie."""

from __future__ import annotations

import io
import os
import re
import stat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from orchestrator.bundle import ustar
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.oci.index import FixedIndex
from orchestrator.oci.layout import LAYOUT_LIMIT, Layout, check_layout
from orchestrator.oci.reading import BlobReader, blob_hex
from orchestrator.revision import Revision, read_revision, revisions

INDEX_LIMIT = 4 * 1024 * 1024
"""Bytes of a bundle's index.json at most."""
REVISIONS_LIMIT = 256
_HINT = "make the bundle, or copy it, again"
_PREFIX = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})\Z")


class FolderFiles(BlobReader):
    """The files of a bundle that is a folder; symbolic links and what is no file are refused."""

    hint = _HINT

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """Return the digests of the blobs that lie here."""
        folder = self.root / "blobs" / "sha256"
        return sorted(f"sha256:{path.name}" for path in folder.iterdir()) if folder.is_dir() else []

    def file(self, name: str) -> BinaryIO | None:
        """Return a file of the layout as a stream, or None when it is not here."""
        path = self.root / name
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise VerificationError(f"{path} cannot be read", problem.strerror or str(problem), _HINT) from problem
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise VerificationError(f"{path} is refused", "it is not a plain file", _HINT)
        return os.fdopen(descriptor, "rb")

    def size(self, digest: str) -> int | None:
        """Return the number of bytes of a blob, or None when it is not here."""
        stream = self.file(f"blobs/sha256/{blob_hex(digest)}")
        if stream is None:
            return None
        with stream:
            return os.fstat(stream.fileno()).st_size

    def open(self, digest: str) -> BinaryIO:
        """Return a blob as a stream; raises VerificationError when it is not here."""
        stream = self.file(f"blobs/sha256/{blob_hex(digest)}")
        if stream is None:
            raise _absent(digest)
        return stream

    def close(self) -> None:
        """Nothing is held open."""


class TarFiles(BlobReader):
    """The files of a bundle that is a tar: found once, read by their place in it."""

    hint = _HINT

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")
        try:
            status = os.fstat(self._stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError(f"{path} is not a bundle", "it is neither a file nor a folder")
            self.members = ustar.read_members(self._stream, status.st_size)
        except BaseException:
            self._stream.close()
            raise

    def names(self) -> list[str]:
        """Return the digests of the blobs that lie here."""
        front = "blobs/sha256/"
        return sorted(f"sha256:{name[len(front) :]}" for name in self.members if name.startswith(front))

    def file(self, name: str) -> BinaryIO | None:
        """Return a file of the layout as a stream, or None when it is not here."""
        member = self.members.get(name)
        return None if member is None else io.BufferedReader(_Part(self._stream.fileno(), member), 1 << 16)

    def size(self, digest: str) -> int | None:
        """Return the number of bytes of a blob, or None when it is not here."""
        member = self.members.get(f"blobs/sha256/{blob_hex(digest)}")
        return None if member is None else member.size

    def open(self, digest: str) -> BinaryIO:
        """Return a blob as a stream; raises VerificationError when it is not here."""
        stream = self.file(f"blobs/sha256/{blob_hex(digest)}")
        if stream is None:
            raise _absent(digest)
        return stream

    def close(self) -> None:
        """Close the tar; its blobs cannot be read any more."""
        self._stream.close()


class _Part(io.RawIOBase):
    """A part of an open file, as a file of its own."""

    def __init__(self, descriptor: int, member: ustar.Member) -> None:
        self._descriptor, self._member, self._place = descriptor, member, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._member.size}[whence]
        self._place = max(0, start + offset)
        return self._place

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), max(0, self._member.size - self._place))
        data = os.pread(self._descriptor, wanted, self._member.offset + self._place) if wanted else b""
        if wanted and not data:
            raise VerificationError("the bundle became shorter while it was read", "", _HINT)
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


class Bundle(Layout):
    """An open bundle; use it as a context manager. Everything in it is foreign until `check.verify` returned."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.files: FolderFiles | TarFiles = FolderFiles(path) if path.is_dir() else TarFiles(path)
        except OSError as problem:
            raise ConfigError(
                f"{path} cannot be read", problem.strerror or str(problem), "make a bundle: pycontainer bundle create"
            ) from problem
        try:
            check_layout(self._small("oci-layout", LAYOUT_LIMIT), path)
            super().__init__(self.files, FixedIndex(self._small("index.json", INDEX_LIMIT), path / "index.json"))
        except BaseException:
            self.files.close()
            raise

    def _small(self, name: str, limit: int) -> bytes:
        stream = self.files.file(name)
        if stream is None:
            raise VerificationError(f"{self.path} is not a bundle", f"it has no {name}", _HINT)
        with stream:
            data = stream.read(limit + 1)
        if len(data) > limit:
            raise VerificationError(f"{name} of {self.path} is too large", f"the limit is {limit} bytes", _HINT)
        return data

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.files.close()

    def revisions(self) -> list[Revision]:
        """Return the revisions, read strictly; raises VerificationError when there is none, or one is damaged."""
        listed = revisions(self)
        if not 1 <= len(listed) <= REVISIONS_LIMIT:
            raise VerificationError(f"{self.path} is not a bundle", f"it has {len(listed)} revisions", _HINT)
        return [read_revision(self, entry.digest) for entry in listed]

    def select(self, name: str = "", machine: str = "") -> Revision:
        """Return the revision whose id begins with `name`, which may be empty when there is only one for `machine`.

        Without a machine there must be only one in all. Raises ConfigError, naming what there is, when there is none,
        or more than one.
        """
        found = self.revisions()
        there = ", ".join(f"{each.short} ({each.config.version} for {each.config.machine})" for each in found)
        if name:
            match = _PREFIX.match(name)
            found = [each for each in found if match and each.hex.startswith(match[1])]
            if not found:
                raise ConfigError(f"no revision {name!r} in {self.path}", f"it has {there}", "give 4 or more digits")
        elif machine and len(found) > 1:
            found = [each for each in found if each.config.machine == machine]
            if not found:
                raise ConfigError(
                    f"no revision for {machine} in {self.path}", f"it has {there}", "make a bundle that has one"
                )
        if len(found) == 1:
            return found[0]
        raise ConfigError(f"{self.path} has several revisions", there, "choose one with --revision")


def open_bundle(path: Path) -> Bundle:
    """Open a bundle; raises ConfigError when the path cannot be read, VerificationError when it is not a bundle."""
    return Bundle(path)


def _absent(digest: str) -> VerificationError:
    return VerificationError(f"blob {digest} is not in the bundle", "nothing by this name is in it", _HINT)
