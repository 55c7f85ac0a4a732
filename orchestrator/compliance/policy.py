# SPDX-License-Identifier: MIT
"""A licence policy: which licences may be in which layers, and who accepted what nevertheless.

`pycontainer.policy.yaml` beside the product file:

    rules:                      # the first rule that fits a licence decides; without one, `default` does
      - {deny: [AGPL-*, SSPL-1.0], reason: we do not publish the product}
      - {review: [GPL-3.0-*], layers: [rootfs, app], reason: installation information is owed}
      - {allow: {category: [permissive, copyleft, weak-copyleft]}}
    default: review             # allow, review or deny
    prefer: [MIT, Apache-2.0]   # of a choice (OR) the first of these; else the best outcome, in the order offered
    waivers:
      - {check: policy, component: bash, licence: GPL-3.0-or-later, owner: Ada <ada@example.org>,
         reason: the shell is replaceable, expires: 2027-06-30}
      - {check: X4, component: blob, owner: ..., reason: ..., expires: 2027-06-30}
    offer: {contact: source@example.org, until: 2030-01-01}
    installation_information: docs/install-changed-software.md

OR takes the best of its terms, AND the worst. A waiver that has expired waives nothing, and is reported.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from orchestrator.canonical import read_limited
from orchestrator.compliance.bill import Bill, Element
from orchestrator.compliance.categories import Category, category_of
from orchestrator.compliance.context import Offer
from orchestrator.compliance.expressions import parsed
from orchestrator.errors import ConfigError
from orchestrator.product.files import POLICY_FILE as POLICY_FILE
from orchestrator.sbom import yamlfile
from orchestrator.sbom.expression import Any, ExpressionError, Licence, Node

_LIMIT = 1024 * 1024
_HINT = "docs/compliance.md shows the form of a policy"

Outcome = Literal["allow", "review", "deny"]
_RANK: dict[Outcome, int] = {"allow": 0, "review": 1, "deny": 2}
Kind = Literal["bootloader", "bsp", "host", "rootfs", "app"]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Patterns = Annotated[list[Line], msgspec.Meta(max_length=1000)]


class Selector(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which licences: by identifier or pattern (`GPL-3.0-*`), by category."""

    id: Patterns = []
    category: list[Category] = []


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One rule: exactly one of allow, review, deny, with patterns or a selector; perhaps for some layers only."""

    allow: Patterns | Selector | None = None
    review: Patterns | Selector | None = None
    deny: Patterns | Selector | None = None
    layers: list[Kind] = []
    layer: Patterns = []
    reason: str = ""


class Waiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What somebody accepted: a `check` (`policy` or an id such as X4) at a component, until a day inclusive."""

    component: Line
    owner: Line
    reason: Line
    expires: date
    check: Line = "policy"
    licence: str = "*"
    layer: str = "*"


class OfferTerms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The written offer for source."""

    contact: Line
    until: date


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole policy file. Without any rule everything that has a licence is reviewed."""

    rules: Annotated[list[Rule], msgspec.Meta(max_length=1000)] = []
    default: Outcome = "review"
    unknown: Outcome = "deny"
    prefer: Patterns = []
    waivers: Annotated[list[Waiver], msgspec.Meta(max_length=10_000)] = []
    offer: OfferTerms | None = None
    installation_information: str = ""

    def written_offer(self) -> Offer | None:
        """Return the offer as the checks take it."""
        return Offer(contact=self.offer.contact, until=self.offer.until.isoformat()) if self.offer else None

    def check_waivers(self, today: date) -> dict[tuple[str, str], str]:
        """Return the waivers of checks that hold today, as `judge` takes them."""
        return {
            (waiver.check, waiver.component): f"{waiver.owner}: {waiver.reason} (until {waiver.expires.isoformat()})"
            for waiver in self.waivers
            if waiver.check != "policy" and waiver.expires >= today
        }


@dataclass(frozen=True, slots=True)
class Ruling:
    """The outcome for one component: the licences that decided it, the choices made of ORs, and why.

    `waiver` says who accepted an outcome other than allow; `expired` names a waiver that no longer holds.
    """

    layer: str
    component: Element
    licence: str
    outcome: Outcome
    deciding: tuple[str, ...]
    reason: str
    chosen: tuple[str, ...] = ()
    waiver: str = ""
    expired: str = ""

    @property
    def denied(self) -> bool:
        """Whether this fails a release."""
        return self.outcome == "deny" and not self.waiver


def load_policy(path: Path) -> Policy:
    """Read a policy file; one that is not there is the default policy. Raises ConfigError naming what is wrong."""
    try:
        data = read_limited(path, _LIMIT)
    except FileNotFoundError:
        return Policy()
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read", str(problem), "name or allow another file") from problem
    policy = yamlfile.decode(data, Policy, path, limit=_LIMIT, hint=_HINT)
    for position, rule in enumerate(policy.rules):
        if sum(part is not None for part in (rule.allow, rule.review, rule.deny)) != 1:
            raise ConfigError(f"{path}: rules[{position}]", "exactly one of allow, review and deny is wanted", _HINT)
    return policy


