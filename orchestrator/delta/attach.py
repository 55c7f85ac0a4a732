# SPDX-License-Identifier: MIT
"""Chunk indexes beside a manifest: made for its large blobs, attached as one OCI referrer, found again."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Sequence

from orchestrator.delta.cutter import cut
from orchestrator.delta.index import INDEX_LIMIT, ChunkIndex, decode_index, make_index, size_of_index
from orchestrator.errors import VerificationError
from orchestrator.oci import MANIFEST_TYPE, Descriptor, Manifest, Store
from orchestrator.oci.layout import SUBJECT, Layout

CHUNKS_TYPE = "application/vnd.pycontainer.chunks.v1"
"""Artifact type of the referrer."""
INDEX_TYPE = "application/vnd.pycontainer.chunks.index.v1"
"""Media type of the index of one blob."""
OF = "vnd.pycontainer.chunks.of"
"""Annotation of an index: the digest of the blob that it is of."""
LARGE = 1 << 20
"""Blobs of more bytes than this have an index."""
NEWEST = 64
"""Manifests of a layout that are looked at, the newest first: older ones are less like what comes."""


def index_of(layout: Layout, digest: str) -> ChunkIndex:
    """Cut a blob of a layout into chunks; raises VerificationError when it is not here."""
    with layout.blobs.open(digest) as stream:
        size = layout.blobs.size(digest)
        try:
            return make_index(digest, size or 0, cut(stream))
        except ValueError as problem:
            raise VerificationError(f"blob {digest} changed while it was read", str(problem)) from problem


def large_blobs(manifest: Manifest) -> list[Descriptor]:
    """Return the blobs of a manifest that have an index, each once, by digest: the order of their indexes."""
    found = {blob.digest: blob for blob in manifest.layers if blob.size > LARGE}
    return [found[digest] for digest in sorted(found)]


def attach_chunks(store: Store, digest: str) -> Descriptor | None:
    """Attach the chunk indexes of a manifest's large blobs to it; returns the referrer, or None when it has no such.

    The same blobs give the same referrer, whoever makes it; one that is here is left as it is. Raises VerificationError
    when the store lacks the manifest or a blob.
    """
    manifest = store.read_manifest(digest)
    blobs = large_blobs(manifest)
    if not blobs:
        return None
    for each in store.referrers(digest, CHUNKS_TYPE):
        with contextlib.suppress(VerificationError):
            listed = indexes_of(store.read_manifest(each.digest))
            if listed.keys() == {blob.digest for blob in blobs}:
                for blob in blobs:
                    read_index(store, listed[blob.digest], blob)
                return each
    known = _known_indexes(store, blobs)
    with store.writing():
        indexes = []
        for blob in blobs:
            index = known.get(blob.digest) or index_of(store, blob.digest)
            indexes.append(store.put_blob(index.encode(), media_type=INDEX_TYPE).plain(**{OF: blob.digest}))
        subject = Descriptor(media_type=manifest.media_type, digest=digest, size=store.blobs.size(digest) or 0)
        return store.attach(subject, CHUNKS_TYPE, indexes)


def indexes_of(manifest: Manifest) -> dict[str, Descriptor]:
    """Return the indexes that a referrer of `CHUNKS_TYPE` lists, by the digest of the blob that each is of.

    What is no index of a sane size is left out.
    """
    if manifest.artifact_type != CHUNKS_TYPE:
        return {}
    return {
        each.annotations[OF]: each
        for each in manifest.layers
        if each.media_type == INDEX_TYPE and OF in each.annotations and each.size <= INDEX_LIMIT
    }


def read_index(layout: Layout, entry: Descriptor, blob: Descriptor) -> ChunkIndex:
    """Return the index of `blob` that `entry` names; raises VerificationError when it is missing or none of it."""
    data = layout.read_blob(entry.digest, limit=size_of_index(blob.size))
    return decode_index(data, blob.digest, blob.size)


def listed_indexes(layout: Layout, digest: str) -> dict[str, Descriptor]:
    """Return the indexes that are attached to a manifest, by the digest of the blob that each is said to be of."""
    found: dict[str, Descriptor] = {}
    for each in layout.referrers(digest, CHUNKS_TYPE):
        with contextlib.suppress(VerificationError):
            found |= indexes_of(layout.read_manifest(each.digest))
    return found


def newest_manifests(layout: Layout) -> Iterator[tuple[str, Manifest]]:
    """Yield the newest manifests of a layout that belong to no other, with their digests."""
    entries = (each for each in reversed(layout.entries()) if each.media_type == MANIFEST_TYPE)
    found = named_manifests(layout, (each.digest for each in entries if SUBJECT not in each.annotations))
    return itertools.islice(found, NEWEST)


def named_manifests(layout: Layout, digests: Iterable[str]) -> Iterator[tuple[str, Manifest]]:
    """Yield those of the manifests that a layout has and that belong to no other, entered in its index or not."""
    for digest in dict.fromkeys(digests):
        with contextlib.suppress(VerificationError):  # fsck names what is damaged
            manifest = layout.read_manifest(digest)
            if manifest.subject is None:
                yield digest, manifest


def known_index(layout: Layout, blob: Descriptor) -> ChunkIndex | None:
    """Return the index of a blob that is attached to one of the newest manifests, or None."""
    return _known_indexes(layout, [blob]).get(blob.digest)


def _known_indexes(layout: Layout, blobs: Sequence[Descriptor]) -> dict[str, ChunkIndex]:
    """Return the indexes of blobs that are attached to the newest manifests."""
    found: dict[str, ChunkIndex] = {}
    for digest, manifest in newest_manifests(layout):
        wanted = [blob for blob in blobs if blob.digest not in found]
        if not wanted:
            break
        here = {part.digest for part in manifest.layers}
        listed = listed_indexes(layout, digest) if here.intersection(blob.digest for blob in wanted) else {}
        for blob in wanted:
            if blob.digest in listed:
                with contextlib.suppress(VerificationError):
                    found[blob.digest] = read_index(layout, listed[blob.digest], blob)
    return found
