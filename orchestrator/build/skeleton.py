# SPDX-License-Identifier: MIT
"""A tree without its contents: what one needs to know of a file system image to run it, and not its bytes.

A tar of all entries, compressed by zstd; regular files are empty but those that name users and groups.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import zstandard

from orchestrator.canonical import canonical_json, sha256_digest
from orchestrator.layers.inputs import Loaded, uncompressed
from orchestrator.layers.nodes import BytesContent, File
from orchestrator.layers.tarread import read_tar
from orchestrator.layers.tarwrite import write_tar
from orchestrator.layers.tree import Limits, Tree
from orchestrator.oci import Store
from orchestrator.publish import PublishedLayer

_KEPT = (b"/etc/passwd", b"/etc/group")
_LEVEL = 12


def skeleton(tree: Tree) -> bytes:
    """Return the skeleton of a tree, whose contents are taken away by that; the same tree, the same bytes."""
    kept = {id(tree.get(path)) for path in _KEPT}
    for _, node in tree.walk():
        if isinstance(node, File) and id(node) not in kept:
            node.content = BytesContent(b"")
    packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    pieces: list[bytes] = []
    write_tar(tree, lambda data: pieces.append(packer.compress(data)))
    pieces.append(packer.flush())
    return b"".join(pieces)


class PublishedSource:
    """A published layer as the input of a product's layer: its skeleton, its image's configuration, its image."""

    own = False

    def __init__(self, store: Store, layer: PublishedLayer, shown: str) -> None:
        self._store = store
        self._layer = layer
        self._shown = shown

    def describe(self) -> str:
        return f"layer {self._shown}"

    def digest(self) -> str:
        return sha256_digest(canonical_json(["published", self._layer.id]))

    def load(self, workspace: Path, limits: Limits, mtime: int) -> Loaded:
        part = self._layer.parts["tree"]
        self._store.verify_blob(part.digest, part.size)
        tree = Tree(limits)
        tree.root.mtime = mtime
        read_tar(uncompressed(self._store.blob_path(part.digest), workspace, limits.tar), tree, self._shown)
        image = msgspec.to_builtins(self._layer.config.image)
        packed = self._store.blob_path(self._layer.rootfs.digest)
        return Loaded(tree, image, packed=packed)
