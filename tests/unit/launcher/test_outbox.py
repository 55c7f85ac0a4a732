# SPDX-License-Identifier: GPL-2.0-only
"""Replies, read back by the wheel's own reader."""

from __future__ import annotations

import os
import pickle
import types

import bb.event
import bb.runqueue
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycontainer_bitbake import outbox

TAGS = ("</event>", "<event>", "</exitcode>", "</", "<")


class Note(bb.event.Event):
    def __init__(self, text):
        super().__init__()
        self.text = text


@pytest.fixture
def server(monkeypatch):
    """The server's end: BitBake's runQueuePipe on a pipe, and what it has understood."""
    seen = []
    monkeypatch.setattr(bb.event, "fire_from_worker", lambda event, _d: seen.append(event.text))
    queue = types.SimpleNamespace(worker={}, fakeworker={}, teardown=False)
    execution = types.SimpleNamespace(
        updated_taskhash_queue=[],
        runqueue_process_waitpid=lambda task, status, fakerootlog: seen.append((task, status)),
    )
    reader, writer = os.pipe()
    pipe = bb.runqueue.runQueuePipe(os.fdopen(reader, "rb", buffering=0), None, None, queue, execution)
    yield types.SimpleNamespace(pipe=pipe, writer=writer, seen=seen)
    pipe.input.close()
    os.close(writer)


def test_the_server_reads_events_and_ends_of_tasks_in_order(server):
    box = outbox.Outbox(server.writer)
    box.event(Note("plain"))
    box.event(Note("a</event>b</exitcode>c<event>d"))
    box.exitcode("/recipes/a.bb:do_x", 137)
    box.event(Note("</event>" * 500))
    box.write()
    while server.pipe.read():
        pass
    assert server.seen == [
        "plain",
        "a</event>b</exitcode>c<event>d",
        ("/recipes/a.bb:do_x", 137),
        "</event>" * 500,
    ]
    assert len(server.pipe.queue) == 0


@given(st.lists(st.sampled_from(TAGS) | st.text(max_size=5), max_size=8).map("".join))
def test_any_value_loads_unchanged_and_holds_no_end_tag(text):
    data = outbox.dumps({"text": text, "raw": text.encode()})
    assert b"</event>" not in data and b"</exitcode>" not in data
    assert pickle.loads(data) == {"text": text, "raw": text.encode()}


def test_a_full_pipe_keeps_the_rest_for_later(server):
    os.set_blocking(server.writer, False)
    box = outbox.Outbox(server.writer)
    for number in range(200):
        box.event(Note(f"{number:04d}" + "x" * 8000))
    box.write()
    assert len(box) > 0, "a pipe holds 64 KiB"
    while box:
        server.pipe.read()
        box.write()
    server.pipe.read()
    assert [text[:4] for text in server.seen] == [f"{number:04d}" for number in range(200)]


def test_a_server_that_is_gone_is_an_error():
    reader, writer = os.pipe()
    os.close(reader)
    box = outbox.Outbox(writer)
    box.exitcode("task", 0)
    with pytest.raises(BrokenPipeError):
        box.write()
    os.close(writer)
