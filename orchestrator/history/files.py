# SPDX-License-Identifier: MIT
"""What differs inside two file systems of a layer: names, modes, owners, contents; nothing is unpacked."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass

from orchestrator.history.compare import BlobChange
from orchestrator.layers.squashnode import Node
from orchestrator.layers.squashread import MAGIC, SquashImage
from orchestrator.oci import Store
from orchestrator.product.units import format_size
from orchestrator.revision import LayerBlob


@dataclass(frozen=True)
class FileChange:
    """A name that differs: `what` is added, removed or changed, `detail` in what; `path` begins with a slash."""

    path: str
    what: str
    mode: str
    size: str
    detail: str


def file_changes(store: Store, blob: BlobChange) -> list[FileChange] | None:
    """Return what differs inside a layer's blob, sorted by path; None when it is no SquashFS image.

    Times are not compared: they are the build's. Raises VerificationError for a damaged image.
    """
    sides = [each for each in (blob.before, blob.after) if each is not None]
    if not sides or not all(_is_squashfs(store, each) for each in sides):
        return None
    before, after = _Side(store, blob.before), _Side(store, blob.after)
    try:
        found = []
        for path in sorted(before.tree.keys() | after.tree.keys()):
            one, other = before.tree.get(path), after.tree.get(path)
            detail = _difference(before, one, after, other)
            if detail is None:
                continue
            some = other or one
            assert some is not None
            what = "added" if one is None else "removed" if other is None else "changed"
            size = format_size(some.size) if stat.S_ISREG(some.mode) else ""
            found.append(
                FileChange("/" + path.decode(errors="backslashreplace"), what, stat.filemode(some.mode), size, detail)
            )
        return found
    finally:
        before.close()
        after.close()


def _is_squashfs(store: Store, blob: LayerBlob) -> bool:
    with store.blobs.open(blob.digest) as stream:
        return stream.read(len(MAGIC)) == MAGIC


class _Side:
    """One of the two images, or nothing."""

    def __init__(self, store: Store, blob: LayerBlob | None) -> None:
        self._stream = None if blob is None else store.blobs.open(blob.digest)
        self._image = None if self._stream is None else SquashImage(self._stream)
        self.tree = {} if self._image is None else self._image.tree()

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()

    def digest(self, node: Node) -> str:
        """Return the SHA-256 of a file's content in hex digits."""
        assert self._image is not None
        state = hashlib.sha256()
        for piece in self._image.pieces(node):
            state.update(piece)
        return state.hexdigest()


def _difference(before: _Side, one: Node | None, after: _Side, other: Node | None) -> str | None:
    """Return in what a name differs, or None when it does not."""
    if one is None or other is None:
        some, side = (one, before) if one else (other, after)
        assert some is not None
        if stat.S_ISLNK(some.mode):
            return f"-> {some.target.decode(errors='backslashreplace')}"
        return f"sha256 {side.digest(some)[:16]}" if stat.S_ISREG(some.mode) else ""
    parts = []
    if stat.S_IFMT(one.mode) != stat.S_IFMT(other.mode):
        return f"{stat.filemode(one.mode)} -> {stat.filemode(other.mode)}"
    if one.mode != other.mode:
        parts.append(f"mode {stat.S_IMODE(one.mode):04o} -> {stat.S_IMODE(other.mode):04o}")
    if (one.uid, one.gid) != (other.uid, other.gid):
        parts.append(f"owner {one.uid}:{one.gid} -> {other.uid}:{other.gid}")
    if one.target != other.target:
        targets = [each.target.decode(errors="backslashreplace") for each in (one, other)]
        parts.append(f"{targets[0]} -> {targets[1]}")
    if one.device != other.device:
        parts.append(f"device {one.device:#x} -> {other.device:#x}")
    if one.xattrs != other.xattrs:
        names = sorted({name for name, _ in set(one.xattrs) ^ set(other.xattrs)})
        parts.append("attributes " + ", ".join(name.decode(errors="backslashreplace") for name in names))
    if stat.S_ISREG(one.mode):
        digests = [side.digest(node)[:16] for side, node in ((before, one), (after, other))]
        if digests[0] != digests[1]:
            sizes = "" if one.size == other.size else f"{format_size(one.size)} -> {format_size(other.size)}, "
            parts.append(f"{sizes}sha256 {digests[0]} -> {digests[1]}")
    return "; ".join(parts) or None
