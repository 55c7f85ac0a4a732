# SPDX-License-Identifier: MIT
"""The host's initramfs: the device program, the runtime and the libraries they need, modules, and nothing else."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .archives import write_cpio
from .elf import check_symbols, closure
from .errors import DebianError
from .tree import Entry, Tree

_FOLDERS = ("dev", "proc", "sys", "run", "storage", "etc", "etc/pycontainer")
# The kernel opens it for PID 1 before anything is mounted (Linux init/main.c: console_on_rootfs).
_CONSOLE = (5, 1)


def skeleton(epoch: int) -> Tree:
    """Return an initramfs with the directories and the device node that the kernel and PID 1 find at their start."""
    tree = Tree(merged_usr=True, mtime=epoch)
    for name in _FOLDERS:
        tree.directory(name)
    tree.directory("tmp", 0o1777)
    tree.directory("root", 0o700)
    tree.entries["dev/console"] = Entry(stat.S_IFCHR | 0o600, 0, 0, epoch, device=_CONSOLE)
    return tree


def add_programs(target: Tree, source: Tree, programs: Iterable[str], folders: Iterable[str]) -> None:
    """Copy programs of `source` with all that they need to run; see `elf.closure`."""
    chosen = closure(source, programs, folders)
    check_symbols(source, chosen)
    for path in sorted(chosen):
        target.directory(os.path.dirname(path))
        target.entries[path] = source.entries[path]


def load_list(text: str) -> bytes:
    """Return a module list in the form that the device program reads: one name a line, comments gone."""
    names = [word for line in text.splitlines() for word in line.partition("#")[0].split()]
    return "".join(f"{name}\n" for name in dict.fromkeys(names)).encode()


def write_initramfs(tree: Tree, zstd: Path, output: Path) -> None:
    """Write a tree as newc cpio compressed by the given zstd (level 19, one thread: one possible result)."""
    plain = output.with_name(f".{output.name}.cpio")
    try:
        with plain.open("wb") as stream:
            write_cpio(tree, stream)
        argv = [str(zstd), "-q", "-19", "--single-thread", "--no-progress", "-f", "-o", str(output), str(plain)]
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode != 0:
            raise DebianError("zstd failed", done.stderr.strip()[-300:])
    finally:
        plain.unlink(missing_ok=True)
