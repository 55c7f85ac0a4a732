# SPDX-License-Identifier: MIT
"""X1 to X7: what is said of licences."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from orchestrator.compliance.bill import Bill, Element
from orchestrator.compliance.context import Surroundings
from orchestrator.compliance.expressions import parsed
from orchestrator.compliance.findings import Findings
from orchestrator.sbom import spdxlist
from orchestrator.sbom.expression import ExpressionError, Licence, UnlistedError, licences


def run(found: Findings, around: Surroundings) -> None:
    """Look at every expression and text; see the module for what."""
    bill = found.bill
    for component in bill.components:
        layer = bill.layer_of.get(component.id, "")
        for check in ("X1", "X2", "X3", "X4", "X6"):
            found.look(check, layer)
        used = [*_expression(found, component, "declared"), *_expression(found, component, "concluded")]
        for reference in dict.fromkeys(term.id for term in used if term.id.startswith("LicenseRef-")):
            if not bill.text(reference).strip():
                found.add("X3", component, f"{reference} has no text")
        if not component.declared and not component.concluded:
            found.add("X4", component, "its licence is unknown")
        if component.declared and component.concluded and component.declared != component.concluded:
            known = component.properties
            if not all(known.get(f"conclusion{name}") for name in ("author", "date", "reason")):
                found.add("X6", component, f"concluded {component.concluded[:80]!r} and nobody says why")
        if around.texts is not None:
            _in_notice(found, component, used, around.texts)
    for edge in bill.elements.values():
        if edge.role != "component":
            _expression(found, edge, "declared")
            _expression(found, edge, "concluded")
    _texts(found, bill, around)
    if around.texts is None:
        found.skip("no notice was given to look into", "X7")


def _expression(found: Findings, element: Element, field: str) -> Iterable[Licence]:
    text = getattr(element, field)
    if not text:
        return ()
    try:
        terms = tuple(licences(parsed(text)))
    except UnlistedError as problem:
        found.add("X2", element, f"{field}: {problem}")
        return ()
    except ExpressionError as problem:
        found.add("X1", element, f"{field}: {problem}")
        return ()
    for term in dict.fromkeys(terms):
        if term.id in spdxlist.DEPRECATED or term.exception in spdxlist.DEPRECATED_EXCEPTIONS:
            found.add("X2", element, f"{term} is deprecated", "warning")
    return terms


def _in_notice(found: Findings, component: Element, used: Iterable[Licence], texts: frozenset[str]) -> None:
    found.look("X7", found.bill.layer_of.get(component.id, ""))
    for identifier in dict.fromkeys(term.id for term in used):
        if not identifier.startswith("LicenseRef-") and identifier not in texts:
            found.add("X7", component, f"the text of {identifier} is not in the notice")


def _texts(found: Findings, bill: Bill, around: Surroundings) -> None:
    found.look("X5", count=len(bill.texts))
    seen = {identifier: (texts[0], "this document") for identifier, texts in bill.texts.items() if texts}
    for identifier, texts in bill.texts.items():
        if len(set(texts)) > 1:
            found.add("X5", identifier, "one id has two texts")
        elif len(texts) > 1:
            found.add("D10", identifier, "the text is defined twice")
        for text in texts:
            if not text.strip():
                found.add("X3", identifier, "a LicenseRef without a text")
            elif hashlib.sha256(text.encode()).hexdigest()[:16] not in identifier:
                found.add("X3", identifier, "the id does not come from the text", "warning")
    for name, other in (around.layers or {}).items():
        for identifier, texts in other.texts.items():
            for text in texts:
                first, where = seen.setdefault(identifier, (text, name))
                if first != text:
                    found.add("X5", identifier, f"its text in layer {name} is not that of {where}")
