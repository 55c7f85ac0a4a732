# SPDX-License-Identifier: MIT
"""What of a blob is fetched and what is copied from blobs that are here already."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.delta.index import ChunkIndex

GAP = 16 * 1024
"""Bytes that are here and fetched all the same when they lie between two ranges: a request costs about as much."""
WORTH = 0.9
"""A plan that fetches more than this part of a blob is none: one request for all of it is simpler."""


@dataclass(frozen=True)
class Segment:
    """The next `size` bytes of a blob: those of the blob `source` from `offset` on, or fetched when there is none."""

    size: int
    source: str | None = None
    offset: int = 0


class Plan:
    """How a blob is put together, from its first byte to its last."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = tuple(segments)
        self._ends = list(itertools.accumulate(segment.size for segment in segments))
        self.size = self._ends[-1] if self._ends else 0
        self.fetched = sum(segment.size for segment in segments if segment.source is None)
        """Bytes that come over the network."""
        self.requests = sum(segment.source is None for segment in segments)

    @property
    def worth(self) -> bool:
        """Whether it saves enough to be carried out."""
        return self.fetched <= self.size * WORTH

    def at(self, position: int) -> Segment:
        """Return what is left of the segment that has the byte at `position`, which is below `size`."""
        number = bisect.bisect_right(self._ends, position)
        segment = self.segments[number]
        done = position - (self._ends[number] - segment.size)
        return Segment(segment.size - done, segment.source, segment.offset + done if segment.source else 0)


def make_plan(wanted: ChunkIndex, seeds: Iterable[ChunkIndex], *, gap: int = GAP) -> Plan:
    """Return how to make a blob out of chunks of `seeds`, blobs that are here, and of ranges of itself.

    The seeds' order is that of preference; `gap` is how many bytes between two ranges are fetched along.
    """
    places: dict[tuple[int, bytes], tuple[str, int] | None] = dict.fromkeys(wanted.chunks())
    left = len(places)
    for seed in seeds:
        if not left:
            break
        for offset, size, digest in seed.located():
            if places.get((size, digest), ()) is None:
                places[size, digest] = (seed.digest, offset)
                left -= 1
    return Plan(_coalesced(_segments(wanted, places), gap))


def _segments(
    wanted: ChunkIndex, places: dict[tuple[int, bytes], tuple[str, int] | None]
) -> list[tuple[int, str | None, int]]:
    """Join neighbours that are fetched, or that follow each other in one seed: (size, seed or None, offset)."""
    joined: list[tuple[int, str | None, int]] = []
    for size, digest in wanted.chunks():
        source, offset = places[size, digest] or (None, 0)
        if joined and joined[-1][1] == source and (source is None or joined[-1][2] + joined[-1][0] == offset):
            joined[-1] = (joined[-1][0] + size, source, joined[-1][2])
        else:
            joined.append((size, source, offset))
    return joined


def _coalesced(segments: Sequence[tuple[int, str | None, int]], gap: int) -> list[Segment]:
    """Fetch along what is here when it is at most `gap` bytes between two that are fetched."""
    found: list[Segment] = []
    between: list[Segment] = []
    for size, source, offset in segments:
        if source is not None:
            between.append(Segment(size, source, offset))
            continue
        bridged = sum(segment.size for segment in between)
        if found and bridged <= gap:  # what precedes `between` is always fetched, or nothing
            found[-1] = Segment(found[-1].size + bridged + size)
        else:
            found += [*between, Segment(size)]
        between = []
    return [*found, *between]
