# SPDX-License-Identifier: MIT
"""Who owns which file of a layer, and what of its packages the layer has not: `contents.json` of the deploy contract.

It is noted while a layer is put together, before anything is stripped: of the finished layer nobody could tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .tree import Entry, Tree

SHOWN = 1000
"""How many removed paths of a kind are listed; all are counted."""
RECIPE = "the recipe's own files"
DEPMOD = "indexes that depmod made of the modules"
INSTALLATION = "made while the packages were installed"
_REASONS = (
    ("documentation", re.compile(r"usr/share/(?:doc|doc-base|lintian|bug)/")),
    ("manual pages", re.compile(r"usr/share/(?:man|info|help)/")),
    ("translations", re.compile(r"usr/share/(?:locale|i18n)/")),
    ("kernel modules that the layer does not need", re.compile(r"(?:usr/)?lib/modules/")),
)
_OTHER = "parts of packages that the layer does not need"


@dataclass
class Contents:
    """The account of a layer's files, by paths as the layer has them."""

    owners: dict[str, set[str]] = field(default_factory=dict)
    explained: dict[str, set[str]] = field(default_factory=dict)
    removed: dict[str, dict[str, int]] = field(default_factory=dict)

    def own(self, owner: str, paths: Iterable[str]) -> None:
        """Note that a package or component owns these files."""
        self.owners.setdefault(owner, set()).update(path.lstrip("/") for path in paths)

    def explain(self, reason: str, paths: Iterable[str]) -> None:
        """Note why files are there that no package owns."""
        self.explained.setdefault(reason, set()).update(path.lstrip("/") for path in paths)

    def settle(self, layer: Tree, packages: Tree, otherwise: str = "") -> None:
        """Account for a finished layer whose files came from packages.

        A file belongs to the package that brought an entry of its path, unless it is accounted for already;
        `otherwise` explains the rest. What the packages have and the layer has not is noted as removed.
        """
        taken = {path for paths in (*self.owners.values(), *self.explained.values()) for path in paths}
        for path, entry in layer.items():
            if not entry.is_file or path in taken:
                continue
            origin = entry.origin or _origin(packages.entries.get(path))
            if origin:
                self.own(origin, [path])
            elif otherwise:
                self.explain(otherwise, [path])
        self.gone(packages, layer.entries)

    def gone(self, packages: Tree, kept: Iterable[str]) -> None:
        """Note as removed the files of packages whose paths are not among those that were kept."""
        here = set(kept)
        for path, entry in packages.items():
            if entry.is_file and entry.origin and path not in here:
                reason = next((word for word, pattern in _REASONS if pattern.match(path)), _OTHER)
                self.removed.setdefault(reason, {})[path] = entry.content.size

    def from_modules(self, layer: Tree, bsp: dict[str, Any]) -> None:
        """Give an initramfs's kernel modules to whom the BSP's contents give them, packed there or not."""
        owner = {path: name for name, paths in bsp.get("owners", {}).items() for path in paths}
        for path, entry in layer.items():
            if not entry.is_file or "lib/modules/" not in path:
                continue
            plain = path.removeprefix("usr/")
            found = next((owner[each] for each in (plain, f"{plain}.xz", f"{plain}.zst") if each in owner), None)
            if found is not None:
                self.own(found, [path])
            elif not path.endswith(".ko"):
                self.explain(DEPMOD, [path])

    def to_json(self) -> bytes:
        """Return the file's content; equal accounts give equal bytes."""
        value = {
            "schemaVersion": 1,
            "owners": {name: sorted(paths) for name, paths in sorted(self.owners.items()) if paths},
            "explained": {reason: sorted(paths) for reason, paths in sorted(self.explained.items()) if paths},
            "removed": [
                {
                    "reason": reason,
                    "files": len(files),
                    "size": sum(files.values()),
                    "paths": sorted(files)[:SHOWN],
                }
                for reason, files in sorted(self.removed.items())
            ],
        }
        return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def _origin(entry: Entry | None) -> str:
    return entry.origin if entry is not None and entry.is_file else ""