@dataclass(frozen=True, slots=True)
class _Judged:
    outcome: Outcome
    deciding: tuple[str, ...]
    reason: str
    chosen: tuple[str, ...] = ()


def rule(bill: Bill, policy: Policy, today: date) -> Iterator[Ruling]:
    """Yield the outcome for every component, in the document's order; the concluded licence counts, else the declared.

    `today` decides which waivers hold.
    """
    kinds = {layer.name: layer.properties.get("kind", "") for layer in bill.layers}
    for component in bill.components:
        layer = bill.layer_of.get(component.id, "")
        text = component.concluded or component.declared
        judged = _whole(bill, policy, text, kinds.get(layer, ""), layer)
        waiver, expired = ("", "")
        if judged.outcome != "allow":
            waiver, expired = _waiver(policy, component, layer, judged.deciding, today)
        yield Ruling(
            layer, component, text or "NOASSERTION", judged.outcome, judged.deciding, judged.reason, judged.chosen,
            waiver, expired,
        )  # fmt: skip


def _whole(bill: Bill, policy: Policy, text: str, kind: str, layer: str) -> _Judged:
    if not text:
        return _Judged(policy.unknown, ("NOASSERTION",), "its licence is unknown")
    try:
        return _judged(bill, policy, parsed(text), kind, layer)
    except ExpressionError as problem:
        return _Judged(policy.unknown, (text,), f"its licence cannot be read: {problem}")


def _judged(bill: Bill, policy: Policy, node: Node, kind: str, layer: str) -> _Judged:
    if isinstance(node, Licence):
        outcome, reason = _decided(bill, policy, node, kind, layer)
        return _Judged(outcome, (str(node),), reason)
    parts = [_judged(bill, policy, term, kind, layer) for term in node.terms]
    if isinstance(node, Any):
        best = min(range(len(parts)), key=lambda position: _preference(policy, parts[position], position))
        return _Judged(
            parts[best].outcome, parts[best].deciding, parts[best].reason, (*parts[best].chosen, str(node.terms[best]))
        )
    worst = max(_RANK[part.outcome] for part in parts)
    deciding = [part for part in parts if _RANK[part.outcome] == worst]
    return _Judged(
        deciding[0].outcome,
        tuple(dict.fromkeys(name for part in deciding for name in part.deciding)),
        "; ".join(dict.fromkeys(part.reason for part in deciding if part.reason)),
        tuple(choice for part in parts for choice in part.chosen),
    )


def _preference(policy: Policy, part: _Judged, position: int) -> tuple[bool, int, int, int]:
    """What is denied is never preferred; then the policy's order, then the better outcome as it was offered."""
    ranks = [
        rank
        for rank, pattern in enumerate(policy.prefer)
        if part.deciding and all(fnmatch.fnmatchcase(name, pattern) for name in part.deciding)
    ]
    wanted = ranks[0] if ranks and part.outcome != "deny" else len(policy.prefer)
    return (part.outcome == "deny", wanted, _RANK[part.outcome], position)


def _decided(bill: Bill, policy: Policy, licence: Licence, kind: str, layer: str) -> tuple[Outcome, str]:
    for entry in policy.rules:
        if entry.layers and kind not in entry.layers:
            continue
        if entry.layer and not any(fnmatch.fnmatchcase(layer, pattern) for pattern in entry.layer):
            continue
        outcome: Outcome
        for outcome in ("deny", "review", "allow"):
            selector = getattr(entry, outcome)
            if selector is not None and _selects(bill, selector, licence):
                return outcome, entry.reason
    return policy.default, "no rule speaks of it" if policy.default != "allow" else ""


def _selects(bill: Bill, selector: Patterns | Selector, licence: Licence) -> bool:
    patterns = selector if isinstance(selector, list) else selector.id
    named = (licence.id, str(licence))
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns for name in named):
        return True
    return isinstance(selector, Selector) and category_of(bill, licence) in selector.category


def _waiver(policy: Policy, component: Element, layer: str, deciding: tuple[str, ...], today: date) -> tuple[str, str]:
    """Return the waiver that covers every deciding licence, and one that would if it had not expired."""
    held, gone = set[str](), set[str]()
    said = late = ""
    for waiver in policy.waivers:
        if waiver.check != "policy" or not fnmatch.fnmatchcase(layer, waiver.layer):
            continue
        if not any(fnmatch.fnmatchcase(name, waiver.component) for name in (component.name, component.purl)):
            continue
        covered = {name for name in deciding if fnmatch.fnmatchcase(name, waiver.licence)}
        words = f"{waiver.owner}: {waiver.reason} (until {waiver.expires.isoformat()})"
        if waiver.expires >= today:
            held |= covered
            said = said or (words if covered else "")
        else:
            gone |= covered
            late = late or (words if covered else "")
    if held >= set(deciding):
        return said, ""
    return "", late if gone else ""
