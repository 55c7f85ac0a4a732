# SPDX-License-Identifier: MIT
"""BitBake's events reach the view as they are written, whatever else stands in the file."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.build.events import EventTail
from orchestrator.progress import Silent, Task


class Recorder(Silent):
    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.messages: list[tuple[str, str]] = []
        self.parsed: list[tuple[int, int]] = []

    def task(self, task: Task) -> None:
        self.tasks.append(task)

    def message(self, level: str, text: str) -> None:
        self.messages.append((level, text))

    def parsing(self, done: int, total: int) -> None:
        self.parsed.append((done, total))


def line(**event: object) -> bytes:
    return json.dumps(event).encode() + b"\n"


def test_an_absent_file_is_no_event(tmp_path: Path):
    assert EventTail(tmp_path / "none", Silent()).poll() is False


def test_events_split_at_every_byte_arrive_whole(tmp_path: Path):
    text = line(event="start", pid=7) + line(event="task", state="failed", recipe="grub", task="do_fetch", log="/l")
    for cut in range(len(text)):
        path = tmp_path / f"events{cut}"
        view = Recorder()
        tail = EventTail(path, view)
        path.write_bytes(text[:cut])
        tail.poll()
        with path.open("ab") as stream:
            stream.write(text[cut:])
        tail.poll()
        assert tail.outcome.pid == 7
        assert [task.recipe for task in view.tasks] == ["grub"]
        assert tail.outcome.failed[0].log == "/l"


def test_lines_that_are_no_events_are_passed_over(tmp_path: Path):
    path = tmp_path / "events"
    path.write_bytes(b"garbage\n[1,2]\n\xff\xfe\n" + line(event="unknown") + line(event="parse", done=1, total=3))
    view = Recorder()
    EventTail(path, view).poll()
    assert view.parsed == [(1, 3)]


def test_errors_are_kept_and_warnings_shown(tmp_path: Path):
    path = tmp_path / "events"
    path.write_bytes(line(event="log", level="error", text="no") + line(event="log", level="warning", text="hm"))
    view = Recorder()
    tail = EventTail(path, view)
    tail.poll()
    assert tail.outcome.errors == ["no"]
    assert view.messages == [("warning", "hm")]


def test_a_warning_is_not_called_one_twice(tmp_path: Path):
    path = tmp_path / "events"
    path.write_text('{"event": "log", "level": "warning", "text": "WARNING: old file"}\n')
    view = Recorder()
    EventTail(path, view).poll()
    assert view.messages == [("warning", "old file")]
