# SPDX-License-Identifier: MIT
"""O1 to O5: what shipping the software asks for."""

from __future__ import annotations

from datetime import date

from orchestrator.compliance.bill import Bill, Element
from orchestrator.compliance.context import Surroundings
from orchestrator.compliance.duties import needs_source, obligations
from orchestrator.compliance.findings import Findings

OFFER_YEARS = 3
"""GPL-2.0 section 3b and GPL-3.0 section 6b: a written offer is valid for at least three years."""


def run(found: Findings, around: Surroundings) -> None:
    """Look at what the licences ask for; see the module for what."""
    bill = found.bill
    owing = list(needs_source(bill))
    for component in owing:
        found.look("O1", bill.layer_of.get(component.id, ""))
        _source(found, bill, component, around)
    _offer(found, bool(owing), around)
    locked: dict[str, list[Element]] = {}
    for duty in obligations(bill):
        if duty.duty == "installation information":
            locked.setdefault(duty.layer, []).append(duty.component)
    for layer in bill.layers:
        found.look("O3", layer.name)
        if layer.name in locked and not around.installation_information:
            names = sorted({component.name for component in locked[layer.name]})
            text = f"{len(names)} components under version 3 of a GNU licence, and verified: {', '.join(names[:8])}"
            found.add("O3", layer, text + (", ..." if len(names) > 8 else ""))
    for component in bill.components:
        if component.properties.get("componentkind") == "firmware" or "firmware" in component.purposes:
            found.look("O4", bill.layer_of.get(component.id, ""))
            _redistribution(found, bill, component)
    _notice(found, bill, around)


def _source(found: Findings, bill: Bill, component: Element, around: Surroundings) -> None:
    known = component.properties
    source = bill.sources.get(component.id)
    name = known.get("sourcename") or (source.name if source else "")
    version = known.get("sourceversion") or (source.version if source else "")
    if (name, version) in around.bundled:
        return
    if not name or not version:
        found.add("O1", component, "its licence asks for source, and none is named")
    elif around.bundled:
        found.add("O1", component, f"the source bundle has no {name} {version}")


def _offer(found: Findings, owing: bool, around: Surroundings) -> None:
    if around.part:
        found.skip("the document of the whole image answers for it", "O2")
        return
    found.look("O2")
    if not owing:
        return
    if around.offer is None:
        if not around.bundled:
            found.add("O2", "document", "no written offer: then the source bundle must come with every device")
        return
    made = _day(found.bill.created[:10])
    until = _day(around.offer.until)
    if until is None:
        found.add("O2", "document", f"the offer has no end date: {around.offer.until[:40]!r}", "error")
    elif made is not None and until < _later(made, OFFER_YEARS):
        found.add("O2", "document", f"the offer ends on {until}, less than {OFFER_YEARS} years after {made}", "error")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year + years, day=28)


def _redistribution(found: Findings, bill: Bill, component: Element) -> None:
    licence = component.concluded or component.declared
    if not licence:
        found.add("O4", component, "firmware without a licence: nothing allows passing it on")
    elif "proprietary" in licence.lower():
        texts = [bill.text(reference) for reference in bill.texts if reference in licence]
        if not any("redistribut" in text.lower() for text in texts):
            found.add("O4", component, "proprietary firmware whose text does not speak of redistribution", "warning")


def _notice(found: Findings, bill: Bill, around: Surroundings) -> None:
    if around.notice is None:
        found.skip("no notice was given to look into", "O5")
        return
    lines = set(around.notice.splitlines())
    for component in bill.components:
        found.look("O5", bill.layer_of.get(component.id, ""))
        if f"{component.name} {component.version}".strip() not in lines:
            found.add("O5", component, "the notice does not name it")
