# SPDX-License-Identifier: MIT
"""The deploy manifest `pycontainer-deploy.json`: what a build hands over to the orchestrator, schema version 1."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import LayerError
from .fragment import FRAGMENT, read

MANIFEST = "pycontainer-deploy.json"


def layers_of(deploy: Path, recipes: Iterable[str]) -> list[dict[str, Any]]:
    """Return the fragments of the named recipes, in that order.

    Raises LayerError when one deployed none, or two have one layer's name.
    """
    found = {value["recipe"]: value for path in sorted(deploy.glob(f"*/{FRAGMENT}")) for value in [read(path)]}
    chosen: list[dict[str, Any]] = []
    for recipe in dict.fromkeys(recipes):
        if recipe not in found:
            raise LayerError(
                f"the recipe {recipe} is named in PYCONTAINER_LAYERS and deployed no layer",
                f"no {FRAGMENT} of it below {deploy}",
                "let it inherit pycontainer-layer or pycontainer-rootfs, or take it out of PYCONTAINER_RECIPES",
            )
        chosen.append(found[recipe])
    names = [value["name"] for value in chosen]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise LayerError(f"two recipes deploy a layer named {double[0]}", "", "set PYCONTAINER_LAYER in one of them")
    return chosen


def distribution(identity: str, version: str, codename: str) -> dict[str, str]:
    """Return a distribution in the words of os-release(5); an unversioned one is named by its codename."""
    return {"id": identity, "version": version or codename, "codename": codename}


def write(
    deploy: Path,
    *,
    machine: str,
    architecture: str,
    distribution: Mapping[str, str],
    source_date_epoch: int,
    layers: list[dict[str, Any]],
    tools: Mapping[str, str] | None = None,
    emulator: str = "",
) -> Path:
    """Write the manifest in one step and return its path. `emulator` is the machine's QEMU options as JSON.

    Raises LayerError when these are no JSON object.
    """
    value: dict[str, Any] = {
        "schemaVersion": 1,
        "base": "yocto",
        "machine": machine,
        "architecture": architecture,
        "distribution": dict(distribution),
        "sourceDateEpoch": source_date_epoch,
        "layers": layers,
    }
    if tools:
        value["tools"] = dict(tools)
    if emulator.strip():
        try:
            value["emulator"] = json.loads(emulator)
        except ValueError as problem:
            raise LayerError("PYCONTAINER_EMULATOR is not JSON", str(problem)) from problem
        if not isinstance(value["emulator"], dict):
            raise LayerError("PYCONTAINER_EMULATOR is not a JSON object")
    deploy.mkdir(parents=True, exist_ok=True)
    temporary = deploy / f".{MANIFEST}.{os.getpid()}.tmp"
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=1, sort_keys=True, ensure_ascii=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(deploy / MANIFEST)
    return deploy / MANIFEST
