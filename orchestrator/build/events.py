# SPDX-License-Identifier: MIT
"""BitBake's events as our UI module writes them: JSON lines in a file that grows while the build runs.

The writer is `meta-pycontainer-debian/bitbake`; a line that cannot be read is passed over, because progress is not
worth a failed build.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.progress import Task, View

_LINE_LIMIT = 1024 * 1024


@dataclass
class Outcome:
    """What the events told of a BitBake run; `pid` is the process that wants a SIGINT, 0 while unknown."""

    pid: int = 0
    status: int | None = None
    tasks_run: int = 0
    failed: list[Task] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class LineTail:
    """Follows a file that lines are appended to; `poll()` hands what is new to `_line`, which tells view and `outcome`.

    A line of more than 1 MiB is passed over.
    """

    def __init__(self, path: Path, view: View) -> None:
        self.path = path
        self.view = view
        self.outcome = Outcome()
        self._offset = 0
        self._rest = b""

    def poll(self) -> bool:
        """Read what was appended since the last call; returns whether there was anything."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._offset)
                data = stream.read()
        except FileNotFoundError:
            return False
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LINE_LIMIT:
            self._rest = b""
        for line in lines:
            self._line(line)
        return bool(lines)

    def _line(self, line: bytes) -> None:
        raise NotImplementedError


class EventTail(LineTail):
    """Follows an event file."""

    def _line(self, line: bytes) -> None:
        with contextlib.suppress(ValueError, TypeError):
            event = json.loads(line)
            if isinstance(event, dict):
                self._one(event)

    def _one(self, event: dict[str, Any]) -> None:
        kind = event.get("event")
        if kind == "start":
            self.outcome.pid = int(event.get("pid", 0))
        elif kind == "parse":
            self.view.parsing(int(event.get("done", 0)), int(event.get("total", 0)))
        elif kind == "task":
            task = Task(
                recipe=str(event.get("recipe", "")),
                task=str(event.get("task", "")),
                state=str(event.get("state", "")),
                done=int(event.get("done", 0)),
                total=int(event.get("total", 0)),
                log=str(event.get("log") or ""),
            )
            if task.state == "started":
                self.outcome.tasks_run += 1
            if task.state == "failed":
                self.outcome.failed.append(task)
            self.view.task(task)
        elif kind == "log":
            level, text = str(event.get("level", "note")), str(event.get("text", ""))
            if level == "error":
                self.outcome.errors.append(text)
            elif level == "warning":
                self.view.message(level, text.removeprefix("WARNING: "))
        elif kind == "exit":
            self.outcome.status = int(event.get("status", 1))
