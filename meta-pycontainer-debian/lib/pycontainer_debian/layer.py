# SPDX-License-Identifier: MIT
"""A layer while it is put together, and what a recipe deploys of it: files by role, SPDX facts, copyright files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .archives import read_tar, write_tar
from .deb import Deb, copyright_of, unpack
from .errors import DebianError
from .lock import PinnedFile
from .spdx import Component, Facts, document, packages_of
from .tree import Tree

FRAGMENT = "layer.json"
CONTENTS = "contents.json"


@dataclass
class Packages:
    """Opened package files and the merged tree of what they hold; `spool` keeps the contents meanwhile.

    A recipe works on `tree`; `whole` keeps every path that the packages brought, for the account of what was removed.
    """

    files: list[PinnedFile]
    spool: Path
    epoch: int
    tree: Tree = field(init=False)
    whole: Tree = field(init=False)
    debs: list[Deb] = field(init=False)
    copyrights: dict[str, bytes] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.debs = [Deb(file.path) for file in self.files]
        self.tree = Tree(merged_usr=True, mtime=self.epoch)
        self.spool.parent.mkdir(parents=True, exist_ok=True)
        self.spool.unlink(missing_ok=True)
        unpack(self.debs, self.tree, self.spool)
        self.tree.clamp(self.epoch)
        self.whole = Tree(merged_usr=True, mtime=self.epoch)
        self.whole.entries = dict(self.tree.entries)
        for deb in self.debs:
            if (text := copyright_of(self.tree, deb.name)) is not None:
                self.copyrights[deb.name] = text

    def used_by(self, tree: Tree) -> set[str]:
        """Return the names of the packages that a tree still has regular files of."""
        names = {deb.name for deb in self.debs}
        return {entry.origin for entry in tree.entries.values() if entry.origin in names and entry.is_file}

    def chosen(self, names: set[str]) -> list[tuple[PinnedFile, Deb]]:
        """Return the named packages with their files."""
        return [(file, deb) for file, deb in zip(self.files, self.debs, strict=True) if deb.name in names]


@dataclass(frozen=True)
class Layer:
    """What a deployed layer says of itself, in the words of the deploy contract."""

    name: str
    kind: str
    recipe: str
    version: str
    architecture: str
    distro: str
    epoch: int
    command_line: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    runtimes: list[str] = field(default_factory=list)


def publish(
    layer: Layer,
    folder: Path,
    roles: dict[str, str],
    debs: list[tuple[PinnedFile, Deb]],
    copyrights: dict[str, bytes],
    components: list[Component],
    carried: list[dict[str, Any]] | None = None,
    contents: bytes | None = None,
    static: dict[str, list[str]] | None = None,
) -> None:
    """Complete a layer's folder: SPDX document, copyright.tar and the fragment that names every file with its digest.

    `roles` maps a role to a file name in `folder`, `carried` are packages of `carried_from`, `contents` is
    `Contents.to_json`, `static` names whose code is in which component. Raises DebianError when a
    package has no copyright file.
    """
    names = {deb.name for _, deb in debs} | {component.name for component in components}
    names |= set(_names(carried or []))
    missing = sorted(names - copyrights.keys())
    if missing:
        raise DebianError(
            f"no copyright file is known of {', '.join(missing)}",
            f"the layer {layer.name} has files of it, and ships only what its licences were kept of",
        )
    tree = Tree(mtime=layer.epoch)
    for name in sorted(names):
        tree.file(f"{name}/copyright", copyrights[name])
    write_tar(tree, folder / "copyright.tar")
    facts = Facts(layer.name, layer.version, layer.epoch, layer.distro, debs, components, carried or [], static or {})
    spdx = f"{layer.name}.spdx.json"
    (folder / spdx).write_bytes(document(facts))
    value: dict[str, Any] = {
        "name": layer.name,
        "kind": layer.kind,
        "recipe": layer.recipe,
        "version": layer.version,
        "architecture": layer.architecture,
        "files": {role: describe(folder, name) for role, name in sorted(roles.items())},
        "spdx": describe(folder, spdx),
        "copyright": describe(folder, "copyright.tar"),
    }
    if contents is not None:
        (folder / CONTENTS).write_bytes(contents)
        value["contents"] = describe(folder, CONTENTS)
    if layer.command_line:
        value["commandLine"] = layer.command_line
    if layer.config:
        value["config"] = layer.config
    if layer.runtimes:
        value["runtimes"] = layer.runtimes
    (folder / FRAGMENT).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def carried_from(folder: Path) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Return the packages of a deployed layer and their copyright files, for another layer that has files of them."""
    packages = packages_of((folder / f"{folder.name}.spdx.json").read_bytes())
    copyrights = read_tar(folder / "copyright.tar")
    return packages, {name: copyrights.entries[f"{name}/copyright"].content.read() for name in _names(packages)}


def _names(packages: list[dict[str, Any]]) -> list[str]:
    return sorted({str(package["name"]) for package in packages})


def describe(folder: Path, name: str) -> dict[str, Any]:
    """Return path (from the folder's parent), digest and size of a deployed file."""
    path = folder / name
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"path": f"{folder.name}/{name}", "digest": f"sha256:{digest}", "size": path.stat().st_size}


def swap_in(source: Path, target: Path) -> None:
    """Put a complete folder in the place of another: copied by hard links beside it, then renamed."""
    new = target.with_name(f".{target.name}.new")
    old = target.with_name(f".{target.name}.old")
    for left in (new, old):
        shutil.rmtree(left, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, new, symlinks=True, copy_function=_link)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def supersede(folder: Path, recipe: str, layer: str) -> None:
    """Remove from a deploy folder what a recipe deployed before, when its layer had another name."""
    for path in sorted(folder.glob(f"*/{FRAGMENT}")):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            if path.parent.name != layer and json.loads(path.read_text(encoding="utf-8"))["recipe"] == recipe:
                shutil.rmtree(path.parent)


def _link(source: str, target: str) -> None:
    if Path(source).is_symlink():
        Path(target).symlink_to(Path(source).readlink())
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
