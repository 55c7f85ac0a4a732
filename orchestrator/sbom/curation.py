# SPDX-License-Identifier: MIT
"""Curations: licences that a person concluded after reading, kept in a reviewed file and bound to what was read.

`pycontainer.curations.yaml` beside the product file:

    curations:
      - purl: pkg:deb/debian/libfoo        # `*` stands for anything; a version may follow as @1.2-*
        versions: ">= 1.2, < 2"            # optional, in Debian's order for Debian's packages
        evidence: sha256:...               # of the file that was read, as the SBOM names it
        concluded: MIT AND LicenseRef-foo
        texts: {LicenseRef-foo: "..."}     # for a LicenseRef that the component does not declare itself
        author: Ada Example <ada@example.org>
        date: 2026-11-02
        reason: the GPL-2.0-only file is a test that no binary holds

A curation whose evidence has another hash by now is stale: it is reported and not applied, because what its author
read is not what ships.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from orchestrator.canonical import read_limited
from orchestrator.errors import ConfigError
from orchestrator.product.files import CURATION_FILE as CURATION_FILE
from orchestrator.sbom import yamlfile
from orchestrator.sbom.expression import ExpressionError, licences, parse
from orchestrator.sbom.model import Component, Conclusion, Document, ExtractedLicence
from orchestrator.sbom.texts import mentions_copyleft
from orchestrator.sbom.versions import compare_debian, compare_semantic

_LIMIT = 4 * 1024 * 1024
_HINT = "docs/compliance.md shows the form of a curation"
_CONDITION = re.compile(r"\s*(<=|>=|<|>|==?|!=)\s*(\S+)\s*\Z")
_OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "==": operator.eq,
    "!=": operator.ne,
}  # fmt: skip

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class Curation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One record: which components (`purl` pattern and `versions`), which `evidence`, and who `concluded` what."""

    purl: Annotated[str, msgspec.Meta(pattern=r"^pkg:\S{1,2000}\Z")]
    concluded: Line
    author: Line
    date: date
    reason: Line
    versions: str = ""
    evidence: Annotated[str, msgspec.Meta(pattern=r"^(sha256:[0-9a-f]{64})?\Z")] = ""
    texts: dict[str, str] = {}


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    curations: Annotated[list[Curation], msgspec.Meta(max_length=10_000)]


@dataclass(frozen=True)
class CurationNote:
    """What became of a curation at a component: `applied`, `stale` (other evidence now), or `unused` (no component)."""

    outcome: Literal["applied", "stale", "unused"]
    purl: str
    component: str
    message: str


def load(path: Path) -> tuple[Curation, ...]:
    """Read a curation file; one that is not there has no curations. Raises ConfigError naming what is wrong."""
    try:
        data = read_limited(path, _LIMIT)
    except FileNotFoundError:
        return ()
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read", str(problem), "name or allow another file") from problem
    entries = yamlfile.decode(data, _File, path, limit=_LIMIT, hint=_HINT).curations
    for position, entry in enumerate(entries):
        _check(path, position, entry)
    return tuple(entries)


def _check(path: Path, position: int, entry: Curation) -> None:
    where = f"{path}: curations[{position}] ({entry.purl[:80]})"
    try:
        terms = list(licences(parse(entry.concluded)))
    except ExpressionError as problem:
        raise ConfigError(f"{where}: 'concluded' is no licence expression", str(problem), _HINT) from problem
    unused = set(entry.texts) - {term.id for term in terms}
    if unused:
        raise ConfigError(f"{where}: a text for {min(unused)[:80]!r}", "'concluded' does not name it", _HINT)
    try:
        _conditions(entry.versions)
    except ValueError as problem:
        raise ConfigError(f"{where}: 'versions' is not a list of conditions", str(problem), _HINT) from problem


def _conditions(text: str) -> list[tuple[str, str]]:
    found = []
    for part in filter(str.strip, text.split(",")):
        match = _CONDITION.match(part)
        if match is None:
            raise ValueError(f"not a condition such as '>= 1.2': {part.strip()[:60]!r}")
        found.append((match[1], match[2]))
    return found


