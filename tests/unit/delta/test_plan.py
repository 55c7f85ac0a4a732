# SPDX-License-Identifier: MIT
"""A plan followed gives the blob, whatever the seeds, from whatever byte on."""

from __future__ import annotations

import hashlib
import io
import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.delta import ChunkIndex, Plan, Segment, cut, make_index, make_plan

NOISE = random.Random(5).randbytes(400_000)


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def index(data: bytes) -> ChunkIndex:
    return make_index(digest_of(data), len(data), cut(io.BytesIO(data)))


def follow(plan: Plan, wanted: bytes, blobs: list[bytes], start: int = 0) -> bytes:
    """Put a blob together as a plan says, from byte `start` on."""
    there = {digest_of(blob): blob for blob in blobs}
    made = wanted[:start]
    while len(made) < plan.size:
        segment = plan.at(len(made))
        assert segment.size > 0
        source, offset = (wanted, len(made)) if segment.source is None else (there[segment.source], segment.offset)
        made += source[offset : offset + segment.size]
    return made


def test_without_seeds_all_is_fetched_at_once():
    plan = make_plan(index(NOISE), [])
    assert plan.segments == (Segment(len(NOISE)),)
    assert (plan.fetched, plan.requests, plan.worth) == (len(NOISE), 1, False)


def test_a_blob_that_is_here_under_another_name_is_copied_whole():
    old = b"front" * 1000 + NOISE
    plan = make_plan(index(NOISE), [index(old)], gap=0)
    assert plan.fetched < 70_000
    assert plan.worth
    assert follow(plan, NOISE, [old]) == NOISE


def test_only_what_changed_is_fetched():
    new = NOISE[:200_000] + b"changed" + NOISE[200_010:]
    plan = make_plan(index(new), [index(NOISE)])
    assert plan.requests == 1
    assert plan.fetched < 100_000
    assert len(plan.segments) == 3
    assert follow(plan, new, [NOISE]) == new


def test_seeds_are_asked_in_their_order():
    plan = make_plan(index(NOISE), [index(NOISE + b"1"), index(NOISE + b"2")])
    assert {segment.source for segment in plan.segments} - {None} == {digest_of(NOISE + b"1")}


def test_what_lies_between_two_ranges_is_fetched_along_when_it_is_little():
    new = NOISE[:100_000] + b"a" + NOISE[100_001:150_000] + b"b" + NOISE[150_001:]
    apart, together = (make_plan(index(new), [index(NOISE)], gap=gap) for gap in (0, 100_000))
    assert (apart.requests, together.requests) == (2, 1)
    assert apart.fetched < together.fetched < apart.fetched + 60_000
    for plan in (apart, together):
        assert follow(plan, new, [NOISE]) == new


def test_a_chunk_of_the_same_name_and_another_length_is_another():
    data = NOISE[:3000]
    wanted = make_index(digest_of(data), 3000, iter([(3000, b"d" * 12)]))
    seed = make_index(digest_of(NOISE), 4000, iter([(4000, b"d" * 12)]))
    assert make_plan(wanted, [seed]).fetched == 3000


@settings(max_examples=40, deadline=None)
@given(
    edits=st.lists(st.tuples(st.integers(0, 399_999), st.binary(max_size=30), st.integers(0, 9000)), max_size=6),
    gap=st.sampled_from([0, 5000, 16384, 10**9]),
    start=st.integers(0, 400_000),
)
def test_whatever_was_edited_the_plan_gives_the_blob(edits: list[tuple[int, bytes, int]], gap: int, start: int):
    new = NOISE
    for at, text, gone in edits:
        new = new[:at] + text + new[at + gone :]
    plan = make_plan(index(new), [index(NOISE)], gap=gap)
    assert plan.size == len(new)
    assert plan.fetched == sum(segment.size for segment in plan.segments if segment.source is None)
    assert follow(plan, new, [NOISE], min(start, len(new))) == new
    kinds = [segment.source is None for segment in plan.segments]
    assert all(not (one and other) for one, other in itertools.pairwise(kinds)), "neighbours are one request"
