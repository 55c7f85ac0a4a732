# SPDX-License-Identifier: MIT
"""The frame codec."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycontainer_bitbake import frames

TAGS = st.sampled_from(sorted(frames.COMMANDS))
# Payloads that look like frames are the interesting ones.
PAYLOADS = st.one_of(
    st.binary(max_size=64),
    st.sampled_from([b"</runtask>", b"<quit>\0\0\0\0</quit>", b"</event>", b"<", b"\0\0\0\7"]),
)
STREAM = [("cookerconfig", b"c" * 300), ("runtask", b"</runtask>"), ("finishnow", b""), ("quit", b"<quit>")]


def collect(decoder, pieces):
    return [frame for piece in pieces for frame in decoder.feed(piece)]


def test_a_stream_cut_at_any_byte_gives_the_same_commands():
    data = b"".join(frames.command(*frame) for frame in STREAM)
    for cut in range(len(data) + 1):
        assert collect(frames.CommandDecoder(), [data[:cut], data[cut:]]) == STREAM, cut


def test_commands_that_arrive_byte_by_byte_are_whole():
    data = b"".join(frames.command(*frame) for frame in STREAM)
    assert collect(frames.CommandDecoder(), [data[i : i + 1] for i in range(len(data))]) == STREAM


@given(st.lists(st.tuples(TAGS, PAYLOADS), max_size=6), st.lists(st.integers(0, 600), max_size=8))
def test_any_commands_survive_any_cuts(sent, cuts):
    data = b"".join(frames.command(*frame) for frame in sent)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:stop] for start, stop in pairwise(edges)]
    assert collect(frames.CommandDecoder(), pieces) == sent


@given(st.lists(PAYLOADS, max_size=6), st.integers(1, 20))
def test_any_records_of_a_task_survive_any_cuts(sent, step):
    data = b"".join(frames.record(payload) for payload in sent)
    decoder = frames.RecordDecoder()
    assert collect(decoder, [data[i : i + step] for i in range(0, len(data), step)]) == sent


@given(st.binary(min_size=1, max_size=40))
def test_foreign_bytes_give_commands_or_wait_or_are_refused_but_nothing_else(data):
    try:
        for tag, _payload in frames.CommandDecoder().feed(data):
            assert tag in frames.COMMANDS
    except frames.FrameError:
        pass


@pytest.mark.parametrize(
    "data",
    [
        b"hello",
        b"<" + b"x" * 40,
        b"<ping>",
        b"<runtask>\xff\xff\xff\xff",
        b"<quit>\0\0\0\0</quiz>",
        b"<quit>\0\0\0\1</quit>",
        b"<\xff>",
    ],
    ids=["no tag", "endless tag", "unknown", "huge", "other end", "wrong length", "not text"],
)
def test_what_is_no_command_is_refused(data):
    with pytest.raises(frames.FrameError):
        collect(frames.CommandDecoder(), [data, b"</quit>"])


def test_a_record_of_absurd_length_is_refused():
    with pytest.raises(frames.FrameError):
        collect(frames.RecordDecoder(), [b"\xff\xff\xff\xff"])


def test_a_reply_never_holds_its_own_end_tag():
    assert frames.reply("event", b"abc") == b"<event>abc</event>"
    with pytest.raises(frames.FrameError):
        frames.reply("event", b"a</event>b")
