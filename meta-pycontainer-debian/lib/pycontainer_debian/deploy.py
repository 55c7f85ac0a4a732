# SPDX-License-Identifier: MIT
"""The deploy manifest: what this base hands over to the orchestrator, put together from the layers' fragments."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from .errors import DebianError
from .layer import FRAGMENT

MANIFEST = "pycontainer-deploy.json"


def fragments(folder: Path, recipes: list[str]) -> list[dict[str, Any]]:
    """Return the fragments that the named recipes deployed, in that order; raises DebianError when one is missing."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob(f"*/{FRAGMENT}")):
        value = json.loads(path.read_text(encoding="utf-8"))
        found[value["recipe"]] = value
    missing = [recipe for recipe in recipes if recipe not in found]
    if missing:
        raise DebianError(
            f"the recipe {missing[0]} is named in PYCONTAINER_LAYERS and deployed no layer",
            f"no {FRAGMENT} of it below {folder}",
            "let it inherit pycontainer-layer, or remove it from PYCONTAINER_LAYERS",
        )
    ordered = [found[recipe] for recipe in dict.fromkeys(recipes)]
    names = [value["name"] for value in ordered]
    if len(set(names)) != len(names):
        raise DebianError("two recipes deploy a layer of one name", ", ".join(sorted(names)), "set PYCONTAINER_LAYER")
    return ordered


TOOLS_FACTS = "packages.txt"


def write_tools_facts(tree: Path, facts: list[str]) -> None:
    """Note what a tools tree was unpacked from: `name_version_architecture=sha256` a line."""
    (tree / TOOLS_FACTS).write_text("\n".join(sorted(facts)) + "\n", encoding="utf-8")


def tools_facts(folder: Path, name: str) -> dict[str, str]:
    """Return the manifest's entry of a deployed tools tree; its digest is that of the pinned packages it came from."""
    data = (folder / name / TOOLS_FACTS).read_bytes()
    return {"path": name, "digest": "sha256:" + hashlib.sha256(data).hexdigest()}


def write_manifest(folder: Path, value: dict[str, Any]) -> None:
    """Write the manifest in one step: temporary name, fsync, rename."""
    temporary = folder / f".{MANIFEST}.{os.getpid()}.tmp"
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=1, sort_keys=True, ensure_ascii=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(folder / MANIFEST)
