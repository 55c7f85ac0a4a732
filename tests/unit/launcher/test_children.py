# SPDX-License-Identifier: MIT
"""The worker's children: real processes of a few milliseconds."""

from __future__ import annotations

import os
import select
import signal
import time

from pycontainer_bitbake import children, frames


def start(body, task="task"):
    """Fork a child that leads its own session and runs `body(writer)`."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(reader)
        try:
            body(writer)
        finally:
            os._exit(7)
    os.close(writer)
    return children.Child(pid, task, reader)


def drive(crowd, seconds=5.0):
    """Serve children as the worker does; returns the records and (task, status) ends in the order of arrival."""
    seen = []
    deadline = time.monotonic() + seconds
    while crowd:
        assert time.monotonic() < deadline, "the children do not end"
        readable = select.select(crowd.pipes(), [], [], 0.02)[0]
        seen += crowd.records(readable)
        for child, status in crowd.reap():
            seen += child.rest()
            seen.append((child.task, status))
    return seen


def crowd_of(*bodies):
    crowd = children.Children()
    for number, body in enumerate(bodies):
        crowd.add(start(body, f"task{number}"))
    return crowd


def test_all_records_come_before_the_end_of_their_task():
    def body(writer):
        for number in range(3):
            os.write(writer, frames.record(b"%d" % number))

    assert drive(crowd_of(body)) == [b"0", b"1", b"2", ("task0", 7)]


def test_a_task_killed_by_a_signal_has_128_plus_its_number_and_its_half_record_is_dropped():
    def body(writer):
        os.write(writer, frames.record(b"whole") + frames.record(b"half")[:-1])
        os.kill(os.getpid(), signal.SIGKILL)

    assert drive(crowd_of(body)) == [b"whole", ("task0", 137)]


def test_a_process_that_outlives_its_task_and_holds_the_pipe_delays_nothing():
    reader, writer = os.pipe()

    def body(events):
        os.write(events, frames.record(b"said"))
        if os.fork() == 0:
            os.close(writer)
            os.read(reader, 1)  # until the test ends
            os._exit(0)
        os._exit(0)

    assert drive(crowd_of(body)) == [b"said", ("task0", 0)]
    os.close(writer)
    os.close(reader)


def test_termination_reaches_what_the_task_has_started():
    alive, held = os.pipe()

    def body(_writer):
        if os.fork() == 0:
            os.write(held, b"x")
            time.sleep(60)
        os.close(held)
        time.sleep(60)

    crowd = crowd_of(body)
    os.close(held)
    assert os.read(alive, 1) == b"x"
    crowd.terminate()
    assert drive(crowd) == [("task0", 128 + signal.SIGTERM)]
    assert select.select([alive], [], [], 5)[0] and os.read(alive, 1) == b"", "nobody holds the other end any more"
    os.close(alive)


def test_a_task_that_ignores_termination_is_killed_after_its_time(monkeypatch):
    monkeypatch.setattr(children, "STOP_SECONDS", 0.2)
    ready, told = os.pipe()

    def body(_writer):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(told, b"x")
        time.sleep(60)

    crowd = crowd_of(body)
    os.read(ready, 1)
    crowd.terminate()
    assert drive(crowd) == [("task0", 137)]
    os.close(ready)
    os.close(told)


def test_every_end_is_told_once_and_with_its_own_task():
    crowd = crowd_of(*[lambda _writer, code=code: os._exit(code) for code in range(5)])
    assert sorted(drive(crowd)) == [(f"task{code}", code) for code in range(5)]
    assert list(crowd.reap()) == []