def matches(entry: Curation, purl: str, version: str) -> bool:
    """Tell whether a curation is about a component, evidence aside. Qualifiers of the purl count only when given."""
    pattern, _, qualifiers = entry.purl.partition("?")
    plain, _, own = purl.partition("?")
    name, at, wanted = _versioned(pattern)
    mine, _, has = _versioned(plain)
    if not fnmatch.fnmatchcase(mine, name) or (at and not fnmatch.fnmatchcase(has or version, wanted)):
        return False
    given = set(own.partition("#")[0].split("&"))
    if qualifiers and not set(qualifiers.split("&")) <= given:
        return False
    compare = compare_debian if purl.startswith("pkg:deb/") else compare_semantic
    return all(_OPERATORS[sign](compare(version, bound), 0) for sign, bound in _conditions(entry.versions))


def _versioned(purl: str) -> tuple[str, str, str]:
    """Part name and version: at the last `@` behind the last slash, for an npm scope has one before it."""
    head, slash, tail = purl.rpartition("/")
    name, at, version = tail.rpartition("@")
    return (head + slash + (name if at else tail), at, version if at else "")


def apply(document: Document, curations: Sequence[Curation]) -> tuple[Document, tuple[CurationNote, ...]]:
    """Return the document with the conclusions of fitting curations, and what became of each.

    Raises ConfigError when two curations conclude differently for one component, or a LicenseRef has no text.
    """
    notes: list[CurationNote] = []
    used: set[int] = set()
    components = []
    for component in document.components:
        fitting = []
        for position, entry in enumerate(curations):
            if not component.purl or not matches(entry, component.purl, component.version):
                continue
            used.add(position)
            if entry.evidence != component.licence.evidence_digest:
                now = component.licence.evidence_digest or "no file"
                said = f"its evidence was {entry.evidence or 'no file'} and is {now} now: read it again"
                notes.append(CurationNote("stale", entry.purl, component.key, said))
            else:
                fitting.append(entry)
        components.append(_concluded(component, fitting))
        if fitting:
            notes.append(CurationNote("applied", fitting[0].purl, component.key, fitting[0].concluded))
    for position, entry in enumerate(curations):
        if position not in used:
            notes.append(CurationNote("unused", entry.purl, "", f"layer {document.layer.name} has no such component"))
    return dataclasses.replace(document, components=tuple(components)), tuple(notes)


def _concluded(component: Component, fitting: Sequence[Curation]) -> Component:
    if not fitting:
        return component
    first = fitting[0]
    if any(parse(entry.concluded) != parse(first.concluded) for entry in fitting):
        raise ConfigError(
            f"two curations conclude differently for {component.purl}",
            " and ".join(dict.fromkeys(entry.concluded for entry in fitting)),
            "narrow one of them by version or evidence, or remove it",
        )
    declared = {entry.id: entry for entry in component.licence.extracted}
    extracted = []
    for identifier in sorted({licence.id for licence in licences(parse(first.concluded))}):
        if not identifier.startswith("LicenseRef-"):
            continue
        if identifier in first.texts:
            text = first.texts[identifier]
            extracted.append(ExtractedLicence(identifier, identifier, text, mentions_copyleft(identifier + " " + text)))
        elif identifier in declared:
            extracted.append(declared[identifier])
        else:
            raise ConfigError(
                f"the curation of {component.purl} concludes {identifier} without its text",
                "neither the curation's 'texts' nor the component's declared licence has it",
                "add its text to the curation",
            )
    conclusion = Conclusion(first.concluded, first.author, first.date.isoformat(), first.reason, tuple(extracted))
    return dataclasses.replace(component, conclusion=conclusion)


def to_data(note: CurationNote) -> dict[str, Any]:
    """Return a note as plain values for JSON."""
    return dataclasses.asdict(note)
