# SPDX-License-Identifier: MIT
"""The licence of a whole: what of all its parts applies together."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.sbom.expression import All, Node, all_of, parse


def together(expressions: Iterable[str]) -> str:
    """Return the conjunction of licence expressions, each term once, sorted; empty for none.

    A compilation is under the licences of all of its parts: `A AND (A OR B)` stays, nothing is simplified away.
    """
    terms: dict[str, Node] = {}
    for text in sorted(set(expressions)):
        if text:
            node = parse(text)
            for term in node.terms if isinstance(node, All) else (node,):
                terms[str(term)] = term
    return str(all_of([terms[key] for key in sorted(terms)])) if terms else ""
