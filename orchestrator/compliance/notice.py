# SPDX-License-Identifier: MIT
"""The notice that ships with a product: who wrote what is in it, and every licence text once.

The same documents give the same bytes, as text and as HTML; neither has a date of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from orchestrator.compliance import library
from orchestrator.compliance.bill import UNKNOWN, Bill, Element
from orchestrator.compliance.expressions import terms_of

_WIDTH = 78


@dataclass(frozen=True, slots=True)
class Entry:
    """A component in the notice; `evidence` is the digest of its copyright file when that is quoted."""

    name: str
    licence: str
    holders: tuple[str, ...]
    evidence: str
    source: str


@dataclass(frozen=True)
class Notice:
    """A notice before it is written: per layer its components, then texts and copyright files, each once.

    `missing` are licences (id, component) whose text is in neither.
    """

    title: str
    layers: tuple[tuple[str, tuple[Entry, ...]], ...]
    texts: tuple[tuple[str, str], ...]
    files: tuple[tuple[str, str, tuple[str, ...]], ...]
    missing: tuple[tuple[str, str], ...]
    offer: str = ""
    have: frozenset[str] = field(default_factory=frozenset)


def build(bill: Bill, files: Mapping[str, str] | None = None, *, layer: str = "", offer: str = "") -> Notice:
    """Return the notice of a bill, or of one of its layers.

    `files` are copyright files by digest; those of the components, and no others, are quoted. `offer` is the text of
    the written offer for source.
    """
    files = files or {}
    names = [each.name for each in bill.layers if not layer or each.name == layer]
    texts: dict[str, str] = {}
    quoted: dict[str, dict[str, None]] = {}
    missing: dict[tuple[str, str], None] = {}
    sections = []
    have: set[str] = set()
    for name in names:
        entries = []
        for component in sorted(bill.members(name), key=lambda each: (each.name, each.version, each.id)):
            evidence = component.properties.get("evidencedigest", "")
            if evidence in files:
                quoted.setdefault(evidence, {})[f"{component.name} {component.version}"] = None
            else:
                evidence = ""
            for identifier in _texts(bill, component, texts):
                if evidence:
                    have.add(identifier)
                else:
                    missing[identifier, component.name] = None
            entries.append(_entry(bill, component, evidence))
        sections.append((name, tuple(dict.fromkeys(entries))))
    return Notice(
        bill.name,
        tuple(sections),
        tuple(sorted(texts.items())),
        tuple((digest, files[digest], tuple(sorted(users))) for digest, users in sorted(quoted.items())),
        tuple(sorted(missing)),
        offer,
        frozenset(have),
    )


def _texts(bill: Bill, component: Element, texts: dict[str, str]) -> list[str]:
    """Add the texts of a component's licences; return the licences that have none here."""
    wanting = []
    for term in dict.fromkeys((*terms_of(component.declared), *terms_of(component.concluded))):
        if term.id.startswith("LicenseRef-"):
            found, name = bill.text(term.id), term.id
        else:
            name = library.name_of(term)
            found = library.text(name)
        if found.strip():
            texts[name] = found
        else:
            wanting.append(term.id)
        if term.exception:
            wanting.append(term.exception)
    return wanting


def _entry(bill: Bill, component: Element, evidence: str) -> Entry:
    holders = () if component.copyright in UNKNOWN else tuple(component.copyright.splitlines())
    source = " ".join(filter(None, (component.properties.get(f"source{key}", "") for key in ("name", "version"))))
    licence = component.concluded or component.declared or "NOASSERTION"
    return Entry(f"{component.name} {component.version}".strip(), licence, holders, evidence, source)


def listed_texts(notice: Notice) -> frozenset[str]:
    """Return the licence ids whose text a notice has, for check X7: with all their suffixes, and quoted ones."""
    found = set(notice.have)
    for name, _ in notice.texts:
        found |= {name, f"{name}-only", f"{name}-or-later", f"{name}+"}
        found |= {f"{name}-{part}-{end}" for part in ("no-invariants", "invariants") for end in ("only", "or-later")}
    return frozenset(found - {identifier for identifier, _ in notice.missing})


