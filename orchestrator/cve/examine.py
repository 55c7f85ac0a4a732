# SPDX-License-Identifier: MIT
"""Looking every package up in every database, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.compliance.bill import Bill
from orchestrator.cve.model import SEVERITIES, Database, Finding, Severity, in_order, rank
from orchestrator.cve.packages import packages
from orchestrator.cve.vex import Statement, apply


@dataclass(frozen=True)
class Report:
    """What was found: findings by layer and component, the databases with their digests, how many packages were looked
    for, and the components that could not be. `unjudged` counts entries that speak of commits only."""

    findings: tuple[Finding, ...]
    databases: tuple[Database, ...]
    looked_for: int
    unknown: tuple[str, ...]
    unjudged: int

    @property
    def open(self) -> list[Finding]:
        """Return the findings that count."""
        return [each for each in self.findings if each.open]

    def reaching(self, threshold: Severity) -> list[Finding]:
        """Return the open findings of at least that severity; unknown counts as medium."""
        return [each for each in self.open if rank(each.advisory.severity) >= rank(threshold)]

    def counts(self) -> dict[str, int]:
        """Return how many findings are open, by severity."""
        found = Counter(each.advisory.severity for each in self.open)
        return {severity: found[severity] for severity in (*reversed(SEVERITIES), "unknown")}


def examine(bill: Bill, databases: Iterable[Database], statements: Sequence[Statement] = ()) -> Report:
    """Return what the databases know of a bill's components, in the light of VEX statements."""
    known = tuple(databases)
    wanted, unknown = packages(bill)
    found = (
        Finding(package, advisory, advisory.state)
        for package in wanted
        for database in known
        for advisory in database.search(package)
    )
    findings = tuple(apply(in_order(found), statements))
    unjudged = sum(database.unjudged(wanted) for database in known)
    return Report(findings, known, len(wanted), tuple(sorted(unknown)), unjudged)


def to_data(report: Report) -> dict[str, Any]:
    """Return a report as plain values for JSON."""
    return {
        "databases": [
            {"name": each.name, "digest": each.digest, "kind": each.kind, "entries": each.entries}
            for each in report.databases
        ],
        "packages": report.looked_for,
        "notLookedFor": list(report.unknown),
        "unjudged": report.unjudged,
        "open": report.counts(),
        "findings": [
            {
                "id": each.advisory.id, "aliases": list(each.advisory.aliases), "severity": each.advisory.severity,
                "state": each.state, "layer": each.package.layer, "component": each.package.component,
                "version": each.package.component_version, "purl": each.package.purl,
                "source": each.package.name, "sourceVersion": each.package.version,
                "fixed": each.advisory.fixed or None, "summary": each.advisory.summary, "note": each.advisory.note,
                "statement": each.statement, "database": each.advisory.database,
            }
            for each in report.findings
        ],
    }  # fmt: skip
