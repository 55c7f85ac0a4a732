# SPDX-License-Identifier: MIT
"""BitBake's own words for people, followed for progress: what the base over OE-core has in place of our UI module.

The lines are those of the user interface `knotty` when it writes to a file (bitbake, lib/bb/ui/knotty.py), with kas's
own time and level before them. A line that says nothing here is passed over.
"""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator.build.events import LineTail
from orchestrator.progress import Task, View

_KAS = re.compile(r"\d{4}-\d\d-\d\d [\d:]{8} - \w+ +- ")
_RUNNING = re.compile(
    r"NOTE: Running (?:noexec |setscene )?task (\d+) of (\d+) \((?:mc:[^:]*:)?(?:virtual:[\w:]+:)?(.+):(do_\w+)\)"
)
_STATE = re.compile(r"NOTE: recipe (\S+): task (do_\w+): (Started|Succeeded|Failed)")
_PARSED = re.compile(r"Parsing of (\d+) \.bb files complete")
_LOG = re.compile(r"ERROR: Logfile of failure stored in: (.+)")
_TASK_WORDS = re.compile(r"(ERROR|WARNING): (.+)")
_VERSION = re.compile(r"-[^-]+-r\d[^-]*\Z")


class ConsoleTail(LineTail):
    """Follows a log that BitBake's output goes to."""

    def __init__(self, path: Path, view: View) -> None:
        super().__init__(path, view)
        self._done = self._total = 0
        self._log = ""

    def _line(self, line: bytes) -> None:
        self._one(_KAS.sub("", line.decode(errors="replace").rstrip(), count=1))

    def _one(self, line: str) -> None:
        if found := _RUNNING.match(line):
            self._done, self._total = int(found[1]), int(found[2])
        elif found := _STATE.match(line):
            self._task(_VERSION.sub("", found[1]), found[2], found[3].lower())
        elif found := _PARSED.search(line):
            self.view.parsing(int(found[1]), int(found[1]))
        elif found := _LOG.match(line):
            self._log = found[1]
        elif found := _TASK_WORDS.match(line):
            if found[1] == "WARNING":
                self.view.message("warning", found[2])
            elif not found[2].startswith("Task ("):  # what failed was told by its state
                self.outcome.errors.append(found[2])

    def _task(self, recipe: str, name: str, state: str) -> None:
        log = self._log if state == "failed" else ""
        # what runs is not done yet: the count is of the task that began last
        task = Task(recipe, name, state, max(self._done - 1, 0) if state == "started" else self._done, self._total, log)
        if state == "started":
            self.outcome.tasks_run += 1
        elif state == "failed":
            self.outcome.failed.append(task)
            self._log = ""
        self.view.task(task)
