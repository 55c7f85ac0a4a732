# SPDX-License-Identifier: MIT
"""The named checks and what they find. The ids are those of the compliance checklist, from D1 to A5."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.compliance.bill import Bill, Element
from orchestrator.compliance.spdx3form import words

Severity = Literal["error", "warning"]
Family = Literal["document", "layer", "component", "licence", "obligation", "aggregate"]


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its id, its family, what holds when it passes, and how bad it is when it does not."""

    id: str
    family: Family
    title: str
    severity: Severity = "error"


_TITLES: tuple[tuple[Family, tuple[str, ...]], ...] = (
    (
        "document",
        (
            "D1 follows the form of its specification",
            "D2 has a unique absolute URI, derived from its content",
            "D3 names its maker with a contact, and the tool with its version",
            "D4 has a UTC time, that of the sources",
            "D5 says that it is a build SBOM",
            "D6 is under CC0-1.0",
            "D7 states the version of the licence list",
            "D8 has exactly one root, which is hashed",
            "D9 holds no vulnerability data",
            "D10 names only ids that exist, and each once",
            "D11 reaches every package from its root",
        ),
    ),
    (
        "layer",
        (
            "L1 states digest, kind, place and origin",
            "L2 says whether the list of its components is complete",
            "L3 accounts for every file",
            "L4 records the files that were removed",
            "L5 has its own instance of what other layers have too, of one source",
        ),
    ),
    (
        "component",
        (
            "C1 has a name",
            "C2 has a version",
            "C3 has a supplier with a contact",
            "C4 has a package URL",
            "C5 has a file name with SHA-256 and SHA-512",
            "C6 says whether it is executable, an archive, structured",
            "C7 has a source with name, version, URI and hash",
            "C8 has a declared licence",
            "C9 has a concluded licence",
            "C10 has copyright holders",
            "C11 says whether its dependencies are complete",
            "C12 has evidence with its hash, and confidence",
            "C13 says how it is linked",
        ),
    ),
    (
        "licence",
        (
            "X1 is an expression that parses",
            "X2 has identifiers of the pinned list, none deprecated",
            "X3 has a text for each LicenseRef, and ids that come from the texts",
            "X4 is known, or waived",
            "X5 has one text for one id in all layers",
            "X6 is concluded differently only with a curation record",
            "X7 has its text in the notice",
        ),
    ),
    (
        "obligation",
        (
            "O1 has source where its licence asks for it",
            "O2 has a written offer that is long enough",
            "O3 is not under version 3 of a GNU licence in a locked partition, or that is settled",
            "O4 may be passed on",
            "O5 is in the notice",
        ),
    ),
    (
        "aggregate",
        (
            "A1 is the union of the layers' documents",
            "A2 has the digests of what is in the flashable image",
            "A3 has counts that add up",
            "A4 has signatures that verify",
            "A5 is the same after a rebuild",
        ),
    ),
)
_WARNINGS = words("L2 L4 C3 C4 C6 C7 C10 C11 C13 O2 O3")


def _checks() -> Iterator[Check]:
    for family, titles in _TITLES:
        for line in titles:
            identifier, _, title = line.partition(" ")
            yield Check(identifier, family, title, "warning" if identifier in _WARNINGS else "error")


CHECKS = {check.id: check for check in _checks()}


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that failed: where (layer and element id, with its name), how bad it is, and what is wrong.

    `waiver` names who accepted it and why, empty when nobody did.
    """

    check: str
    severity: Severity
    layer: str
    element: str
    name: str
    message: str
    waiver: str = ""


@dataclass
class Findings:
    """Collects what checks find in a bill, and how many elements each looked at, by layer."""

    bill: Bill
    found: list[Finding] = field(default_factory=list)
    examined: dict[tuple[str, str], int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def look(self, check: str, layer: str = "", count: int = 1) -> None:
        """Count elements that a check looks at."""
        self.examined[check, layer] = self.examined.get((check, layer), 0) + count

    def skip(self, reason: str, *checks: str) -> None:
        """Say why checks could not look at anything; a skipped check has not passed."""
        self.skipped |= dict.fromkeys(checks, reason)

    def add(self, check: str, element: Element | str, message: str, severity: Severity | None = None) -> None:
        """Note a failure at an element, or at an id that is no element."""
        if isinstance(element, Element):
            identifier, name = element.id, element.name
        else:
            identifier, name = element, self.bill.elements[element].name if element in self.bill.elements else ""
        layer = self.bill.layer_of.get(identifier, "")
        self.found.append(Finding(check, severity or CHECKS[check].severity, layer, identifier, name, message))
