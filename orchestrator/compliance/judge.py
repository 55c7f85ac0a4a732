# SPDX-License-Identifier: MIT
"""Every check on one document, with waivers, and scores by check and by layer - never one average of all."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.compliance.bill import Bill
from orchestrator.compliance.checks import aggregate, components, document, layers, licences, obligations
from orchestrator.compliance.context import Surroundings
from orchestrator.compliance.findings import CHECKS, Finding, Findings

_FAMILIES = (document.run, layers.run, components.run, licences.run, obligations.run)
_NATURAL = {check: position for position, check in enumerate(CHECKS)}


@dataclass(frozen=True, slots=True)
class Score:
    """How a check went in one layer (empty: the document): elements looked at, and those of them that failed."""

    check: str
    layer: str
    examined: int
    errors: int
    warnings: int
    waived: int

    @property
    def passed(self) -> bool:
        """Nothing failed but for what was waived; warnings do not fail."""
        return self.errors == 0


@dataclass(frozen=True)
class Verdict:
    """What all checks found: findings in the checks' order, scores, and the checks that could not look, with why."""

    findings: tuple[Finding, ...]
    scores: tuple[Score, ...]
    skipped: Mapping[str, str]

    @property
    def errors(self) -> list[Finding]:
        """The findings that fail a release: errors that nobody waived."""
        return [each for each in self.findings if each.severity == "error" and not each.waiver]

    @property
    def warnings(self) -> list[Finding]:
        """The findings that say what is unknown, not waived."""
        return [each for each in self.findings if each.severity == "warning" and not each.waiver]

    def outcome(self, check: str) -> str:
        """`failed`, `warned`, `passed`, or `skipped` when the check looked at nothing."""
        rows = [score for score in self.scores if score.check == check]
        if any(row.errors for row in rows):
            return "failed"
        if any(row.warnings for row in rows):
            return "warned"
        return "passed" if any(row.examined for row in rows) and check not in self.skipped else "skipped"


def judge(
    bill: Bill, around: Surroundings | None = None, waivers: Mapping[tuple[str, str], str] | None = None
) -> Verdict:
    """Return the verdict on a bill.

    `waivers` name who accepted what: by check id and a pattern of names or element ids (`*`: all), in words.
    """
    around = around or Surroundings()
    found = Findings(bill)
    for run in _FAMILIES:
        run(found, around)
    if len(bill.layers) > 1 or (bill.root is not None and bill.root.role == "image"):
        aggregate.run(found, around)
    else:
        found.skip("the document is of one layer", "A1", "A2", "A3", "A4", "A5")
    findings = _waived(found.found, waivers or {})
    ordered = sorted(enumerate(findings), key=lambda entry: (_NATURAL[entry[1].check], entry[0]))
    result = tuple(dict.fromkeys(finding for _, finding in ordered))
    return Verdict(result, _scores(found, result), dict(sorted(found.skipped.items(), key=lambda e: _NATURAL[e[0]])))


def _waived(findings: Sequence[Finding], waivers: Mapping[tuple[str, str], str]) -> list[Finding]:
    if not waivers:
        return list(findings)
    by_check: dict[str, list[tuple[str, str]]] = {}
    for (check, pattern), words in waivers.items():
        by_check.setdefault(check, []).append((pattern, words))
    result = []
    for each in findings:
        for pattern, words in by_check.get(each.check, ()):
            if any(fnmatch.fnmatchcase(name, pattern) for name in (each.name, each.element)):
                each = dataclasses.replace(each, waiver=words)
                break
        result.append(each)
    return result


def _scores(found: Findings, findings: Sequence[Finding]) -> tuple[Score, ...]:
    failed: dict[tuple[str, str], list[Finding]] = {}
    for each in findings:
        failed.setdefault((each.check, each.layer), []).append(each)
    keys = sorted({*found.examined, *failed}, key=lambda key: (_NATURAL[key[0]], key[1]))
    scores = []
    for check, layer in keys:
        here = failed.get((check, layer), [])
        errors = {each.element for each in here if each.severity == "error" and not each.waiver}
        warnings = {each.element for each in here if each.severity == "warning" and not each.waiver} - errors
        waived = sum(1 for each in here if each.waiver)
        examined = max(found.examined.get((check, layer), 0), len(errors | warnings))
        scores.append(Score(check, layer, examined, len(errors), len(warnings), waived))
    return tuple(scores)
