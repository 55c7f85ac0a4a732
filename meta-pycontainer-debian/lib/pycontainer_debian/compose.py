# SPDX-License-Identifier: MIT
"""A recipe's own files, folders and links in a layer's tree, as the recipe writes them."""

from __future__ import annotations

import stat
from pathlib import Path

from .elf import closure
from .errors import DebianError
from .tree import Content, Entry, Tree

_CODE = ("usr/bin/", "usr/sbin/", "usr/lib/", "usr/lib64/")


def _owned(word: str, mode: int) -> tuple[str, int, int, int]:
    path, *rest = word.split(":")
    try:
        if not path.startswith("/") or len(rest) > 3:
            raise ValueError(word)
        return (
            path,
            int(rest[0], 8) if rest else mode,
            int(rest[1]) if len(rest) > 1 else 0,
            int(rest[2]) if len(rest) > 2 else 0,
        )
    except ValueError as problem:
        what = f"{word!r} is not /path[:mode[:uid[:gid]]]"
        raise DebianError(what, "mode is octal", "correct the recipe") from problem


def programs(tree: Tree, names: list[str], libraries: list[str]) -> None:
    """Keep of usr/{bin,sbin,lib,lib64} only these programs and what they are linked to; without names keep all."""
    if not names:
        return
    chosen = closure(tree, names, libraries)
    parents = {parent for path in chosen for parent in _parents(path)}
    tree.remove(lambda path: not path.startswith(_CODE) or path in chosen or path in parents)


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def folders(tree: Tree, words: list[str]) -> None:
    """Make each `/path[:mode[:uid[:gid]]]` a directory with that mode and owner, whatever a package said of it."""
    for word in words:
        path, mode, uid, gid = _owned(word, 0o755)
        where = tree.real(path) or path
        tree.directory(where)
        entry = tree.entries[tree.canonical(where)]
        if not entry.is_dir:
            raise DebianError(f"{path} is wanted as a directory and is none")
        entry.mode, entry.uid, entry.gid = stat.S_IFDIR | mode, uid, gid


def files(tree: Tree, words: list[str], sources: Path) -> None:
    """Put each `source=/path[:mode[:uid[:gid]]]`; sources are files below `sources`."""
    for word in words:
        name, equals, rest = word.partition("=")
        path, mode, uid, gid = _owned(rest, 0o644)
        source = sources / name
        if not equals or not source.is_file():
            raise DebianError(f"{word!r} names no file among the recipe's sources", f"no file {source}")
        content = Content.of(source.read_bytes())
        tree.replace(path, Entry(stat.S_IFREG | mode, uid, gid, tree.mtime, content=content))


def places(words: list[str]) -> list[str]:
    """Return the destinations of `source=/path[:mode[:uid[:gid]]]` words."""
    return [_owned(word.partition("=")[2], 0o644)[0] for word in words]


def links(tree: Tree, words: list[str]) -> None:
    """Put each `/path=target` as a symbolic link."""
    for word in words:
        path, equals, target = word.partition("=")
        if not equals or not path.startswith("/"):
            raise DebianError(f"{word!r} is not /path=target", "", "correct the recipe")
        tree.symlink(path, target)
