# SPDX-License-Identifier: MIT
"""Binary package files, deb(5): a strict ar reader, the control paragraph, and the files, without dpkg."""

from __future__ import annotations

import hashlib
import io
import lzma
import posixpath
import stat
import subprocess
import tarfile
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from .errors import DebianError
from .index import paragraphs
from .tree import Content, Entry, Tree

_MAGIC = b"!<arch>\n"
_CONTROL_LIMIT = 16 * 1024 * 1024
_MEMBER_LIMIT = 2 * 1024**3
_ENTRIES_LIMIT = 500_000
_DATA_LIMIT = 16 * 1024**3
_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Digests:
    """The SHA-256 and SHA-512 of a file, in lower-case hexadecimal."""

    sha256: str
    sha512: str


def digests(path: Path) -> Digests:
    """Hash a file once for both digests."""
    one, two = hashlib.sha256(), hashlib.sha512()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            one.update(block)
            two.update(block)
    return Digests(one.hexdigest(), two.hexdigest())


class _Part:
    """A window of a file: what an ar member is."""

    def __init__(self, stream: IO[bytes], offset: int, size: int) -> None:
        stream.seek(offset)
        self.stream = stream
        self.left = size

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(data)
        return data


class Deb:
    """One .deb file, opened for reading; raises DebianError when it does not have the form of deb(5), version 2."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.members = self._read_members()
        except (ValueError, OSError) as problem:
            raise self._broken(problem) from problem
        self.control_files = self._read_control()
        try:
            (self.control,) = paragraphs(self.control_files["control"].decode())
            self.name, self.version = self.control["Package"], self.control["Version"]
        except (KeyError, ValueError) as problem:
            raise self._broken(problem) from problem

    def _broken(self, problem: object) -> DebianError:
        return DebianError(
            f"{self.path.name} is not a Debian package that can be read",
            str(problem),
            f"remove {self.path} and build again to download it anew",
        )

    def _read_members(self) -> dict[str, tuple[int, int]]:
        members: dict[str, tuple[int, int]] = {}
        with self.path.open("rb") as stream:
            if stream.read(8) != _MAGIC:
                raise ValueError("not an ar archive")
            offset = 8
            total = self.path.stat().st_size
            while offset < total:
                stream.seek(offset)
                header = stream.read(60)
                if len(header) != 60 or header[58:] != b"`\n":
                    raise ValueError("damaged ar header")
                size = int(header[48:58])
                if not 0 <= size <= min(_MEMBER_LIMIT, total - offset - 60):
                    raise ValueError(f"impossible member size {size}")
                members[header[:16].decode("ascii").rstrip(" ").rstrip("/")] = (offset + 60, size)
                offset += 60 + size + size % 2
            names = list(members)
            if len(names) < 3 or names[0] != "debian-binary":
                raise ValueError(f"members are {names[:5]}")
            if not names[1].startswith("control.tar") or not names[2].startswith("data.tar"):
                raise ValueError(f"members are {names[:5]}")
            stream.seek(members["debian-binary"][0])
            if stream.read(2) != b"2.":
                raise ValueError("not format version 2")
        return members

    def _tar(self, stream: IO[bytes], prefix: str) -> tarfile.TarFile:
        name = next(n for n in self.members if n.startswith(prefix))
        part = cast("IO[bytes]", _Part(stream, *self.members[name]))
        suffix = name.removeprefix(prefix)
        if suffix == ".zst":
            return _zstd_tar(part)
        if suffix not in ("", ".gz", ".xz"):
            raise self._broken(f"unknown compression of {name}")
        mode = {"": "r|", ".gz": "r|gz", ".xz": "r|xz"}[suffix]
        return tarfile.open(fileobj=part, mode=mode, bufsize=_BLOCK)  # type: ignore[call-overload,no-any-return]

    def _read_control(self) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        total = 0
        try:
            with self.path.open("rb") as stream, self._tar(stream, "control.tar") as tar:
                for member in tar:
                    total += member.size
                    if total > _CONTROL_LIMIT:
                        raise ValueError("the control files are too large")
                    if member.isreg() and (content := tar.extractfile(member)):
                        files[posixpath.normpath(member.name)] = content.read()
        except (tarfile.TarError, lzma.LZMAError, zlib.error, ValueError, OSError, EOFError) as problem:
            raise self._broken(problem) from problem
        return files

    def entries(self, spool: Path, only: Container[str] | None = None) -> Iterator[tuple[str, Entry]]:
        """Yield the files as (path, entry) in archive order; contents are appended to the file `spool`.

        With `only`, of the regular files just those: what a package has beside may be large.
        """
        links: dict[str, Entry] = {}
        total = 0
        try:
            with self.path.open("rb") as stream, self._tar(stream, "data.tar") as tar, spool.open("ab") as out:
                for count, member in enumerate(tar):
                    total += member.size
                    if count > _ENTRIES_LIMIT or total > _DATA_LIMIT:
                        raise ValueError("too many files, or too large ones")
                    path = _safe(member.name)
                    if only is not None and (member.isreg() or member.islnk()) and path not in only:
                        continue
                    entry = links[_safe(member.linkname)] if member.islnk() else self._entry(tar, member, spool, out)
                    links[path] = entry
                    if path:
                        yield path, entry
        except (tarfile.TarError, lzma.LZMAError, zlib.error, ValueError, KeyError, OSError, EOFError) as problem:
            raise self._broken(problem) from problem

    def _entry(self, tar: tarfile.TarFile, member: tarfile.TarInfo, spool: Path, out: IO[bytes]) -> Entry:
        entry = Entry(member.mode & 0o7777, member.uid, member.gid, int(member.mtime), origin=self.name)
        entry.xattrs = _xattrs(member)
        if member.isdir():
            entry.mode |= stat.S_IFDIR
        elif member.issym():
            entry.mode = stat.S_IFLNK | 0o777
            entry.target = member.linkname
        elif member.isreg():
            entry.mode |= stat.S_IFREG
            content = tar.extractfile(member)
            entry.content = Content(member.size, spool, out.tell())
            while content and (block := content.read(_BLOCK)):
                out.write(block)
            out.flush()
        else:
            raise ValueError(f"the file type of {member.name!r} is not allowed in a package")
        return entry


def _safe(name: str) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise ValueError(f"unsafe path {name[:200]!r}")
    return "/".join(parts)


def _xattrs(member: tarfile.TarInfo) -> dict[str, bytes]:
    prefix = "SCHILY.xattr."
    return {
        key.removeprefix(prefix): value.encode("utf-8", "surrogateescape")
        for key, value in member.pax_headers.items()
        if key.startswith(prefix)
    }


def _zstd_tar(part: IO[bytes]) -> tarfile.TarFile:
    try:
        done = subprocess.run(["zstd", "-dc"], input=part.read(), capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        raise ValueError(f"cannot decompress by the program zstd: {problem}") from problem
    return tarfile.open(fileobj=io.BytesIO(done.stdout), mode="r|")


def unpack(debs: list[Deb], tree: Tree, spool: Path, only: Container[str] | None = None) -> None:
    """Merge the files of packages into a tree (see `Deb.entries`); raises DebianError when two bring different files
    at one path."""
    for deb in debs:
        for path, entry in deb.entries(spool, only):
            tree.add(path, entry)


def copyright_of(tree: Tree, name: str) -> bytes | None:
    """Return a package's copyright file (Debian Policy 12.5), links followed; None when it has none."""
    entry = tree.lookup(f"usr/share/doc/{name}/copyright")
    return entry.content.read() if entry is not None and entry.is_file else None
