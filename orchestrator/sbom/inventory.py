# SPDX-License-Identifier: MIT
"""One pass over a layer's files: what is there, which files are programs, and what their headers say."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.sbom.elf import MAGIC, Elf, ElfError, parse
from orchestrator.sbom.files import ByteSource, FileEntry, FileTree
from orchestrator.sbom.model import Linking

_FIRST = 4
_SCRIPT = b"#!"


@dataclass
class Inventory:
    """The files of a layer by path; `programs` are its ELF files, `code` the paths of all that can run."""

    tree: FileTree
    entries: list[FileEntry] = field(default_factory=list)
    by_path: dict[str, FileEntry] = field(default_factory=dict)
    programs: dict[str, Elf] = field(default_factory=dict)
    code: set[str] = field(default_factory=set)
    damaged: list[str] = field(default_factory=list)

    def source(self, path: str) -> ByteSource:
        """Return the content of a file that `entries` names."""
        source = self.tree.open(path)
        assert source is not None, path
        return source

    def under(self, folder: str) -> Iterator[FileEntry]:
        """Yield the files below a folder, sorted by path."""
        prefix = folder.rstrip("/") + "/" if folder else ""
        start = bisect.bisect_left(self.entries, prefix, key=lambda entry: entry.path)
        for entry in self.entries[start:]:
            if not entry.path.startswith(prefix):
                return
            yield entry

    def linking(self, paths: list[str]) -> Linking:
        """Return how the programs among these files are linked; libraries and kernel modules do not count."""
        kinds = {
            "static" if elf.static else "dynamic"
            for path in paths
            if (elf := self.programs.get(path)) is not None and _is_program(elf)
        }
        if not kinds:
            return "none"
        return "mixed" if len(kinds) > 1 else "static" if "static" in kinds else "dynamic"


def _is_program(elf: Elf) -> bool:
    return elf.kind == "executable" or (elf.kind == "shared" and (bool(elf.interpreter) or elf.static))


def take(tree: FileTree) -> Inventory:
    """Look at every file of a layer once."""
    inventory = Inventory(tree)
    for entry in tree.files():
        inventory.entries.append(entry)
        inventory.by_path[entry.path] = entry
        if entry.size < _FIRST:
            continue
        source = inventory.source(entry.path)
        first = source.at(0, _FIRST)
        if first == MAGIC:
            inventory.code.add(entry.path)
            try:
                inventory.programs[entry.path] = parse(source)
            except ElfError:
                inventory.damaged.append(entry.path)
        elif entry.executable and first.startswith(_SCRIPT):
            inventory.code.add(entry.path)
    return inventory
