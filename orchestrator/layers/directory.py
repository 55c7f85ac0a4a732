# SPDX-License-Identifier: MIT
"""Read a folder of a working copy into a tree, so that the same checkout gives the same bytes everywhere.

Owner, permissions and times of a working copy depend on who checked it out, under which umask and when; so owners are
given by the product, a file is 0755 when its owner may execute it and 0644 otherwise, a directory is 0755, and every
time is SOURCE_DATE_EPOCH. Extended attributes are not read.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ConfigError
from orchestrator.layers.nodes import Directory, File, FileContent, Node, Symlink
from orchestrator.layers.tree import Tree, show


@dataclass(frozen=True)
class Owner:
    """Numeric owner and the modes that every entry of a folder gets."""

    uid: int = 0
    gid: int = 0
    mode: int | None = None
    """Permission bits of regular files; None: 0755 or 0644 by the executable bit."""


def read_directory(path: Path, tree: Tree, *, mtime: int, owner: Owner | None = None) -> None:
    """Add what the folder at `path` holds to `tree`; `mtime` is seconds since 1970.

    Symbolic links are kept as they are and never followed. Raises ConfigError for a missing folder, an unreadable
    entry, and what a working copy cannot hold: sockets, pipes and device nodes. What it cannot hold and the folder has
    all the same, setuid and setgid bits of programs, is noted.
    """
    owner = owner or Owner()
    lost: list[bytes] = []
    for name, entry in _entries(path):
        tree.add(name, _node(path / os.fsdecode(name), entry, mtime, owner))
        if owner.mode is None and stat.S_ISREG(entry.st_mode) and entry.st_mode & (stat.S_ISUID | stat.S_ISGID):
            lost.append(name)
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        tree.notes.append(f"the setuid and setgid bits of {show(lost[0])}{more} are not kept: bring them in a tar")


def read_file(path: Path, *, mtime: int, owner: Owner | None = None) -> File:
    """Return one regular file as an entry; a link given by the user is followed. Raises ConfigError."""
    try:
        entry = path.stat()
    except OSError as problem:
        raise _unreadable(path, problem) from problem
    node = _node(path, entry, mtime, owner or Owner())
    if not isinstance(node, File):
        raise ConfigError(f"{path} is no regular file")
    return node


def directory_digest(path: Path) -> str:
    """Return a digest of all of a folder (or a single file) that `read_directory` would take over."""
    total = hashlib.sha256()
    if path.is_file():
        total.update(_line(b"", path, path.stat()))
    else:
        for name, entry in _entries(path):
            total.update(_line(name, path / os.fsdecode(name), entry))
    return "sha256:" + total.hexdigest()


def _line(name: bytes, path: Path, entry: os.stat_result) -> bytes:
    if stat.S_ISREG(entry.st_mode):
        try:
            with path.open("rb") as stream:
                value = hashlib.file_digest(stream, "sha256").digest()
        except OSError as problem:
            raise _unreadable(path, problem) from problem
        kind = b"x" if entry.st_mode & stat.S_IXUSR else b"f"
    elif stat.S_ISLNK(entry.st_mode):
        kind, value = b"l", hashlib.sha256(os.fsencode(path.readlink())).digest()
    else:
        kind, value = b"d", b""
    return b"%d %b %b %b\n" % (len(name), name, kind, value)


def _entries(root: Path) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield (relative name, lstat) below `root`, sorted, each directory before what it holds."""
    stack = [b""]
    while stack:
        prefix = stack.pop()
        folder = os.path.join(os.fsencode(root), prefix)  # noqa: PTH118 - bytes
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - bytes
            found = [(prefix + name, os.lstat(os.path.join(folder, name))) for name in names]  # noqa: PTH118
        except OSError as problem:
            raise _unreadable(Path(os.fsdecode(folder)), problem) from problem
        yield from found
        stack += [name + b"/" for name, entry in reversed(found) if stat.S_ISDIR(entry.st_mode)]


def _node(path: Path, entry: os.stat_result, mtime: int, owner: Owner) -> Node:
    uid, gid = owner.uid, owner.gid
    if stat.S_ISDIR(entry.st_mode):
        return Directory(mode=0o755, uid=uid, gid=gid, mtime=mtime)
    if stat.S_ISLNK(entry.st_mode):
        return Symlink(mode=0o777, uid=uid, gid=gid, mtime=mtime, target=os.fsencode(path.readlink()))
    if stat.S_ISREG(entry.st_mode):
        mode = 0o755 if entry.st_mode & stat.S_IXUSR else 0o644
        if owner.mode is not None:
            mode = owner.mode
        return File(mode=mode, uid=uid, gid=gid, mtime=mtime, content=FileContent(path, entry.st_size))
    raise ConfigError(
        f"{show(os.fsencode(path))} is a socket, a pipe or a device node",
        "a folder of the product may hold directories, files and symbolic links",
        "remove it, or bring it in a tar",
    )


def _unreadable(path: Path, problem: OSError) -> ConfigError:
    return ConfigError(f"{path} cannot be read", problem.strerror or str(problem), "check the path in the product file")
