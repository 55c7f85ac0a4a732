# SPDX-License-Identifier: MIT
"""The files of a layer, as its documents count them: the base's, the product's own on top, and what is booted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.build.origins import Origin, origin_of
from orchestrator.deploy import Deploy, DeployLayer
from orchestrator.errors import ConfigError
from orchestrator.layers.build import Surroundings, add_files
from orchestrator.layers.cache import Blob
from orchestrator.layers.cpioread import read_initramfs
from orchestrator.layers.inputs import LayerSource, bitbake_source
from orchestrator.layers.nodes import File, FileContent
from orchestrator.layers.options import FileMapping
from orchestrator.layers.tree import Tree
from orchestrator.product.source import Source
from orchestrator.sbom import bitbake, bitbake22
from orchestrator.sbom.contents import Removed


@dataclass(frozen=True)
class Contained:
    """The files of a layer: its tree, those of them that the product laid over it, and those that are booted."""

    tree: Tree
    own: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[Removed, ...] = ()
    origin: Origin | None = None


def platform_files(
    base: Deploy, deployed: DeployLayer, blobs: Mapping[str, Blob], around: Surroundings, workspace: Path
) -> Contained:
    """Return the files of the boot loader, the BSP or the host; what is unpacked goes below `workspace`."""
    if deployed.kind == "host":
        return _host(base, deployed, blobs)
    tree = Tree()
    for role in ("board",) if deployed.kind == "bootloader" else ("modules", "firmware"):
        if role in deployed.files:
            source = bitbake_source(base, deployed, role)
            tree.merge(source.load(workspace, around.limits, around.source_date_epoch).tree, b"/")
    if deployed.kind == "bootloader":
        return Contained(tree, images={_put(tree, deployed, "efi", blobs["efi"]): "bootloader"})
    images = {_put(tree, deployed, "kernel", blobs["kernel"]): "kernel"}
    if "dtb" in blobs:
        _put(tree, deployed, "dtb", blobs["dtb"])
    return Contained(tree, images=images)


def container_files(
    source: LayerSource, given: Source, files: Sequence[FileMapping], around: Surroundings, workspace: Path
) -> Contained:
    """Return the files of a container: `given` is what the product file says of `source`, `files` are laid on top."""
    loaded = source.load(workspace, around.limits, around.source_date_epoch)
    before = set() if given.directory is not None else {id(node) for _, node in loaded.tree.walk()}
    for item in files:
        add_files(loaded.tree, item, around.source_date_epoch)
    own = [os.fsdecode(path) for path, node in loaded.tree.walk() if isinstance(node, File) and id(node) not in before]
    image = None
    if loaded.image is not None and given.reference is not None:
        image = origin_of(given.reference, loaded.image, around.architecture)
    return Contained(loaded.tree, tuple(own), removed=_whited_out(loaded.removed), origin=image)


def given_document(root: Path, name: str, given: Source) -> Path | None:
    """Return the SPDX document that the product file gives for layer `name`; raises ConfigError for another file."""
    if not given.spdx:
        return None
    path = root / given.spdx
    try:
        known = bitbake22.is_archive(path) or bitbake.is_bitbakes(path)
        path.open("rb").close()
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise ConfigError(f"the layer {name} has no {given.spdx}", why, "correct 'spdx' of the layer") from problem
    if not known:
        raise ConfigError(
            f"{path} is no SPDX document of BitBake's",
            "neither SPDX 3 in JSON-LD nor an archive of SPDX 2.2",
            f"layer {name}: name IMAGE.spdx.json or IMAGE.spdx.tar.zst as 'spdx'",
        )
    return path


def _host(base: Deploy, deployed: DeployLayer, blobs: Mapping[str, Blob]) -> Contained:
    deployed_tree, whole = Tree(), Tree()
    read_initramfs(base.verified(deployed.files["initramfs"]), deployed_tree)
    read_initramfs(blobs["initramfs"].path, whole)
    known = {path for path, _ in deployed_tree.walk()}
    own = [os.fsdecode(path) for path, node in whole.walk() if isinstance(node, File) and path not in known]
    return Contained(whole, tuple(own))


def _put(tree: Tree, deployed: DeployLayer, role: str, blob: Blob) -> str:
    name = Path(deployed.files[role].path).name
    tree.add(os.fsencode(name), File(mode=0o644, content=FileContent(blob.path, blob.size)))
    return name


def _whited_out(paths: Sequence[bytes]) -> tuple[Removed, ...]:
    """Say what whiteouts of an image took away; its bytes are not known here."""
    if not paths:
        return ()
    shown = [os.fsdecode(path).encode("utf-8", "replace").decode() for path in paths[:1000]]
    return (Removed(reason="whiteouts of the image; bytes not counted", files=len(paths), size=0, paths=shown),)
