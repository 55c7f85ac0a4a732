# SPDX-License-Identifier: GPL-2.0-only
"""Turns BitBake's events into lines for people, JSON lines for programs, and the exit status."""

from __future__ import annotations

import io
import logging
from collections import deque
from pathlib import Path
from typing import Any, TextIO

import bb.build
import bb.command
import bb.cooker
import bb.event
import bb.msg
import bb.runqueue

from .events import EventFile

# kas reads our output line by line with asyncio's limit of 64 KiB and fails on a longer line.
_LONGEST_LINE = 8000
_LOG_TAIL = 40
_WARNING, _ERROR = logging.WARNING, logging.ERROR


class Report:
    """What is known of the build so far. `ended` becomes true with the event that ends the command."""

    def __init__(self, out: TextIO, events: EventFile, quiet: int = 0, verbose: bool = False) -> None:
        self.ended = False
        self._out, self._events, self._quiet, self._verbose = out, events, quiet, verbose
        self._formatter = bb.msg.BBLogFormatter("%(levelname)s: %(message)s")
        self._status = 0
        self._warnings = self._errors = 0
        self._failures: dict[str, str] = {}
        self._started: dict[str, Any] = {}
        self._tasks: dict[int, tuple[str, str]] = {}
        self._percent: dict[int, int] = {}
        self._done = self._total = 0
        self._parse_total = 0

    def say(self, text: str) -> None:
        """Print lines, each cut to what readers of our output can take."""
        try:
            for line in text.splitlines() or [""]:
                print(line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + " ...", file=self._out)
            self._out.flush()
        except BrokenPipeError:  # nobody reads us any more, which is no reason to leave the build half done
            self._out = io.StringIO()

    def note(self, text: str) -> None:
        """Print an informative line, unless -q was given."""
        if not self._quiet:
            self.say(f"NOTE: {text}")

    def error(self, text: str) -> None:
        """Report an error of the build as a whole."""
        self.say(f"ERROR: {text}")
        self._events.write("log", level="error", text=text)
        self._errors += 1
        self.failed()

    def failed(self) -> None:
        """Remember that the exit status must not be 0."""
        self._status = self._status or 1

    def finish(self, interrupted: bool) -> int:
        """Print the summary and return the exit status."""
        if self._failures:
            self.say(f"\nSummary: {_count(len(self._failures), 'task')} failed:")
            for task, log in self._failures.items():
                self.say(f"  {task}" + (f"\n    log: {log}" if log else ""))
        if self._warnings or self._errors:
            self.say(f"Summary: {_count(self._warnings, 'warning')}, {_count(self._errors, 'error')}.")
        if interrupted:
            self.say("Interrupted: not everything was built.")
            self.failed()
        return self._status

    def take(self, event: Any) -> None:
        """Account for one event of the server."""
        match event:
            case logging.LogRecord():
                self._log(event)
            case bb.build.TaskProgress():
                self._progress(event)
            case bb.build.TaskBase():
                self._task(event)
            case bb.runqueue.runQueueEvent():
                self._queue(event)
            case bb.event.ParseStarted() | bb.event.ParseProgress() | bb.event.ParseCompleted():
                self._parse(event)
            case bb.event.NoProvider():
                self.error(str(event))
            case bb.event.MultipleProviders():
                self.note(str(event))
            case bb.event.LogExecTTY():
                self.say(f"WARNING: {event.msg}")
            case bb.runqueue.runQueueExitWait():
                self.note(event.message)
            case bb.command.CommandFailed():
                self.ended = True
                self._status = event.exitcode or 1
                if event.error:
                    self.error(str(event))
            case bb.command.CommandExit():
                self.ended = True
                self._status = self._status or event.exitcode
            case bb.command.CommandCompleted() | bb.cooker.CookerExit():
                self.ended = True

    def _log(self, record: Any) -> None:
        task = self._tasks.get(record.taskpid)
        plain = record.levelno == bb.msg.BBLogFormatter.PLAIN
        if record.taskpid and record.levelno < _WARNING and not plain and not self._verbose:
            return
        text = self._formatter.format(record)
        if task and not plain:
            level, colon, rest = text.partition(": ")
            text = f"{level}: {task[0]} {task[1]}: {rest}" if colon else text
        if record.levelno >= _ERROR:
            self._errors += 1
            self.failed()
            self._events.write("log", level="error", text=text)
        elif record.levelno >= _WARNING:
            self._warnings += 1
            self._events.write("log", level="warning", text=text)
        elif self._quiet:
            return
        self.say(text)

    def _task(self, event: Any) -> None:
        where = _where(event)
        match event:
            case bb.build.TaskStarted():
                self._tasks[event.pid] = where
                self._started[f"{event._fn}:{event._task}"] = event
                state = "started"
            case bb.build.TaskSucceeded():
                state = "succeeded"
            case bb.build.TaskFailedSilent():
                state = "failed"
                self.say(f"WARNING: The log of the failed task is {event.logfile}")
            case bb.build.TaskFailed():
                state = "failed"
                self._task_failed(event, where)
            case _:
                return
        self._events.write(
            "task", state=state, recipe=where[0], task=where[1], pid=event.pid, log=event.logfile,
            done=self._done, total=self._total,
        )  # fmt: skip
        self.note(event._message)
        if state != "started":
            self._tasks.pop(event.pid, None)
            self._percent.pop(event.pid, None)

    def _task_failed(self, event: Any, where: tuple[str, str]) -> None:
        self.failed()
        self._failures[" ".join(where)] = event.logfile or ""
        if not event.logfile or not Path(event.logfile).exists():
            return
        self.say(f"ERROR: {' '.join(where)} failed; its log is {event.logfile}")
        if not event.errprinted:
            with Path(event.logfile).open(errors="replace") as log:
                for line in deque(log, _LOG_TAIL):
                    self.say(f"| {line.rstrip()}")

    def _progress(self, event: Any) -> None:
        percent = int(event.progress)
        if event.pid not in self._tasks or self._percent.get(event.pid) == percent:
            return
        self._percent[event.pid] = percent
        recipe, task = self._tasks[event.pid]
        rate = {"rate": event.rate} if event.rate else {}
        self._events.write(
            "progress", recipe=recipe, task=task, percent=percent if 0 <= percent <= 100 else None, **rate
        )

    def _queue(self, event: Any) -> None:
        stats = event.stats
        self._done, self._total = stats.completed + stats.failed, stats.total
        match event:
            case bb.runqueue.sceneQueueTaskFailed():
                self.say(f"WARNING: {event}")
            case bb.runqueue.sceneQueueTaskStarted():
                self.note(f"Running setscene task {event.taskstring}")
            case bb.runqueue.runQueueTaskStarted():
                number = self._done + stats.active + 1
                self.note(f"Running task {number} of {self._total} ({_recipe(event)} {event.taskname})")
            case bb.runqueue.runQueueTaskFailed():
                self._queue_failed(event)
            case bb.runqueue.runQueueTaskSkipped():
                self._events.write(
                    "task", state="skipped", recipe=_recipe(event), task=event.taskname,
                    done=self._done, total=self._total,
                )  # fmt: skip

    def _queue_failed(self, event: Any) -> None:
        """A task that was killed has sent no event of its own: this one is all there is."""
        self.error(str(event))
        started = self._started.get(event.taskid)
        recipe, task = _where(started) if started else (_recipe(event), event.taskname)
        if f"{recipe} {task}" in self._failures:
            return
        facts = {"pid": started.pid, "log": started.logfile} if started else {}
        self._failures[f"{recipe} {task}"] = facts.get("log", "")
        self._events.write(
            "task", state="failed", recipe=recipe, task=task, **facts, done=self._done, total=self._total
        )

    def _parse(self, event: Any) -> None:
        match event:
            case bb.event.ParseStarted():
                self._parse_total = event.total
                self._events.write("parse", done=0, total=event.total)
            case bb.event.ParseProgress():
                self._events.write("parse", done=event.current, total=self._parse_total)
            case bb.event.ParseCompleted():
                self._events.write("parse", done=event.total, total=event.total)
                self.note(f"Parsed {event.total} recipe files ({event.cached} from the cache, {event.errors} errors)")


def _where(event: Any) -> tuple[str, str]:
    return (event.pn if not event._mc else f"mc:{event._mc}:{event.pn}", event._task)


def _recipe(event: Any) -> str:
    """The recipe's name by its file name: the events of a task that never started carry no more."""
    return Path(event.taskfile).name.partition(".bb")[0].partition("_")[0]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
