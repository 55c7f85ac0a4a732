# SPDX-License-Identifier: MIT
"""What a person sees while work goes on: one live picture on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.cli.plain import harmless
from orchestrator.product.units import format_size
from orchestrator.progress import Task, View

_SHOWN_TASKS = 6
_PLAIN_INTERVAL = 10.0


class PlainView:
    """One line an event that matters, for logs and CI; every ten seconds a line of BitBake's count."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self._last = 0.0

    def _line(self, text: str) -> None:
        print(harmless(text), file=self.stream, flush=True)

    def begin(self, step: str) -> None:
        self._last = time.monotonic()

    def end(self, step: str, result: str, seconds: float) -> None:
        self._line(f"{step}: {result} ({seconds:.1f} s)")

    def failed(self, step: str) -> None:
        self._line(f"{step}: failed")

    def task(self, task: Task) -> None:
        if task.state == "failed":
            self._line(f"  {task.recipe} {task.task} failed")
        elif time.monotonic() - self._last >= _PLAIN_INTERVAL:
            self._last = time.monotonic()
            self._line(f"  BitBake: {task.done} of {task.total} tasks, now {task.recipe} {task.task}")

    def parsing(self, done: int, total: int) -> None: ...

    def amount(self, done: int, total: int) -> None: ...

    def message(self, level: str, text: str) -> None:
        self._line(text if level == "note" else f"{level}: {text}")


class LiveView:
    """BitBake's running tasks and our own steps in one picture; what is finished scrolls away above it.

    Use it as a context manager: the terminal is left clean whatever happens.
    """

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._steps: list[tuple[str, float]] = []
        self._running: dict[tuple[str, str], float] = {}
        self._count = (0, 0)
        self._parsed = (0, 0)
        self._amount = (0, 0)
        self._live = Live(get_renderable=self._picture, console=self.console, refresh_per_second=8, transient=True)

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def begin(self, step: str) -> None:
        self._steps.append((step, time.monotonic()))
        self._amount = (0, 0)

    def _leave(self, step: str) -> None:
        self._steps = [entry for entry in self._steps if entry[0] != step]
        self._running.clear()
        self._count = self._parsed = self._amount = (0, 0)

    def end(self, step: str, result: str, seconds: float) -> None:
        self._leave(step)
        line = Text.assemble(("  ✓ ", "green"), f"{step:<38}", (f"{result:<24}", "dim"), (f"{seconds:6.1f} s", "dim"))
        self.console.print(line)

    def failed(self, step: str) -> None:
        self._leave(step)
        self.console.print(Text.assemble(("  ✗ ", "red"), step))

    def task(self, task: Task) -> None:
        key = (task.recipe, task.task)
        self._count = (task.done, task.total)
        if task.state == "started":
            self._running[key] = time.monotonic()
        else:
            self._running.pop(key, None)

    def parsing(self, done: int, total: int) -> None:
        self._parsed = (done, total)

    def amount(self, done: int, total: int) -> None:
        self._amount = (done, total)

    def message(self, level: str, text: str) -> None:
        style = {"warning": "yellow", "error": "red"}.get(level, "")
        self.console.print(Text(f"  {harmless(text)}", style=style))

    def _picture(self) -> RenderableType:
        now = time.monotonic()
        parts: list[RenderableType] = []
        for step, since in self._steps:
            table = Table.grid(padding=(0, 1))
            head = Text.assemble(("  ● ", "cyan"), f"{step} ", (f"{now - since:.0f} s", "dim"))
            done, total = self._count if self._count[1] else self._parsed if self._parsed[1] else self._amount
            words = ""
            if total and self._count[1]:
                words = f"{done} of {total} tasks"
            elif total and self._parsed[1]:
                words = f"{done} of {total} recipes read"
            elif total:
                words = f"{format_size(done)} of {format_size(total)}"
            if total:
                table.add_row(head, ProgressBar(total=total, completed=done, width=30), Text(words, style="dim"))
            else:
                table.add_row(head)
            parts.append(table)
        shown = list(self._running.items())[-_SHOWN_TASKS:]
        for (recipe, name), since in shown:
            parts.append(
                Text.assemble(
                    "      ", (f"{recipe} ", "bold"), name.removeprefix("do_"), (f"  {now - since:.0f} s", "dim")
                )
            )
        return Group(*parts)


class Phase:
    """Shows work that reports itself by phase, bytes done and bytes in all, as steps of a view."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._now = ""
        self._since = 0.0
        self._total = 0

    def show(self, phase: str, done: int, total: int) -> None:
        """Take a report; a new phase ends the one before."""
        if phase != self._now:
            self.finish()
            self._now, self._since = phase, time.monotonic()
            self.view.begin(phase)
        self._total = total
        self.view.amount(done, total)

    def finish(self) -> None:
        """The running phase is done."""
        if self._now:
            self.view.end(self._now, format_size(self._total), time.monotonic() - self._since)
            self._now = ""


def choose_view(plain: bool) -> LiveView | PlainView:
    """Return the live view when standard error is a terminal that can be drawn on, the plain one otherwise."""
    console = Console(stderr=True)
    return PlainView() if plain or not console.is_terminal or console.is_dumb_terminal else LiveView()
