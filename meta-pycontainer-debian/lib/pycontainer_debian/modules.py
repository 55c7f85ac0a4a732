# SPDX-License-Identifier: MIT
"""Kernel modules: a list of wishes, closed over modules.dep, as a tree for the BSP or for an initramfs."""

from __future__ import annotations

import fnmatch
import lzma
import os
import posixpath
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from .disk import extract, from_directory
from .errors import DebianError
from .tree import Content, Entry, Tree

_SUFFIXES = (".ko", ".ko.xz")
_MODULE_LIMIT = 64 * 1024 * 1024
# What the device's own loader reads; the .bin forms are kmod's and stay in the BSP.
HOST_INDEXES = ("modules.dep", "modules.alias", "modules.softdep", "modules.builtin")


def module_name(path: str) -> str:
    """Return a module's name as the kernel has it: no folder, no suffix, "_" for "-"."""
    base = posixpath.basename(path)
    for suffix in reversed(_SUFFIXES):
        base = base.removesuffix(suffix)
    return base.replace("-", "_")


def release_of(tree: Tree, folder: str = "usr/lib/modules") -> str:
    """Return the one kernel release that the tree has modules of; raises DebianError otherwise."""
    found = sorted({p.split("/")[folder.count("/") + 1] for p in tree.entries if p.startswith(folder + "/")})
    if len(found) != 1:
        names = ", ".join(found) or "none"
        raise DebianError("the kernel package has not exactly one release's modules", f"found: {names}")
    return found[0]


def device_tree(tree: Tree, release: str, name: str) -> str:
    """Return the path of a device tree (VENDOR/BOARD.dtb) of the kernel package; raises DebianError without it."""
    folder = f"usr/lib/linux-image-{release}"
    if tree.lookup(f"{folder}/{name}") is None:
        found = sorted(p.removeprefix(f"{folder}/") for p in tree.entries if p.startswith(f"{folder}/{name[:8]}"))
        raise DebianError(
            f"the kernel package has no device tree {name}",
            f"those that begin alike: {', '.join(found[:8]) or 'none'}",
            "correct device-tree in the machine's data file",
        )
    return f"{folder}/{name}"


def parse_dep(text: str) -> dict[str, list[str]]:
    """Parse modules.dep (depmod(8)): a module's path to the paths that it needs."""
    needs: dict[str, list[str]] = {}
    for line in text.splitlines():
        path, colon, rest = line.partition(":")
        if not colon:
            raise DebianError("modules.dep cannot be understood", repr(line[:120]))
        needs[path] = rest.split()
    return needs


def parse_softdep(text: str) -> dict[str, list[str]]:
    """Parse modules.softdep: a module's name to the names that it wants before or after itself."""
    wants: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) > 2 and words[0] == "softdep":
            wants.setdefault(module_name(words[1]), []).extend(
                module_name(word) for word in words[2:] if word not in ("pre:", "post:")
            )
    return wants


def wishes(text: str) -> list[str]:
    """Return the patterns of a module list: one or more a line, `#` begins a comment."""
    return [word for line in text.splitlines() for word in line.partition("#")[0].split()]


def select(
    needs: dict[str, list[str]], softdeps: dict[str, list[str]], patterns: Iterable[str], builtin: set[str]
) -> list[str]:
    """Return the paths that patterns choose (of a name, or of a path when they have a "/"), dependencies included.

    Raises DebianError for a pattern that matches nothing, unless it is built into the kernel: a renamed module would
    otherwise be lost in silence.
    """
    names = {module_name(path): path for path in needs}
    chosen: set[str] = set()
    queue: list[str] = []
    lost: list[str] = []
    for pattern in patterns:
        if "/" in pattern:
            found = [path for path in needs if fnmatch.fnmatchcase(path, pattern)]
        else:
            found = [names[name] for name in names if fnmatch.fnmatchcase(name, pattern.replace("-", "_"))]
        if not found and module_name(pattern) not in builtin:
            lost.append(pattern)
        queue += found
    if lost:
        raise DebianError(
            f"the kernel has no module that matches: {' '.join(lost)}",
            "neither modules.dep nor modules.builtin has the name",
            "correct the recipe's module list",
        )
    while queue:
        path = queue.pop()
        if path not in chosen:
            chosen.add(path)
            queue += needs[path]
            queue += [names[name] for name in softdeps.get(module_name(path), []) if name in names]
    return sorted(chosen)