def as_text(notice: Notice) -> str:
    """Return the notice as plain text, with a final newline."""
    lines = [notice.title, "=" * len(notice.title), "", *_opening(notice)]
    for layer, entries in notice.layers:
        lines += ["", f"LAYER {layer} ({len(entries)} components)", "-" * _WIDTH]
        for entry in entries:
            lines += ["", entry.name, f"    licence: {entry.licence}"]
            if entry.source:
                lines.append(f"    source:  {entry.source}")
            if entry.evidence:
                lines.append(f"    copyright file: {entry.evidence}")
            else:
                lines += [f"    {holder}" for holder in entry.holders]
    for name, text in notice.texts:
        lines += ["", "", f"LICENCE TEXT {name}", "-" * _WIDTH, text.rstrip()]
    for digest, text, users in notice.files:
        lines += ["", "", f"COPYRIGHT FILE {digest}", *(f"of {user}" for user in users), "-" * _WIDTH, text.rstrip()]
    return "\n".join(lines) + "\n"


def _opening(notice: Notice) -> list[str]:
    lines = [
        "This product contains the software listed below, layer by layer. Each component is under",
        "its own licence; the texts and the authors' copyright files follow the list.",
    ]
    if notice.offer:
        lines += ["", *notice.offer.splitlines()]
    return lines


def _anchor(name: str) -> str:
    return "t" + hashlib.sha256(name.encode()).hexdigest()[:12]


_STYLE = (
    "body{font:15px/1.45 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "pre{white-space:pre-wrap;background:#f4f4f4;padding:1em;font-size:12px}"
    "h2{border-bottom:1px solid #999}.c{margin:.8em 0}.l{color:#444}"
    "@media print{a{color:inherit;text-decoration:none}}"
)


def as_html(notice: Notice) -> str:
    """Return the notice as one self-contained HTML page."""
    out = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(notice.title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(notice.title)}</h1>",
        *(f"<p>{escape(line)}</p>" for line in " ".join(_opening(notice)[:2]).splitlines()),
    ]
    if notice.offer:
        out.append(f"<p>{escape(notice.offer)}</p>")
    have = {name for name, _ in notice.texts}
    for layer, entries in notice.layers:
        out.append(f"<h2>Layer {escape(layer)} ({len(entries)} components)</h2>")
        for entry in entries:
            out.append(f'<div class="c"><b>{escape(entry.name)}</b><br><span class="l">{_linked(entry, have)}</span>')
            if entry.source:
                out.append(f"<br>source: {escape(entry.source)}")
            if entry.evidence:
                out.append(f'<br><a href="#{_anchor(entry.evidence)}">copyright file</a>')
            else:
                out += [f"<br>{escape(holder)}" for holder in entry.holders]
            out.append("</div>")
    out.append("<h2>Licence texts</h2>")
    for name, text in notice.texts:
        out.append(f'<h3 id="{_anchor(name)}">{escape(name)}</h3><pre>{escape(text.rstrip())}</pre>')
    if notice.files:
        out.append("<h2>Copyright files</h2>")
    for digest, text, users in notice.files:
        out.append(f'<h3 id="{_anchor(digest)}">{escape(", ".join(users))}</h3><pre>{escape(text.rstrip())}</pre>')
    return "\n".join([*out, "</body></html>"]) + "\n"


def _linked(entry: Entry, have: set[str]) -> str:
    shown = []
    for word in entry.licence.replace("(", "( ").replace(")", " )").split(" "):
        name = library.name_of(next(iter(terms_of(word)), _Word(word)))  # type: ignore[arg-type]
        shown.append(f'<a href="#{_anchor(name)}">{escape(word)}</a>' if name in have else escape(word))
    return " ".join(shown).replace("( ", "(").replace(" )", ")")


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of an expression that is no licence, in the place of one."""

    id: str
