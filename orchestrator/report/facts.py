# SPDX-License-Identifier: MIT
"""What the page tells, as plain values: counted once here, so that every section says the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.compliance.bill import Bill, Element
from orchestrator.compliance.categories import Category, category_of, worst
from orchestrator.compliance.checks.layers import census
from orchestrator.compliance.duties import DUTIES, obligations
from orchestrator.compliance.expressions import terms_of
from orchestrator.compliance.findings import CHECKS, Finding
from orchestrator.compliance.judge import Verdict
from orchestrator.compliance.policy import Ruling
from orchestrator.cve.examine import Report

_MANY = 8


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A layer: its counts, and its components by category of licence. `files` and `unowned` are None uncounted."""

    name: str
    kind: str
    version: str
    origin: str
    digests: tuple[str, ...]
    components: int
    categories: Mapping[Category, int]
    files: int | None
    unowned: int | None


@dataclass(frozen=True, slots=True)
class ComponentRow:
    """A component as the page lists it."""

    layer: str
    name: str
    version: str
    licence: str
    category: Category
    supplier: str
    source: str


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A confinement given up: of which layer (empty: the product), what, why, and its weight where it was rated."""

    layer: str
    what: str
    reason: str
    weight: str = ""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A check: its outcome in each document."""

    id: str
    title: str
    outcomes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything on the page. `signatures` are lines of a name and what was found; `vulnerabilities` is None when no
    database was given."""

    title: str
    machine: str
    created: str
    revision: str
    image: str
    layers: tuple[LayerRow, ...]
    components: tuple[ComponentRow, ...]
    licences: tuple[tuple[str, int, Category], ...]
    obligations: tuple[tuple[str, str, tuple[tuple[str, tuple[str, ...]], ...]], ...]
    documents: tuple[str, ...]
    checks: tuple[CheckRow, ...]
    findings: tuple[tuple[str, Finding], ...]
    rulings: tuple[Ruling, ...] = ()
    signatures: tuple[tuple[str, str], ...] = ()
    relaxations: tuple[Relaxation, ...] = ()
    grades: tuple[tuple[str, str], ...] = ()
    vulnerabilities: Report | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)


def gather(
    bill: Bill,
    verdicts: Mapping[str, Verdict],
    *,
    title: str,
    machine: str = "",
    revision: str = "",
    image: str = "",
    rulings: Sequence[Ruling] = (),
    signatures: Sequence[tuple[str, str]] = (),
    relaxations: Sequence[Relaxation] = (),
    grades: Sequence[tuple[str, str]] = (),
    vulnerabilities: Report | None = None,
) -> Facts:
    """Return the facts of a release; `verdicts` are by document, `rulings` those that are not plainly allowed."""
    rows, counts = [], Counter[str]()
    categories: dict[str, Category] = {}
    by_layer: dict[str, Counter[Category]] = {layer.name: Counter() for layer in bill.layers}
    for layer in bill.layers:
        for component in bill.members(layer.name):
            text = component.concluded or component.declared
            found = {term: category_of(bill, term) for term in terms_of(text)}
            for term, category in found.items():
                if not term.id.startswith("LicenseRef-"):
                    counts[str(term)] += 1
                    categories[str(term)] = category
            category = worst(set(found.values()))
            by_layer[layer.name][category] += 1
            source = " ".join(component.properties.get(f"source{key}", "") for key in ("name", "version"))
            rows.append(
                ComponentRow(
                    layer.name, component.name, component.version, text or "NOASSERTION", category,
                    component.supplier.name if component.supplier else "", source.strip(),
                )
            )  # fmt: skip
    return Facts(
        title=title,
        machine=machine,
        created=bill.created,
        revision=revision,
        image=image,
        layers=tuple(_layer(layer, by_layer[layer.name]) for layer in bill.layers),
        components=tuple(rows),
        licences=tuple((name, count, categories[name]) for name, count in sorted(counts.items(), key=_most)),
        obligations=tuple(_obligations(bill)),
        documents=tuple(verdicts),
        checks=tuple(
            CheckRow(check.id, check.title, tuple(verdict.outcome(check.id) for verdict in verdicts.values()))
            for check in CHECKS.values()
        ),
        findings=tuple((name, finding) for name, verdict in verdicts.items() for finding in verdict.findings),
        rulings=tuple(rulings),
        signatures=tuple(signatures),
        relaxations=tuple(relaxations),
        grades=tuple(grades),
        vulnerabilities=vulnerabilities,
    )


def _most(item: tuple[str, int]) -> tuple[int, str]:
    return (-item[1], item[0])


def _layer(layer: Element, categories: Mapping[Category, int]) -> LayerRow:
    counts = census(layer)
    known = layer.properties
    return LayerRow(
        layer.name,
        known.get("kind", ""),
        layer.version,
        layer.source_info or known.get("origin", ""),
        tuple(value for algorithm, value in layer.hashes if algorithm == "sha256"),
        sum(categories.values()),
        dict(categories),
        counts[0] if counts else None,
        counts[3] if counts else None,
    )


def _obligations(bill: Bill) -> Iterator[tuple[str, str, tuple[tuple[str, tuple[str, ...]], ...]]]:
    grouped: dict[str, dict[str, list[Element]]] = {layer.name: {} for layer in bill.layers}
    for each in obligations(bill):
        grouped[each.layer].setdefault(each.duty, []).append(each.component)
    for duty, meaning in DUTIES.items():
        layers = [(layer, tuple(_together(found[duty]))) for layer, found in grouped.items() if duty in found]
        if layers:
            yield duty, meaning, tuple(layers)


def _together(components: Sequence[Element]) -> Iterator[str]:
    """Yield names; many components of one source, as a kernel's modules, are one line."""
    by_source: dict[str, list[str]] = {}
    for component in components:
        by_source.setdefault(component.properties.get("sourcename", ""), []).append(component.name)
    lines = []
    for source, names in by_source.items():
        lines += [f"{source}: {len(names)} components"] if source and len(names) > _MANY else names
    yield from sorted(set(lines))
