# SPDX-License-Identifier: MIT
"""Trees on disk: read with all that a file system knows of them, and written where nothing can lead out."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

from .tree import Content, Entry, Tree

_XATTRS = ("user.", "security.capability")
"""What belongs to a file. The others are this machine's: its security modules label what is made on it."""


def from_directory(root: Path) -> Tree:
    """Read a directory on disk, with owners, modes, hard links, devices and extended attributes."""
    tree = Tree()
    inodes: dict[tuple[int, int], Entry] = {}
    for folder, names, files in os.walk(root):
        names.sort()
        for name in [*names, *files]:
            path = Path(folder, name)
            facts = path.lstat()
            inode = (facts.st_dev, facts.st_ino)
            entry = inodes.get(inode) if facts.st_nlink > 1 and not stat.S_ISDIR(facts.st_mode) else None
            if entry is None:
                entry = inodes[inode] = _entry(path, facts)
            tree.entries[str(path.relative_to(root))] = entry
    return tree


def _entry(path: Path, facts: os.stat_result) -> Entry:
    entry = Entry(facts.st_mode, facts.st_uid, facts.st_gid, int(facts.st_mtime))
    if stat.S_ISLNK(facts.st_mode):
        entry.target = str(path.readlink())
    elif stat.S_ISREG(facts.st_mode):
        entry.content = Content(facts.st_size, path)
    elif stat.S_ISCHR(facts.st_mode) or stat.S_ISBLK(facts.st_mode):
        entry.device = (os.major(facts.st_rdev), os.minor(facts.st_rdev))
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        if name.startswith(_XATTRS):
            entry.xattrs[name] = os.getxattr(path, name, follow_symlinks=False)
    return entry


def extract(tree: Tree, target: Path, owners: bool = False) -> None:
    """Write a tree into a new, empty directory. Modes and times are kept; owners and devices only with `owners` (root).

    No path has a symbolic link among its parents, because trees are canonical, and links are made last; so nothing is
    ever written outside `target`.
    """
    target.mkdir(parents=True, exist_ok=True)
    done: dict[int, Path] = {}
    items = tree.items()
    ordered = [i for i in items if i[1].is_dir] + [i for i in items if not i[1].is_dir and not i[1].is_link]
    for path, entry in ordered + [i for i in items if i[1].is_link]:
        place = target / path
        if id(entry) in done:
            place.hardlink_to(done[id(entry)])
            continue
        done[id(entry)] = place
        _create(place, entry, owners)
    for path, entry in reversed(items):
        os.utime(target / path, (entry.mtime, entry.mtime), follow_symlinks=False)
        if entry.is_dir:
            (target / path).chmod(stat.S_IMODE(entry.mode))


def _create(place: Path, entry: Entry, owners: bool) -> None:
    if entry.is_dir:
        place.mkdir(mode=0o700, exist_ok=True)
    elif entry.is_link:
        place.symlink_to(entry.target)
    elif entry.is_file:
        with _exclusive(place) as stream:
            for block in entry.content.blocks():
                stream.write(block)
    elif owners:
        os.mknod(place, entry.mode, os.makedev(*entry.device))
    else:
        return
    if owners:
        os.chown(place, entry.uid, entry.gid, follow_symlinks=False)
        for name, value in entry.xattrs.items():
            os.setxattr(place, name, value, follow_symlinks=False)
    if not entry.is_link and not entry.is_dir:
        place.chmod(stat.S_IMODE(entry.mode))


def _exclusive(place: Path) -> IO[bytes]:
    return os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb")
