# SPDX-License-Identifier: MIT
"""Which blobs may have chunks of one that is to come: those of the same place in other manifests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping

from orchestrator.delta.attach import LARGE, index_of, listed_indexes, named_manifests, newest_manifests, read_index
from orchestrator.delta.index import ChunkIndex
from orchestrator.errors import VerificationError
from orchestrator.oci import Descriptor
from orchestrator.oci.layout import Layout

LAYER = "vnd.pycontainer.layer"
ROLE = "vnd.pycontainer.role"
_SEEDS = 6
"""Blobs of which the chunks are looked at, for one that comes."""
_CUT_MOST = 1 << 30
"""Bytes of blobs without an index that are read and cut, for all that comes."""


class Seeds:
    """The large blobs of the manifests in layouts, for one transfer. Not to be used by two threads at once.

    `elsewhere` names the manifests whose blobs somebody else has, all of them: then only these are looked at, whether
    the layouts' indexes have them still or not, and their blobs need not be here as long as their chunk indexes are.
    Otherwise a seed is a blob that is here.
    """

    def __init__(self, *layouts: Layout, elsewhere: Iterable[str] | None = None) -> None:
        self._elsewhere = None if elsewhere is None else list(elsewhere)
        self._layouts = layouts
        self._indexes: dict[str, ChunkIndex | None] = {}
        self._listed: dict[str, tuple[Layout, Descriptor]] = {}
        self._blobs: list[Descriptor] = []
        self._allowance = _CUT_MOST
        for layout in layouts:
            self._look(layout)

    def _look(self, layout: Layout) -> None:
        """Find the blobs of the manifests, and the indexes that there are."""
        named = self._elsewhere
        for digest, manifest in newest_manifests(layout) if named is None else named_manifests(layout, named):
            blobs = [blob for blob in manifest.layers if blob.size > LARGE]
            if blobs:
                self._blobs += blobs
                for of, index in listed_indexes(layout, digest).items():
                    self._listed.setdefault(of, (layout, index))

    def of(self, blob: Descriptor) -> Iterator[ChunkIndex]:
        """Yield the chunk indexes of blobs that may be like `blob`, the likeliest first."""
        likeness = {each.digest: 0 for each in self._blobs}
        for each in self._blobs:
            likeness[each.digest] = max(likeness[each.digest], _likeness(blob, each))
        seeds = {each.digest: each for each in self._blobs if likeness[each.digest] and each.digest != blob.digest}
        found = 0
        for digest in sorted(seeds, key=lambda digest: -likeness[digest]):  # stable: the newest first
            index = self._index(seeds[digest])
            if index is not None:
                found += 1
                yield index
            if found >= _SEEDS:
                return

    def _index(self, blob: Descriptor) -> ChunkIndex | None:
        if blob.digest not in self._indexes:
            self._indexes[blob.digest] = self._find(blob)
        return self._indexes[blob.digest]

    def _find(self, blob: Descriptor) -> ChunkIndex | None:
        holder = next((layout for layout in self._layouts if layout.has_blob(blob.digest, blob.size)), None)
        if holder is None and self._elsewhere is None:
            return None
        if blob.digest in self._listed:
            layout, entry = self._listed[blob.digest]
            with contextlib.suppress(VerificationError):
                return read_index(layout, entry, blob)
        if holder is None or blob.size > self._allowance:
            return None
        self._allowance -= blob.size
        with contextlib.suppress(VerificationError):
            return index_of(holder, blob.digest)
        return None


def _likeness(wanted: Descriptor, other: Descriptor) -> int:
    """Return how alike two blobs are by what their manifests say of them; 0 when nothing speaks for it."""
    if wanted.media_type != other.media_type:
        return 0
    ours, theirs = _place(wanted.annotations), _place(other.annotations)
    return 1 + sum(mine is not None and mine == yours for mine, yours in zip(ours, theirs, strict=True))


def _place(annotations: Mapping[str, str]) -> tuple[str | None, str | None]:
    return annotations.get(LAYER), annotations.get(ROLE)
