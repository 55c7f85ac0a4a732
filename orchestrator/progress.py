# SPDX-License-Identifier: MIT
"""How work in progress is told: every step reports here, what a person sees is the view's business.

The steps know this small interface only; `orchestrator.cli.view` draws it live on a terminal, or as plain lines.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Task:
    """One BitBake task, named by recipe and task, in the state `started`, `succeeded`, `failed` or `skipped`."""

    recipe: str
    task: str
    state: str
    done: int = 0
    total: int = 0
    log: str = ""


class View(Protocol):
    """What a reporter draws on. Every method returns at once; none raises."""

    def begin(self, step: str) -> None:
        """A step of ours starts."""

    def end(self, step: str, result: str, seconds: float) -> None:
        """The step ended; `result` is one short phrase, such as `24.1 MB` or `unchanged`."""

    def failed(self, step: str) -> None:
        """The step raised."""

    def task(self, task: Task) -> None:
        """A BitBake task changed its state."""

    def parsing(self, done: int, total: int) -> None:
        """BitBake parsed `done` of `total` recipes."""

    def amount(self, done: int, total: int) -> None:
        """The running step did `done` of `total` (bytes, usually)."""

    def message(self, level: str, text: str) -> None:
        """A `note`, `warning` or `error` line that must stay visible."""


class Step:
    """A running step; what it came to is said in `result`."""

    def __init__(self) -> None:
        self.result = "done"


class Reporter:
    """Gives steps their frame: began, result, seconds."""

    def __init__(self, view: View) -> None:
        self.view = view

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Run a block as a named step. The view hears of its end whether it returns or raises."""
        started = time.monotonic()
        running = Step()
        self.view.begin(name)
        try:
            yield running
        except BaseException:
            self.view.failed(name)
            raise
        self.view.end(name, running.result, time.monotonic() - started)


class Silent:
    """A view that draws nothing: for library users and tests."""

    def begin(self, step: str) -> None: ...

    def end(self, step: str, result: str, seconds: float) -> None: ...

    def failed(self, step: str) -> None: ...

    def task(self, task: Task) -> None: ...

    def parsing(self, done: int, total: int) -> None: ...

    def amount(self, done: int, total: int) -> None: ...

    def message(self, level: str, text: str) -> None: ...
