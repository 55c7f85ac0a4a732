# SPDX-License-Identifier: MIT
"""The archive inside GRUB's EFI program: its modules and its configuration, where `(memdisk)/boot/grub` finds them.

grub-mkstandalone makes one too, with the time of the build in it and in the order in which the folder is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from . import archive
from .errors import LayerError

# What GRUB reads to find the module of a command, a file system or a partition table (grub-core/normal/dyncmd.c).
LISTS = ("moddep", "command", "fs", "partmap", "parttool", "video", "crypto", "terminal")


def closure(moddep: str, modules: Iterable[str]) -> list[str]:
    """Return modules with all that they depend on, sorted; `moddep` is moddep.lst: `NAME: NAME NAME ...` a line.

    Raises LayerError for a module that GRUB was not built with.
    """
    needs = {
        name.strip(): words.split() for line in moddep.splitlines() if line for name, _, words in [line.partition(":")]
    }
    found: set[str] = set()
    todo = list(modules)
    while todo:
        name = todo.pop()
        if name not in needs:
            raise LayerError(
                f"GRUB has no module {name}", "moddep.lst does not name it", "correct PYCONTAINER_GRUB_MODULES"
            )
        if name not in found:
            found.add(name)
            todo += needs[name]
    return sorted(found)


def write(target: Path, folder: Path, modules: Iterable[str], configuration: Path, epoch: int) -> list[str]:
    """Write the archive `target` with modules of GRUB's platform `folder` and the configuration; returns its members.

    Equal files give equal bytes; `epoch` is their time. Raises LayerError for what is not there.
    """
    try:
        names = [f"{name}.mod" for name in closure((folder / "moddep.lst").read_text(encoding="utf-8"), modules)]
        names += [f"{name}.lst" for name in LISTS if (folder / f"{name}.lst").exists()]
        content = {f"boot/grub/{folder.name}/{name}": (folder / name).read_bytes() for name in names}
        content["boot/grub/grub.cfg"] = configuration.read_bytes()
    except OSError as problem:
        raise LayerError("GRUB's modules or its configuration cannot be read", str(problem)) from problem
    return archive.write(target, content, epoch, 0o600)
