# SPDX-License-Identifier: GPL-2.0-only
"""What is printed and written of a build's events, and the exit status they add up to."""

from __future__ import annotations

import io
import json
import logging

import bb.build
import bb.command
import bb.data
import bb.event
import bb.runqueue
import pytest
from pycontainer_bitbake.events import EventFile
from pycontainer_bitbake.report import Report


class Show:
    def __init__(self, path, **options):
        self.path, self.out = path, io.StringIO()
        self.report = Report(self.out, EventFile(str(path)), **options)

    def take(self, *events):
        for event in events:
            self.report.take(event)
        return self

    @property
    def lines(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    @property
    def text(self):
        return self.out.getvalue()


@pytest.fixture
def show(tmp_path):
    return Show(tmp_path / "events.json")


def task(kind, name="do_x", log="", *more):
    d = bb.data.init()
    for key, value in {"PN": "demo", "PF": "demo-1.0-r0", "BB_CURRENT_MC": ""}.items():
        d.setVar(key, value)
    event = kind(name, "/r/demo_1.0.bb", log, *more, d)
    event.pid = 42
    return event


def record(level, text, pid=0):
    made = logging.LogRecord("BitBake", level, "f", 1, text, None, None)
    made.taskpid = pid
    return made


def started():
    return task(bb.build.TaskStarted, "do_x", "/log", {})


def test_a_completed_command_without_failures_is_status_0(show):
    show.take(bb.command.CommandCompleted())
    assert show.report.ended and show.report.finish(interrupted=False) == 0


def test_a_completed_command_after_a_failed_task_is_status_1(show):
    show.take(started(), task(bb.build.TaskFailed), bb.command.CommandCompleted())
    assert show.report.finish(interrupted=False) == 1
    assert "Summary: 1 task failed:\n  demo do_x" in show.text


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (bb.command.CommandFailed("broken"), 1),
        (bb.command.CommandExit(3), 3),
        (record(logging.ERROR, "bad"), 1),
        (record(logging.WARNING, "odd"), 0),
        (bb.event.NoProvider("missing"), 1),
    ],
    ids=["failed", "exit", "error", "warning", "no provider"],
)
def test_each_event_has_its_part_in_the_status(show, event, status):
    assert show.take(event).report.finish(interrupted=False) == status


def test_an_interrupted_build_is_never_status_0(show):
    assert show.report.finish(interrupted=True) == 1


def test_a_task_is_told_from_start_to_end_with_its_log_and_process(show):
    show.take(started(), task(bb.build.TaskSucceeded, "do_x", "/log"))
    assert [(line["state"], line["recipe"], line["task"], line["pid"], line["log"]) for line in show.lines] == [
        ("started", "demo", "do_x", 42, "/log"),
        ("succeeded", "demo", "do_x", 42, "/log"),
    ]
    assert "NOTE: recipe demo-1.0-r0: task do_x: Started\n" in show.text


def test_a_tasks_own_notes_stay_in_its_log_and_its_warnings_name_it(show):
    show.take(started(), record(logging.INFO, "chatter", 42), record(logging.WARNING, "careful", 42))
    assert "chatter" not in show.text
    assert "WARNING: demo do_x: careful\n" in show.text
    assert {"event": "log", "level": "warning", "text": "WARNING: demo do_x: careful"} in show.lines


def test_progress_is_told_once_a_percent_and_busy_without_an_end_as_null(show):
    show.take(started())
    for percent in (1, 1.5, 2, -7):
        progress = bb.build.TaskProgress(percent, "1 MB/s")
        progress.pid = 42
        show.take(progress)
    assert [line["percent"] for line in show.lines if line["event"] == "progress"] == [1, 2, None]


def test_a_line_longer_than_kas_can_read_is_cut(show):
    show.take(record(logging.WARNING, "x" * 100_000))
    assert max(map(len, show.text.splitlines())) < 64 << 10
    assert len(show.lines[0]["text"]) > 100_000, "a program gets all of it"


def test_the_end_of_a_failed_tasks_log_is_shown(show, tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"".join(b"line %d\xff\n" % number for number in range(100)))
    show.take(started(), task(bb.build.TaskFailed, "do_x", str(log)))
    assert "line 99" in show.text and "line 59" not in show.text
    assert str(log) in show.text


def test_quiet_leaves_warnings_and_errors(tmp_path):
    show = Show(tmp_path / "e", quiet=1).take(started(), record(logging.INFO, "note"), record(logging.WARNING, "odd"))
    assert show.text == "WARNING: odd\n"


def test_events_are_appended_and_an_unwritable_file_is_an_error_at_once(tmp_path):
    for number in range(2):
        EventFile(str(tmp_path / "e")).write("start", pid=number)
    assert (tmp_path / "e").read_text() == '{"event":"start","pid":0}\n{"event":"start","pid":1}\n'
    with pytest.raises(OSError):
        EventFile(str(tmp_path / "missing" / "e"))
    EventFile(None).write("start", pid=1)


def test_a_full_disk_ends_the_events_but_not_the_build():
    events = EventFile("/dev/full")
    events.write("start", pid=1)
    events.write("exit", status=0)


def test_a_reader_that_has_left_does_not_stop_the_build(tmp_path):
    class Closed(io.StringIO):
        def write(self, _text):
            raise BrokenPipeError

    report = Report(Closed(), EventFile(str(tmp_path / "e")))
    report.take(record(logging.WARNING, "odd"))
    report.take(bb.command.CommandCompleted())
    assert report.finish(interrupted=False) == 0
