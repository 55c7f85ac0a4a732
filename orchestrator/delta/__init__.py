# SPDX-License-Identifier: MIT
"""Small downloads: which bytes of a blob other blobs have already. The format is specified in docs/deltas.md.

    attach_chunks(store, revision.id)           # chunk indexes of its large blobs, as one OCI referrer
    seeds = Seeds(store)                        # what is here
    plan = make_plan(index, seeds.of(blob))     # plan.segments: copy from a blob that is here, or fetch
    plan.at(position)                           # what comes next, after an interruption too

An index is a hint. Whoever follows a plan checks the digest of the whole blob in the end, as without one.
"""

from __future__ import annotations

from orchestrator.delta.attach import (
    CHUNKS_TYPE,
    LARGE,
    attach_chunks,
    index_of,
    indexes_of,
    known_index,
    large_blobs,
    read_index,
)
from orchestrator.delta.cutter import cut
from orchestrator.delta.index import ChunkIndex, decode_index, make_index
from orchestrator.delta.plan import Plan, Segment, make_plan
from orchestrator.delta.seeds import Seeds

__all__ = [
    "CHUNKS_TYPE",
    "LARGE",
    "ChunkIndex",
    "Plan",
    "Seeds",
    "Segment",
    "attach_chunks",
    "cut",
    "decode_index",
    "index_of",
    "indexes_of",
    "known_index",
    "large_blobs",
    "make_index",
    "make_plan",
    "read_index",
]
