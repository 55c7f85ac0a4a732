# SPDX-License-Identifier: MIT
"""Manifests with all that belongs to them from one OCI image layout into another; blobs first, names last."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import VerificationError
from orchestrator.oci.descriptor import (
    INDEX_TYPE,
    MANIFEST_LIMIT,
    MANIFEST_TYPE,
    Descriptor,
    ImageIndex,
    Manifest,
    blobs_of,
    decode_document,
)
from orchestrator.oci.layout import SUBJECT, AttachedRoom, Layout
from orchestrator.oci.store import Store

Tell = Callable[[int, int], None]

_DEPTH = 3
_MANIFESTS = 2000


@dataclass(frozen=True)
class Moved:
    """What a transfer came to: manifests and blobs in all, and the bytes that had to be moved."""

    manifests: int = 0
    blobs: int = 0
    bytes: int = 0

    def __add__(self, other: Moved) -> Moved:
        return Moved(self.manifests + other.manifests, self.blobs + other.blobs, self.bytes + other.bytes)


def copy_family(source: Layout, target: Store, digest: str, tell: Tell = lambda done, total: None) -> Moved:
    """Copy a manifest, its blobs and what is attached to it, and enter them into the target's index.

    Of an index, which a release is, its bytes and what is attached to it: the target must have its manifests already.
    Each byte is compared with its digest on the way, but for blobs that are in the target already. Raises
    VerificationError when the source lacks something or is damaged; what was copied by then stays, and is not copied
    again.
    """
    with target.writing():
        return _copy_family(source, target, digest, tell)


def _copy_family(source: Layout, target: Store, digest: str, tell: Tell) -> Moved:
    found = family(source, digest)
    blobs = {part.digest: part for _, document, _ in found for part in blobs_of(document)}
    missing = [blob for blob in blobs.values() if not target.has_blob(blob.digest, blob.size)]
    total, done = sum(blob.size for blob in missing), 0
    for blob in missing:
        _copy(source, target, blob)
        done += blob.size
        tell(done, total)
    with target.together():
        for descriptor, document, data in found:
            target.put_blob(data, expected=descriptor.digest)
            subject = {SUBJECT: document.subject.digest} if document.subject else {}
            if isinstance(document, ImageIndex):
                _check_manifests(target, descriptor.digest, document)
            target.index.add(descriptor.plain(**subject))
    return Moved(len(found), len(blobs), total)


def family(source: Layout, digest: str) -> list[tuple[Descriptor, Manifest | ImageIndex, bytes]]:
    """Return a manifest or an index and all that is attached to it, each after its subject, with their bytes."""
    found = {digest: _read(source, digest)}
    level = [digest]
    room = AttachedRoom()
    for _ in range(_DEPTH):
        level = [each.digest for parent in level for each in source.referrers(parent) if each.digest not in found]
        read = {each: _read(source, each) for each in dict.fromkeys(level)}
        taken = {each: one for each, one in read.items() if isinstance(one[1], Manifest) and room.takes(one[1])}
        found |= taken
        level = list(taken)
        if len(found) > _MANIFESTS:
            raise VerificationError(f"too much is attached to {digest}", f"more than {_MANIFESTS} manifests")
    return list(found.values())


def descriptor_of(store: Store, digest: str) -> Descriptor:
    """Return the reference to a manifest or an index of a store that a tag takes."""
    return _read(store, digest)[0]


def described(document: Manifest | ImageIndex, digest: str, size: int) -> Descriptor:
    """Return the reference to a manifest or an index by what it says that it is."""
    kind = INDEX_TYPE if isinstance(document, ImageIndex) else MANIFEST_TYPE
    return Descriptor(media_type=kind, digest=digest, size=size, artifact_type=document.artifact_type)


def _check_manifests(target: Store, digest: str, index: ImageIndex) -> None:
    """Refuse an index whose manifests the target lacks: a store never names what it has not."""
    for each in index.manifests:
        if not target.has_blob(each.digest, each.size):
            raise VerificationError(
                f"index {digest[:19]} cannot be copied", f"its manifest {each.digest} is not there", "copy that first"
            )


def _read(source: Layout, digest: str) -> tuple[Descriptor, Manifest | ImageIndex, bytes]:
    data = source.read_blob(digest, limit=MANIFEST_LIMIT)
    document = decode_document(data, f"manifest {digest}")
    return described(document, digest, len(data)), document, data


def _copy(source: Layout, target: Store, blob: Descriptor) -> None:
    path = _immutable(source, blob.digest)
    if path is not None:
        target.put_blob(path, media_type=blob.media_type, expected=blob.digest, limit=blob.size, adopt=True)
        return
    with source.blobs.open(blob.digest) as stream:
        target.put_blob(stream, media_type=blob.media_type, expected=blob.digest, limit=blob.size)


def _immutable(source: Layout, digest: str) -> Path | None:
    """Return a blob's file when it may be shared by a hard link: it is a store's, ours, and nobody writes to it."""
    if not isinstance(source, Store):
        return None
    path = source.blobs.path(digest)
    try:
        status = path.stat()
    except OSError:
        return None  # whoever opens it says what is wrong
    return path if not status.st_mode & 0o222 and status.st_uid == os.geteuid() else None
