# SPDX-License-Identifier: MIT
"""Expressions of documents: each text parsed once, and what its licences ask for."""

from __future__ import annotations

import functools

from orchestrator.compliance.bill import Bill
from orchestrator.sbom.expression import Any, ExpressionError, Licence, Node, is_copyleft, licences, parse
from orchestrator.sbom.texts import mentions_copyleft


@functools.lru_cache(maxsize=65536)
def parsed(text: str) -> Node:
    """Return the tree of an expression; raises ExpressionError."""
    return parse(text)


def terms_of(text: str) -> tuple[Licence, ...]:
    """Return the licences of an expression, each once; none for one that does not parse (checks say so)."""
    try:
        return tuple(dict.fromkeys(licences(parsed(text)))) if text else ()
    except ExpressionError:
        return ()


@functools.lru_cache(maxsize=65536)
def _speaks_of_copyleft(text: str) -> bool:
    return mentions_copyleft(text)


def copyleft(bill: Bill, licence: Licence) -> bool:
    """Tell whether a licence is copyleft in the broad reading: listed as such, or a LicenseRef that speaks of one."""
    if not licence.id.startswith("LicenseRef-"):
        return is_copyleft(licence)
    return _speaks_of_copyleft(f"{licence.id} {bill.text(licence.id)}")


def owes(bill: Bill, node: Node) -> bool:
    """Tell whether an expression owes copyleft whatever is chosen: by AND any term, by OR every one."""
    if isinstance(node, Licence):
        return copyleft(bill, node)
    outcomes = [owes(bill, term) for term in node.terms]
    return all(outcomes) if isinstance(node, Any) else any(outcomes)