def subset(source: Tree, folder: str, patterns: Iterable[str]) -> Tree:
    """Return a tree with the chosen modules of `source`, whose indexes lie in `folder`; without index files."""
    if source.lookup(f"{folder}/modules.dep") is None:
        raise DebianError("the modules have no modules.dep", f"nothing at {folder}/modules.dep")
    needs, softdeps, builtin = _indexes(source, folder)
    tree = Tree(mtime=source.mtime)
    for path in select(needs, softdeps, patterns, builtin):
        entry = source.lookup(f"{folder}/{path}")
        if entry is None:
            raise DebianError(f"modules.dep names {path}, which is not there")
        tree.directory(posixpath.dirname(f"{folder}/{path}"))
        tree.entries[f"{folder}/{path}"] = replace(entry, uid=0, gid=0)
    return tree


def _indexes(tree: Tree, folder: str) -> tuple[dict[str, list[str]], dict[str, list[str]], set[str]]:
    def text(name: str) -> str:
        entry = tree.lookup(f"{folder}/{name}")
        return entry.content.read().decode() if entry is not None else ""

    builtin = {module_name(line) for line in text("modules.builtin").splitlines()}
    return parse_dep(text("modules.dep")), parse_softdep(text("modules.softdep")), builtin


def plain(entry: Entry) -> bytes:
    """Return the bytes of a .ko.xz module, decompressed; raises DebianError when they are not what the suffix says."""
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=256 * 1024 * 1024)
    try:
        result = stream.decompress(entry.content.read(), max_length=_MODULE_LIMIT)
    except lzma.LZMAError as problem:
        raise DebianError("a kernel module cannot be decompressed", str(problem)) from problem
    if not stream.eof:
        raise DebianError(
            "a kernel module cannot be decompressed", f"it is cut short, or larger than {_MODULE_LIMIT} bytes"
        )
    return result


def uncompressed(tree: Tree) -> Tree:
    """Return the tree with plain .ko files: for an initramfs that is compressed as a whole."""
    result = Tree(mtime=tree.mtime)
    for path, entry in tree.items():
        if path.endswith(".ko.xz"):
            result.entries[path.removesuffix(".xz")] = replace(entry, content=Content.of(plain(entry)))
        else:
            result.entries[path] = entry
    return result


def indexed(tree: Tree, release: str, depmod: Path, work: Path) -> Tree:
    """Return lib/modules/<release> of a tree with depmod(8)'s index files made anew; `work` is a folder for it alone.

    Raises DebianError with depmod's words when it fails.
    """
    extract(tree, work)
    argv = [str(depmod), "-b", str(work), release]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={"PATH": os.defpath, "LC_ALL": "C"})
    if done.returncode != 0:
        raise DebianError("depmod failed", done.stderr.strip()[-300:])
    result = from_directory(work)
    for entry in result.entries.values():
        entry.uid = entry.gid = 0
        entry.mtime = tree.mtime
    return result


def moved(tree: Tree, folder: str, target: str) -> Tree:
    """Return what lies below `folder`, moved to `target`."""
    result = Tree(mtime=tree.mtime)
    result.directory(target)
    for path, entry in tree.items():
        if path.startswith(folder + "/"):
            result.entries[target + path.removeprefix(folder)] = entry
    return result


def curated(source: Tree, release: str, patterns: Iterable[str], depmod: Path, work: Path) -> Tree:
    """Return lib/modules/<release> with the modules that patterns choose and their dependencies, indexes made anew.

    `source` has the modules at lib/modules/<release> and needs no indexes but modules.builtin and modules.order.
    """
    folder = f"lib/modules/{release}"
    whole = indexed(source, release, depmod, work / "all")
    whole.mtime = source.mtime
    small = subset(whole, folder, patterns)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        if (entry := whole.lookup(f"{folder}/{name}")) is not None:
            small.entries[f"{folder}/{name}"] = entry
    return indexed(small, release, depmod, work / "chosen")


def add_to_host(tree: Tree, bsp: Tree, wanted: str, depmod: Path, work: Path) -> None:
    """Add the modules that a list names, out of the BSP's modules, to an initramfs: plain .ko, text indexes only."""
    release = release_of(bsp, "lib/modules")
    folder = f"lib/modules/{release}"
    small = uncompressed(subset(bsp, folder, wishes(wanted)))
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        if (entry := bsp.lookup(f"{folder}/{name}")) is not None:
            small.entries[f"{folder}/{name}"] = entry
    small.mtime = tree.mtime
    for path, entry in indexed(small, release, depmod, work).items():
        name = posixpath.basename(path)
        if entry.is_file and (name.endswith(".ko") or name in HOST_INDEXES):
            tree.directory(posixpath.dirname(path))
            tree.entries[tree.canonical(path)] = replace(entry, content=Content.of(entry.content.read()))
