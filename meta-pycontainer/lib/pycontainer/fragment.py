# SPDX-License-Identifier: MIT
"""What one recipe deploys: a folder with its files, and `layer.json` that names each with digest and size.

The words are those of the deploy contract, which the base over Debian packages follows too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import LayerError

FRAGMENT = "layer.json"
KINDS = ("bootloader", "bsp", "host", "rootfs", "app")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
_WORDS = {
    "Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "StopSignal", "User", "Volumes", "WorkingDir",
}  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """What a deployed layer says of itself.

    `files` maps a role (kernel, modules, firmware, dtb, initramfs, efi, board, rootfs) to the file that plays it;
    `spdx` is BitBake's SPDX 3 document of the recipe or image, `packages` the image's manifest (name, architecture,
    version a line), `copyright` a tar of licence texts. `config` is an OCI image configuration object.
    """

    name: str
    kind: str
    recipe: str
    version: str
    architecture: str
    files: Mapping[str, Path]
    spdx: Path | None = None
    packages: Path | None = None
    copyright: Path | None = None
    command_line: list[str] = field(default_factory=list)
    config: Mapping[str, Any] = field(default_factory=dict)


def parse_files(text: str) -> dict[str, str]:
    """Parse PYCONTAINER_FILES: `role=file`, separated by blanks. Raises LayerError."""
    found: dict[str, str] = {}
    for word in text.split():
        role, equals, name = word.partition("=")
        if not equals or not name or not re.fullmatch(r"[a-z][a-z-]*", role):
            raise LayerError(f"PYCONTAINER_FILES has {word!r}", "it is a list of role=file")
        if role in found:
            raise LayerError(f"PYCONTAINER_FILES names the role {role} twice", f"{found[role]} and {name}")
        found[role] = name
    return found


def parse_config(text: str) -> dict[str, Any]:
    """Parse PYCONTAINER_CONFIG: an OCI image configuration object (image-spec, config.md). Raises LayerError."""
    try:
        value = json.loads(text or "{}")
    except ValueError as problem:
        raise LayerError("PYCONTAINER_CONFIG is not JSON", str(problem)) from problem
    if not isinstance(value, dict):
        raise LayerError("PYCONTAINER_CONFIG is not a JSON object", text[:80])
    if unknown := sorted(set(value) - _WORDS):
        raise LayerError(
            f"PYCONTAINER_CONFIG has {unknown[0]}, which no image configuration has",
            f"it may have: {', '.join(sorted(_WORDS))}",
        )
    return value


def check(layer: Layer) -> None:
    """Raise LayerError for a layer that the orchestrator would refuse."""
    if layer.kind not in KINDS:
        raise LayerError(f"PYCONTAINER_KIND of {layer.recipe} is {layer.kind!r}", f"kinds are {', '.join(KINDS)}")
    if not _NAME.match(layer.name):
        raise LayerError(
            f"PYCONTAINER_LAYER of {layer.recipe} is {layer.name!r}",
            "names are lower case letters, digits, '.', '_', '-'",
        )
    if not layer.files:
        raise LayerError(f"{layer.recipe} deploys no file", "", "name some in PYCONTAINER_FILES")
    for role, path in layer.files.items():
        if not path.is_file():
            raise LayerError(
                f"the {role} of {layer.recipe} is not there", str(path), "see what the image or kernel deploys"
            )


def publish(layer: Layer, deploy: Path, work: Path) -> Path:
    """Put a layer into the deploy folder, all of it or nothing, and return its folder `deploy/<layer>`.

    `work` is a folder on the same file system, which is emptied. What the recipe deployed before under another layer's
    name is removed. Raises LayerError.
    """
    check(layer)
    shutil.rmtree(work, ignore_errors=True)
    folder = work / layer.name
    folder.mkdir(parents=True)
    value: dict[str, Any] = {
        "name": layer.name,
        "kind": layer.kind,
        "recipe": layer.recipe,
        "version": layer.version,
        "architecture": layer.architecture,
        "files": {role: _take(path, folder, role) for role, path in sorted(layer.files.items())},
    }
    for key, extra, suffix in (
        ("spdx", layer.spdx, "spdx.json"),
        ("packages", layer.packages, "manifest"),
        ("copyright", layer.copyright, "copyright.tar"),
    ):
        if extra is not None:
            value[key] = _take(extra, folder, f"{layer.name}.{suffix}", exact=True)
    if layer.command_line:
        value["commandLine"] = layer.command_line
    if layer.config:
        value["config"] = dict(layer.config)
    (folder / FRAGMENT).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    _supersede(deploy, layer)
    return _swap_in(folder, deploy / layer.name)


def read(path: Path) -> dict[str, Any]:
    """Return a deployed fragment; raises LayerError when it cannot be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise LayerError(f"{path} cannot be read", str(problem)) from problem
    if not isinstance(value, dict) or not isinstance(value.get("recipe"), str):
        raise LayerError(f"{path} is no layer's fragment")
    return value


def _take(source: Path, folder: Path, name: str, *, exact: bool = False) -> dict[str, Any]:
    """Copy a file (a link to it, where the file system has them) under its role's name, and describe it."""
    real = source.resolve()
    target = folder / (name if exact else name + _suffix(source.name))
    try:
        os.link(real, target)
    except OSError:
        shutil.copyfile(real, target)
    with target.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"path": f"{folder.name}/{target.name}", "digest": f"sha256:{digest}", "size": target.stat().st_size}


def _suffix(name: str) -> str:
    match = re.search(r"((?:\.cpio|\.tar)(?:\.[a-z0-9]+)?|\.EFI|\.efi|\.dtb|\.bin)\Z", name)
    return match[1] if match else ""


def _supersede(deploy: Path, layer: Layer) -> None:
    for path in sorted(deploy.glob(f"*/{FRAGMENT}")):
        with contextlib.suppress(LayerError):
            if path.parent.name != layer.name and read(path)["recipe"] == layer.recipe:
                shutil.rmtree(path.parent)


def _swap_in(source: Path, target: Path) -> Path:
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.move(source, new)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    return target
