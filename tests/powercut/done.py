# SPDX-License-Identifier: MIT
"""What a campaign has done so far, in a file: one that is stopped loses at most the starts that it was about."""

from __future__ import annotations

from pathlib import Path

import msgspec

from orchestrator.canonical import write_atomically
from tests.powercut.campaign import Result

Plan = tuple[str, int, int, int]
"""What must be equal for a result to count: the log's digest, the seed, the number of cuts and of looks by e2fsck."""


class Entry(msgspec.Struct, frozen=True):
    """The results of a scenario: of its cuts and starts, of its recoveries, and of the controls that belong to it."""

    plan: Plan
    results: list[Result]


class Done:
    """Results by scenario; without `resume`, what was there is forgotten."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path, self.resume = path, resume
        self._entries: dict[str, Entry] = {}
        if resume and path.exists():
            self._entries = msgspec.json.decode(path.read_bytes(), type=dict[str, Entry])

    def of(self, scenario: str, plan: Plan) -> list[Result] | None:
        """What is known of a scenario by the same plan."""
        found = self._entries.get(scenario)
        return found.results if found is not None and found.plan == plan else None

    def keep(self, scenario: str, plan: Plan, results: list[Result]) -> None:
        """Write what is known now."""
        self._entries[scenario] = Entry(plan, results)
        write_atomically(self.path, msgspec.json.encode(self._entries))
