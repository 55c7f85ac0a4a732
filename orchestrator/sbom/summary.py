# SPDX-License-Identifier: MIT
"""Counts over a layer's document for people: how many packages, which licences, what is copyleft or unknown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from orchestrator.sbom.expression import is_copyleft, licences, parse
from orchestrator.sbom.model import Document


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of one layer. `copyleft` packages have a copyleft licence anywhere in their declared expression, or a
    LicenseRef whose text speaks of one; `unknown` packages declare nothing; `top` are the commonest listed licences
    with the number of packages, LicenseRefs left out."""

    packages: int
    licences: int
    copyleft: int
    unknown: int
    kept_as_text: int
    top: tuple[tuple[str, int], ...]


def summarise(document: Document, top: int = 5) -> Summary:
    """Count a document's packages and licences."""
    copyleft = unknown = kept = 0
    counts: Counter[str] = Counter()
    references: set[str] = set()
    for component in document.components:
        finding = component.licence
        if not finding.expression:
            unknown += 1
            continue
        found = set(licences(parse(finding.expression)))
        listed = {str(licence) for licence in found if not licence.id.startswith("LicenseRef-")}
        references |= {licence.id for licence in found} - {licence.id for licence in found if str(licence) in listed}
        counts.update(listed)
        kept += bool(finding.extracted)
        copyleft += any(map(is_copyleft, found)) or any(entry.copyleft for entry in finding.extracted)
    commonest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]
    return Summary(len(document.components), len(counts) + len(references), copyleft, unknown, kept, tuple(commonest))
