# SPDX-License-Identifier: MIT
"""A file tree in hand: what a layer will hold, with numeric owners and modes that no privilege is needed to record.

Contents stay in spool files or on disk; the tree holds where they are. Paths are relative, without "." or "..", and
canonical: a parent that is a symbolic link in the tree is followed when an entry is added, so that a package that
ships /lib/x lands in usr/lib on a merged-/usr tree, and so that extracting can never be led out of its target.
"""

from __future__ import annotations

import fnmatch
import posixpath
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .errors import DebianError

_LINK_DEPTH = 40
_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Content:
    """`size` bytes of a file, from `offset`; `data` instead when they are few."""

    size: int
    path: Path | None = None
    offset: int = 0
    data: bytes = b""

    @classmethod
    def of(cls, data: bytes) -> Content:
        """Hold bytes directly."""
        return cls(len(data), None, 0, data)

    @classmethod
    def file(cls, path: Path) -> Content:
        """Hold a file on disk, which must not change until the tree was written."""
        return cls(path.stat().st_size, path)

    def blocks(self) -> Iterator[bytes]:
        """Yield the content in blocks; raises OSError when the file became shorter."""
        if self.path is None:
            yield self.data
            return
        with self.path.open("rb") as stream:
            stream.seek(self.offset)
            left = self.size
            while left:
                block = stream.read(min(left, _BLOCK))
                if not block:
                    raise OSError(f"{self.path} became shorter while it was read")
                left -= len(block)
                yield block

    def read(self) -> bytes:
        """Return the whole content."""
        return b"".join(self.blocks())


@dataclass
class Entry:
    """One inode. `mode` has the file type bits; two paths with the same Entry object are hard links."""

    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    target: str = ""
    content: Content = field(default_factory=lambda: Content.of(b""))
    device: tuple[int, int] = (0, 0)
    xattrs: dict[str, bytes] = field(default_factory=dict)
    origin: str = ""

    @property
    def is_dir(self) -> bool:
        """Whether this is a directory."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether this is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether this is a regular file."""
        return stat.S_ISREG(self.mode)


MERGED_USR = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}


class Tree:
    """Paths and their entries. The root directory itself is not an entry."""

    def __init__(self, merged_usr: bool = False, mtime: int = 0) -> None:
        self.entries: dict[str, Entry] = {}
        self.mtime = mtime
        for name, target in MERGED_USR.items() if merged_usr else ():
            self.directory(target)
            self.symlink(name, target)

    def canonical(self, path: str) -> str:
        """Return the path with every parent that is a symbolic link followed; raises DebianError if it leads out."""
        names = [name for name in path.split("/") if name not in ("", ".")]
        done: list[str] = []
        hops = 0
        while names:
            name = names.pop(0)
            if name == ".." and not done:
                raise DebianError(f"the path {path!r} leads out of its tree")
            if name == "..":
                done.pop()
                continue
            entry = self.entries.get("/".join([*done, name]))
            if names and entry is not None and entry.is_link:
                hops += 1
                if hops > _LINK_DEPTH:
                    raise DebianError(f"the path {path!r} runs in a circle of symbolic links")
                if entry.target.startswith("/"):
                    done = []
                names = [part for part in entry.target.split("/") if part not in ("", ".")] + names
                continue
            done.append(name)
        return "/".join(done)

    def add(self, path: str, entry: Entry) -> None:
        """Add an entry; directories may meet directories (or a link to one), any other clash is a DebianError."""
        where = self.canonical(path)
        if not where:
            return
        old = self.entries.get(where)
        if old is not None and entry.is_dir and (old.is_dir or self.lookup(where) is not None):
            return
        if old is not None and not _same(old, entry):
            raise DebianError(
                f"two packages bring different files at /{where}",
                f"{old.origin or 'one'} and {entry.origin or 'other'}",
            )
        self.directory(posixpath.dirname(where))
        self.entries[where] = entry

    def replace(self, path: str, entry: Entry) -> None:
        """Put an entry at a path whatever was there before."""
        where = self.canonical(path)
        self.entries.pop(where, None)
        self.add(where, entry)

    def directory(self, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """Make a directory and its parents, unless they are there."""
        parts = self.canonical(path).split("/") if path else []
        for count in range(1, len(parts) + 1):
            name = "/".join(parts[:count])
            if name and name not in self.entries:
                own = count == len(parts)
                self.entries[name] = Entry(
                    stat.S_IFDIR | (mode if own else 0o755), uid if own else 0, gid if own else 0, self.mtime
                )

    def file(self, path: str, content: Content | bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Put a regular file."""
        held = Content.of(content) if isinstance(content, bytes) else content
        self.replace(path, Entry(stat.S_IFREG | mode, uid, gid, self.mtime, content=held))

    def symlink(self, path: str, target: str) -> None:
        """Put a symbolic link."""
        self.replace(path, Entry(stat.S_IFLNK | 0o777, 0, 0, self.mtime, target))

    def lookup(self, path: str) -> Entry | None:
        """Return the entry that a path leads to, symbolic links followed; None when there is none."""
        for _ in range(_LINK_DEPTH):
            where = self.canonical(path)
            entry = self.entries.get(where)
            if entry is None or not entry.is_link:
                return entry
            path = entry.target if entry.target.startswith("/") else f"{posixpath.dirname(where)}/{entry.target}"
        return None

    def real(self, path: str) -> str | None:
        """Return the path that a path leads to, symbolic links followed; None when there is nothing."""
        for _ in range(_LINK_DEPTH):
            where = self.canonical(path)
            entry = self.entries.get(where)
            if entry is None:
                return None
            if not entry.is_link:
                return where
            path = entry.target if entry.target.startswith("/") else f"{posixpath.dirname(where)}/{entry.target}"
        return None

    def remove(self, keep: Callable[[str], bool]) -> None:
        """Remove every path that `keep` refuses, and what lies in removed directories."""
        gone: set[str] = set()
        for path in sorted(self.entries):
            if posixpath.dirname(path) in gone or not keep(path):
                gone.add(path)
        for path in gone:
            del self.entries[path]

    def strip(self, patterns: Iterable[str]) -> None:
        """Remove the paths that match a glob pattern; a leading "!" keeps what earlier patterns would remove."""
        rules = [(not p.startswith("!"), p.lstrip("!").lstrip("/")) for p in patterns]

        def keep(path: str) -> bool:
            verdict = True
            for removes, pattern in rules:
                if fnmatch.fnmatchcase(path, pattern):
                    verdict = not removes
            return verdict

        kept = {path for path in self.entries if keep(path)}
        for path in list(kept):
            while path := posixpath.dirname(path):
                kept.add(path)
        self.entries = {path: entry for path, entry in self.entries.items() if path in kept}

    def clamp(self, epoch: int) -> None:
        """Bring every time that is later than `epoch` (seconds since 1970) down to it."""
        for entry in self.entries.values():
            entry.mtime = min(entry.mtime, epoch)

    def items(self) -> list[tuple[str, Entry]]:
        """Return the entries in byte order of their paths: a directory comes before what it holds."""
        return sorted(self.entries.items(), key=lambda item: item[0].encode(errors="surrogateescape").split(b"/"))


def _same(one: Entry, two: Entry) -> bool:
    if stat.S_IFMT(one.mode) != stat.S_IFMT(two.mode):
        return False
    if one.is_file:
        return one.content.size == two.content.size and one.content.read() == two.content.read()
    return one.is_link and one.target == two.target
