# SPDX-License-Identifier: MIT
"""What each licence asks of somebody who ships its software in a device, in duties that an auditor ticks off.

Sources: the licences themselves - GPL-2.0 sections 1 to 3, GPL-3.0 sections 4 to 6, LGPL-2.1 section 6, LGPL-3.0
section 4, AGPL-3.0 section 13, MPL-2.0 section 3, Apache-2.0 section 4, BSD-4-Clause clause 3, CC-BY-4.0 section 3.
This is a reading aid, not advice; a choice (OR) owes the duties of the choice that is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from orchestrator.compliance.bill import Bill, Element
from orchestrator.compliance.expressions import copyleft, parsed
from orchestrator.sbom.expression import Any, ExpressionError, Licence, Node

Duty = Literal[
    "notice", "source", "written offer", "installation information", "relinking", "network source", "notice file",
    "advertising acknowledgement", "attribution", "permission to redistribute", "review",
]  # fmt: skip

DUTIES: dict[Duty, str] = {
    "notice": "pass on the copyright notices and the text of the licence",
    "source": "pass on the complete corresponding source, with patches, scripts and configuration",
    "written offer": "unless the source comes along: offer it in writing for three years at least",
    "installation information": "let the owner of the device install changed versions (keys included)",
    "relinking": "let the user link a changed library: shared, or with the object files",
    "network source": "offer the source to those who use it over a network",
    "notice file": "pass on the NOTICE file of the work, where it has one",
    "advertising acknowledgement": "name its authors in advertisements that speak of it",
    "attribution": "name the author, the licence and what was changed",
    "permission to redistribute": "have the owner's permission to pass it on, in writing",
    "review": "read the text: no identifier stands for it",
}
_WEAK = ("MPL-", "EPL-", "CDDL-", "CPL-", "IPL-", "EUPL-", "OSL-", "APSL-", "LPL-", "SPL-", "NPL-", "MS-RL")


@dataclass(frozen=True, slots=True)
class Obligation:
    """A duty that a component's licence brings; `licences` are those that ask for it, `choice` tells that another
    licence of an OR was passed over for it or may be chosen instead."""

    layer: str
    component: Element
    duty: Duty
    licences: tuple[str, ...]
    choice: bool = False


def duties_of(bill: Bill, licence: Licence) -> tuple[Duty, ...]:
    """Return what one licence asks for; a LicenseRef always asks for reading, and for source when it is copyleft."""
    name = licence.id
    if name.startswith("LicenseRef-"):
        asked: list[Duty] = ["notice", "review"]
        if copyleft(bill, licence):
            asked += ["source", "written offer"]
        if "proprietary" in name.lower():
            asked += ["permission to redistribute"]
        return tuple(asked)
    family = name.split("-")[0]
    if family in ("GPL", "LGPL", "AGPL"):
        asked = ["notice", "source", "written offer"]
        if family == "LGPL":
            asked.append("relinking")
        if family == "AGPL":
            asked.append("network source")
        if "-3.0" in name:
            asked.append("installation information")
        return tuple(asked)
    if name.startswith(_WEAK) or copyleft(bill, licence):
        return ("notice", "source")
    if name.startswith("Apache-"):
        return ("notice", "notice file")
    if name.startswith(("BSD-4-Clause", "OpenSSL", "SSLeay")):
        return ("notice", "advertising acknowledgement")
    if name.startswith("CC-BY"):
        return ("notice", "attribution")
    if name in ("CC0-1.0", "Unlicense", "0BSD", "WTFPL"):
        return ()
    return ("notice",)


def chosen(bill: Bill, node: Node) -> tuple[list[Licence], bool]:
    """Return the licences that bind, and whether a choice was made: of an OR the one with the fewest duties."""
    if isinstance(node, Licence):
        return [node], False
    parts = [chosen(bill, term) for term in node.terms]
    if isinstance(node, Any):
        weight = [len({duty for licence in found for duty in duties_of(bill, licence)}) for found, _ in parts]
        return parts[weight.index(min(weight))][0], True
    return [licence for found, _ in parts for licence in found], any(choice for _, choice in parts)


def obligations(bill: Bill) -> Iterator[Obligation]:
    """Yield the duties of every component, by layer in the document's order; the concluded licence counts first."""
    for component in bill.components:
        text = component.concluded or component.declared
        layer = bill.layer_of.get(component.id, "")
        try:
            binding, choice = chosen(bill, parsed(text)) if text else ([], False)
        except ExpressionError:
            binding, choice = [], False
        if not binding:
            yield Obligation(layer, component, "review", (text or "NOASSERTION",))
            continue
        asked: dict[Duty, dict[str, None]] = {}
        for licence in binding:
            for duty in duties_of(bill, licence):
                asked.setdefault(duty, {})[str(licence)] = None
        for duty in DUTIES:
            if duty in asked:
                yield Obligation(layer, component, duty, tuple(asked[duty]), choice)


def needs_source(bill: Bill) -> Iterator[Element]:
    """Yield the components whose licence asks for source to be passed on."""
    for obligation in obligations(bill):
        if obligation.duty == "source":
            yield obligation.component
