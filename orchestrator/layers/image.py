# SPDX-License-Identifier: MIT
"""A container image as the input of a layer, wherever it came from: its OCI layers become one tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.canonical import canonical_json, sha256_digest
from orchestrator.errors import VerificationError
from orchestrator.layers.imagefiles import FolderFiles
from orchestrator.layers.inputs import Loaded
from orchestrator.layers.layout import FoundImage, check_layout, read_image, select_manifest
from orchestrator.layers.merge import Changes, apply
from orchestrator.layers.spool import uncompressed_layer
from orchestrator.layers.tarread import read_tar
from orchestrator.layers.tree import Limits, Tree
from orchestrator.oci.platform import Platform


@dataclass(frozen=True)
class ImageSource:
    """One image of a layout.

    `folder` is an OCI image layout (only its `blobs/sha256/` is looked at, so that the cache of pulled images needs no
    index), `manifest` the digest of the image's manifest, or of an index out of which `platform` chooses. `shown` is
    the reference in the user's words, for messages.
    """

    folder: Path
    manifest: str
    platform: Platform
    shown: str = ""
    own = False

    def describe(self) -> str:
        return f"image {self.shown or self.manifest}"

    def digest(self) -> str:
        return sha256_digest(canonical_json(["image", self.manifest, str(self.platform)]))

    def load(self, workspace: Path, limits: Limits, mtime: int) -> Loaded:
        files = FolderFiles(self.folder, self.describe())
        return load_image(read_image(files, self.manifest, self.platform), workspace, limits, mtime)


def layout_source(folder: Path, name: str, digest: str, platform: Platform, shown: str) -> ImageSource:
    """Return the image of a layout by its name, which may be empty when there is only one, or by its digest.

    Raises ConfigError when there is no such image or more than one, VerificationError for what is malformed.
    """
    files = FolderFiles(folder, f"image {shown}")
    check_layout(files)
    return ImageSource(folder, digest or select_manifest(files, name, platform), platform, shown)


def load_image(image: FoundImage, workspace: Path, limits: Limits, mtime: int) -> Loaded:
    """Return the merged tree of an image; see `LayerSource.load`.

    Raises VerificationError when an OCI layer is not what the image says, is malformed or passes a limit.
    """
    tree = Tree(limits)
    tree.root.mtime = mtime
    gone: set[bytes] = set()
    left = limits.tar
    for number, layer in enumerate(image.layers, 1):
        shown = f"{image.shown}: OCI layer {number}"
        tar = uncompressed_layer(layer, workspace, left, shown)
        left -= tar.size
        changes = Changes(limits)
        read_tar(tar.path, changes, shown, start=tar.offset, length=tar.size)
        try:
            gone.update(apply(tree, changes))
        except VerificationError as problem:
            raise VerificationError(f"{shown} is refused: {problem.what}", problem.why, problem.hint) from problem
    removed = sorted(path for path in gone if tree.get(path, follow=False) is None)
    return Loaded(tree, image.config, tuple(removed), image.identity)
