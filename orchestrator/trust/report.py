# SPDX-License-Identifier: MIT
"""What a verification found, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from orchestrator.errors import TrustError

THRESHOLD = "threshold"
"""The step that counts the signatures of a revision."""


@dataclass(frozen=True)
class Step:
    """One step of a verification: what was checked, with what outcome, and the detail."""

    name: str
    outcome: Literal["passed", "ignored", "failed"]
    detail: str


@dataclass
class VerificationReport:
    """The steps of a verification in their order, and the ids of the keys whose signatures counted."""

    revision: str
    steps: list[Step] = field(default_factory=list)
    keyids: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """True when no step failed."""
        return bool(self.steps) and all(step.outcome != "failed" for step in self.steps)

    def note(self, name: str, passed: bool, detail: str) -> bool:
        """Add a step that passed or failed; returns `passed`."""
        self.steps.append(Step(name, "passed" if passed else "failed", detail))
        return passed

    def ignore(self, name: str, detail: str) -> None:
        """Add something that counts for nothing, neither for nor against."""
        self.steps.append(Step(name, "ignored", detail))


class UnverifiedError(TrustError):
    """Something did not verify; `report` tells each step that was taken."""

    def __init__(self, what: str, why: str, hint: str, report: VerificationReport) -> None:
        super().__init__(what, why, hint)
        self.report = report

    @property
    def lacks_signatures(self) -> bool:
        """True when all else was right up to there: more keys may sign it still."""
        return self.report.steps[-1:] != [] and self.report.steps[-1].name == THRESHOLD
