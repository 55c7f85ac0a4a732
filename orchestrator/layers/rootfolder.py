# SPDX-License-Identifier: MIT
"""Read a folder that holds a distribution's root file system, as debootstrap(8) or an unpacked tar leaves one.

Other than a folder of a working copy it is taken as it lies: owners, all permission bits, times, hard links, device
nodes, pipes, and the extended attributes that belong to the files and not to this machine. A folder that was unpacked
without being root has nothing of root's in it: there its own owner stands for root.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ConfigError
from orchestrator.layers.nodes import NO_XATTRS, Device, Directory, Fifo, File, FileContent, Node, Symlink
from orchestrator.layers.tree import Tree, show

_TIME_MAX = 2**32 - 1
_HINT = "read it as root, or bring it in a tar that root made"


@dataclass(frozen=True)
class _Entry:
    """A name below the root, its state, and the first name of the same file, which is its own for most."""

    name: bytes
    state: os.stat_result
    first: bytes


def read_root(path: Path, tree: Tree, *, latest: int) -> None:
    """Add the root file system in the folder at `path` to `tree`; what is younger than `latest`, seconds since 1970,
    gets that time, so that a folder which was unpacked or checked out anew gives the same bytes.

    Links are never followed, nor does it go into what is mounted there. Sockets, what is mounted, and extended
    attributes other than file capabilities and those of users are left out and noted. Raises ConfigError for a folder
    that is not there, and for what may not be read.
    """
    left: set[str] = set()
    owner = _owner(path)
    for entry in _entries(path, left):
        if entry.first != entry.name:
            tree.link(entry.name, entry.first)
            continue
        node = _node(path, entry, owner, left)
        node.mtime = min(node.mtime, latest)
        tree.add(entry.name, node)
    tree.notes += sorted(left)


def root_digest(path: Path) -> str:
    """Return a digest of all of a folder that `read_root` would take over."""
    total = hashlib.sha256()
    owner = _owner(path)
    for entry in _entries(path, set()):
        node = _node(path, entry, owner, set())
        facts: list[object] = [type(node).__name__, node.mode, node.uid, node.gid, node.mtime, entry.first]
        facts += sorted(node.xattrs.items())
        if isinstance(node, Symlink):
            facts.append(node.target)
        elif isinstance(node, Device):
            facts += [node.block, node.major, node.minor]
        elif isinstance(node, File) and entry.first == entry.name:
            facts.append(_content(_place(path, entry.name)))
        total.update(repr((entry.name, facts)).encode())
    return "sha256:" + total.hexdigest()


def _owner(path: Path) -> tuple[int, int] | None:
    """Return the user and group that stand for root, None where root's own files are among them."""
    if any(entry.state.st_uid == 0 for entry in _entries(path, set())):
        return None
    state = path.stat()
    return state.st_uid, state.st_gid


def _entries(root: Path, left: set[str]) -> Iterator[_Entry]:
    """Yield what is below `root`, sorted, each directory before what it holds."""
    try:
        here = root.stat().st_dev
    except OSError as problem:
        raise _unreadable(root, problem) from problem
    first: dict[int, bytes] = {}
    stack = [b""]
    while stack:
        prefix = stack.pop()
        folder = _place(root, prefix)
        below: list[bytes] = []
        try:
            for name in sorted(os.listdir(folder)):  # noqa: PTH208 - bytes
                path = prefix + name
                state = os.lstat(_place(root, path))
                if stat.S_ISSOCK(state.st_mode):
                    left.add("sockets are left out: whoever listens on one makes it")
                    continue
                elsewhere = state.st_dev != here
                if elsewhere:
                    left.add(f"what is mounted at /{show(path)} is left out")
                if stat.S_ISDIR(state.st_mode):
                    below += [] if elsewhere else [path + b"/"]
                elif elsewhere:
                    continue
                shared = not stat.S_ISDIR(state.st_mode) and state.st_nlink > 1
                yield _Entry(path, state, first.setdefault(state.st_ino, path) if shared else path)
        except OSError as problem:
            raise _unreadable(Path(os.fsdecode(folder)), problem) from problem
        stack += reversed(below)


def _node(root: Path, entry: _Entry, owner: tuple[int, int] | None, left: set[str]) -> Node:
    state = entry.state
    place = _place(root, entry.name)
    uid, gid = state.st_uid, state.st_gid
    if owner is not None:
        uid, gid = (0 if uid == owner[0] else uid), (0 if gid == owner[1] else gid)
    mode, mtime = stat.S_IMODE(state.st_mode), min(max(int(state.st_mtime), 0), _TIME_MAX)
    xattrs = _xattrs(place, left)
    kind = stat.S_IFMT(state.st_mode)
    if kind == stat.S_IFDIR:
        return Directory(mode=mode, uid=uid, gid=gid, mtime=mtime, xattrs=xattrs)
    if kind == stat.S_IFREG:
        content = FileContent(Path(os.fsdecode(place)), state.st_size)
        return File(mode=mode, uid=uid, gid=gid, mtime=mtime, xattrs=xattrs, content=content)
    if kind == stat.S_IFLNK:
        target = os.readlink(place)  # noqa: PTH115 - bytes
        return Symlink(mode=0o777, uid=uid, gid=gid, mtime=mtime, xattrs=xattrs, target=target)
    if kind == stat.S_IFIFO:
        return Fifo(mode=mode, uid=uid, gid=gid, mtime=mtime, xattrs=xattrs)
    numbers = os.major(state.st_rdev), os.minor(state.st_rdev)
    return Device(mode=mode, uid=uid, gid=gid, mtime=mtime, xattrs=xattrs,
                  block=kind == stat.S_IFBLK, major=numbers[0], minor=numbers[1])  # fmt: skip


def _xattrs(place: bytes, left: set[str]) -> dict[bytes, bytes]:
    """Return file capabilities and users' attributes; security labels and lists of access are this machine's."""
    found = {}
    try:
        for text in os.listxattr(place, follow_symlinks=False):
            name = os.fsencode(text)
            if name.startswith(b"user.") or name == b"security.capability":
                found[name] = os.getxattr(place, name, follow_symlinks=False)
            else:
                left.add(f"extended attributes {show(name)} are left out: they are this machine's")
    except OSError as problem:
        raise _unreadable(Path(os.fsdecode(place)), problem) from problem
    return found or dict(NO_XATTRS)


def _content(place: bytes) -> bytes:
    path = Path(os.fsdecode(place))
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as problem:
        raise _unreadable(path, problem) from problem


def _place(root: Path, name: bytes) -> bytes:
    return os.path.join(os.fsencode(root), name)  # noqa: PTH118 - bytes


def _unreadable(path: Path, problem: OSError) -> ConfigError:
    return ConfigError(f"{show(os.fsencode(path))} cannot be read", problem.strerror or str(problem), _HINT)
