# SPDX-License-Identifier: MIT
"""What starts a board up to UEFI, as one archive beside the boot loader: the deploy contract's role `board`.

plan.json      {"schemaVersion": 1, "areas": [{"name", "offset", "size", "type"?}]}, in bytes
esp/PATH       files of the EFI system partition
areas/NAME     what is written to the disk from an area's offset on
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping
from typing import Any

from .contents import RECIPE, Contents
from .errors import DebianError
from .tree import Entry, Tree

KIB = 1024


def gathered(packages: Tree, plan: Mapping[str, Any], contents: Contents, epoch: int) -> tuple[Tree, set[str]]:
    """Return the archive's tree for a machine's `firmware` table, and the packages that its files come from.

    Who owns which file is noted in `contents`. Raises DebianError when a package has not what the table names.
    """
    tree, origins = Tree(mtime=epoch), set()
    areas = []
    for file in plan["files"]:
        place = f"esp/{file['path']}"
        if "text" in file:
            tree.file(place, file["text"].encode())
            contents.explain(RECIPE, [place])
        else:
            origins.add(_taken(tree, place, packages, file["source"], contents))
    for area in plan["areas"]:
        place, size = f"areas/{area['name']}", area["size-kib"] * KIB
        origins.add(_taken(tree, place, packages, area["source"], contents))
        if (found := tree.entries[place].content.size) > size:
            raise DebianError(
                f"{area['source']} does not fit where the board wants it",
                f"it has {found} bytes, the area {area['name']} has {size}",
                "correct size-kib in the machine's data file",
            )
        kind = {"type": area["type"]} if "type" in area else {}
        areas.append({"name": area["name"], "offset": area["offset-kib"] * KIB, "size": size, **kind})
    value = {"schemaVersion": 1, "areas": areas}
    tree.file("plan.json", json.dumps(value, sort_keys=True).encode() + b"\n")
    contents.explain(RECIPE, ["plan.json"])
    return tree, origins


def _taken(tree: Tree, place: str, packages: Tree, source: str, contents: Contents) -> str:
    path, entry = _one(packages, source)
    tree.file(place, entry.content)
    if not entry.origin:
        raise DebianError(f"nothing says which package {path} is of", f"the machine's data file names {source}")
    contents.own(entry.origin, [place])
    return entry.origin


def _one(packages: Tree, source: str) -> tuple[str, Entry]:
    found = [source] if "*" not in source else [path for path in packages.entries if fnmatch.fnmatch(path, source)]
    entries = [(path, entry) for path in found if (entry := packages.lookup(path)) is not None and entry.is_file]
    if len(entries) == 1:
        return entries[0]
    folder = source.rpartition("/")[0].partition("*")[0]
    near = sorted(path for path, entry in packages.items() if entry.is_file and path.startswith(folder))
    raise DebianError(
        f"the firmware packages of the machine have {len(entries)} files {source}",
        f"those near it: {', '.join(near[:8]) or 'none'}",
        "correct firmware in the machine's data file",
    )
