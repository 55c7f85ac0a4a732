# SPDX-License-Identifier: MIT
"""A verdict for machines: plain values for JSON, JUnit XML for CI, SARIF 2.1.0 for code review tools.

Sources: the JUnit XML that CI servers read (testsuites, testsuite, testcase, failure, skipped); SARIF 2.1.0 (OASIS).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import orchestrator
from orchestrator.compliance.findings import CHECKS, Finding
from orchestrator.compliance.judge import Verdict

_SHOWN = 200
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_data(document: str, verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain values: checks with their outcome, scores by check and layer, every finding."""
    return {
        "document": document,
        "passed": not verdict.errors,
        "errors": len(verdict.errors),
        "warnings": len(verdict.warnings),
        "checks": [
            {"id": check.id, "family": check.family, "title": check.title, "outcome": verdict.outcome(check.id)}
            | ({"skipped": verdict.skipped[check.id]} if check.id in verdict.skipped else {})
            for check in CHECKS.values()
        ],
        "scores": [
            {
                "check": score.check, "layer": score.layer, "examined": score.examined, "errors": score.errors,
                "warnings": score.warnings, "waived": score.waived,
            }
            for score in verdict.scores
        ],
        "findings": [dataclasses.asdict(finding) for finding in verdict.findings],
    }  # fmt: skip


def junit(verdicts: Mapping[str, Verdict]) -> str:
    """Return JUnit XML: a suite a document, a case a check; errors are failures, warnings are system output."""
    suites = []
    for document, verdict in verdicts.items():
        cases = []
        failures = skipped = 0
        for check in CHECKS.values():
            found = [each for each in verdict.findings if each.check == check.id]
            failed = [each for each in found if each.severity == "error" and not each.waiver]
            others = [each for each in found if each not in failed]
            inner = ""
            if failed:
                failures += 1
                inner += f"<failure message={_attribute(_line(failed[0]))}>{_lines(failed)}</failure>"
            elif verdict.outcome(check.id) == "skipped":
                skipped += 1
                inner += (
                    f"<skipped message={_attribute(verdict.skipped.get(check.id, 'there was nothing to look at'))}/>"
                )
            if others:
                inner += f"<system-out>{_lines(others)}</system-out>"
            name = f"{check.id}: {check.title}"
            cases.append(f"<testcase classname={_attribute(check.family)} name={_attribute(name)}>{inner}</testcase>")
        suites.append(
            f'<testsuite name={_attribute(document)} tests="{len(CHECKS)}" failures="{failures}"'
            f' skipped="{skipped}" errors="0">' + "".join(cases) + "</testsuite>"
        )
    return '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>' + "\n".join(suites) + "</testsuites>\n"


def _attribute(text: str) -> str:
    return quoteattr(_NO_XML.sub("�", text))


def _line(finding: Finding) -> str:
    where = " ".join(filter(None, (finding.layer, finding.name or finding.element)))
    waiver = f" (waived: {finding.waiver})" if finding.waiver else ""
    return f"{finding.severity}: {where}: {finding.message}{waiver}"


def _lines(findings: list[Finding]) -> str:
    lines = [_line(each) for each in findings[:_SHOWN]]
    if len(findings) > _SHOWN:
        lines.append(f"... and {len(findings) - _SHOWN} more")
    return escape(_NO_XML.sub("�", "\n".join(lines)))


def sarif(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Return a SARIF log: one run, a rule a check, a result a finding; waivers are accepted suppressions."""
    order = list(CHECKS)
    results = []
    for document, verdict in verdicts.items():
        for finding in verdict.findings:
            result: dict[str, Any] = {
                "ruleId": finding.check,
                "ruleIndex": order.index(finding.check),
                "level": finding.severity,
                "message": {"text": f"{finding.name or finding.element}: {finding.message}"},
                "locations": [
                    {
                        "physicalLocation": {"artifactLocation": {"uri": document}},
                        "logicalLocations": [
                            {"name": finding.name or finding.element, "fullyQualifiedName": finding.element}
                        ],
                    }
                ],
                "properties": {"layer": finding.layer},
            }
            if finding.waiver:
                result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": finding.waiver}]
            results.append(result)
    rules = [
        {
            "id": check.id,
            "shortDescription": {"text": check.title},
            "defaultConfiguration": {"level": check.severity},
            "properties": {"family": check.family},
        }
        for check in CHECKS.values()
    ]
    driver = {"name": "pycontainer sbom check", "version": orchestrator.__version__, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results, "columnKind": "unicodeCodePoints"}],
    }
