# SPDX-License-Identifier: MIT
"""From a Debian copyright file, or a recipe's LICENSE, to one declared SPDX expression with its evidence.

The rule behind every choice: copyleft must never be lost. All statements of a file are joined by AND, a name that is
not known for certain becomes a LicenseRef with its text, a doubtful reading keeps both. So the result
over-approximates, and says so.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping

from orchestrator.sbom import dep5, deprecated, exceptions, names, scancode, synopsis, texts
from orchestrator.sbom.expression import ExpressionError, Licence, Node, all_of, is_copyleft, licences, parse
from orchestrator.sbom.model import Confidence, ExtractedLicence, LicenceFinding, Tier

SOURCE_TREE = "A Debian copyright file describes the source tree: it over-approximates what the binary package holds."
_HOLDER = re.compile(r"^[ \t*#;/|.-]{0,40}((?:copyright\b|\(c\)|©).{0,300})$", re.IGNORECASE | re.MULTILINE)
_DATED = re.compile(r"\d{4}|\(c\)|©", re.IGNORECASE)  # not "copyright notice, this list of conditions"
_JOINED_EXCEPTION = re.compile(r"(.+?)[-_~ ]with[-_ ](.+[-_ ]exceptions?)\Z", re.IGNORECASE)
_SLUG = re.compile(r"[^A-Za-z0-9.]+")
_PROSE_WORDS = 6
_NAME_LENGTH = 200
_MENTIONS_BY_DESIGN = frozenset({"Python-2.0", "PSF-2.0", "OpenSSL", "FTL", "ZPL-2.1", "Unlicense"})
"""Permissive licences whose own text speaks of the GPL (compatibility notes)."""


def licence_ref(name: str, text: str) -> ExtractedLicence:
    """Mint a LicenseRef: a readable part of the name, and the text's SHA-256, so that one id never has two texts.

    The readable part is ScanCode's key (`LicenseRef-scancode-public-domain-...`) where the name says just that.
    """
    slug = scancode.key(name) or _SLUG.sub("-", name).strip("-.")[:40].rstrip("-.")
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    minted = f"LicenseRef-{slug}-{digest}" if slug else f"LicenseRef-{digest}"
    return ExtractedLicence(minted, name, text, texts.mentions_copyleft(f"{name} {text}"))


def decode(data: bytes) -> tuple[str, bool]:
    """Return the text of a copyright file, and whether it had to be read as Latin-1 (old files are)."""
    try:
        return data.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        return data.decode("latin-1"), True


def resolve_copyright(data: bytes, evidence: str) -> LicenceFinding:
    """Return the declared licence that a copyright file states; `evidence` is the path to name. Never raises.

    Confidence is high when every word of licensing was understood, medium when a machine-readable file was doubtful in
    places, low when the whole file had to be kept as a text.
    """
    text, latin = decode(data)
    text = text.replace("\0", "")
    reading = _Reading()
    if latin:
        reading.note("The file is not UTF-8; it was read as Latin-1.")
    machine = dep5.read(text)
    tier: Tier
    confidence: Confidence
    holders: tuple[str, ...]
    if machine is not None and machine.statements:
        tier = "dep5"
        node = _machine_readable(reading, machine, text)
        holders = machine.holders
        confidence = "medium" if reading.notes or reading.extracted else "high"
    else:
        node, tier = _plain(reading, text)
        confidence = "low" if reading.extracted else "high"
        lines = (" ".join(match.split()) for match in _HOLDER.findall(text))
        holders = tuple(dict.fromkeys(line for line in lines if _DATED.search(line)))
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    return reading.finding(node, tier, evidence, digest, holders, confidence)


def resolve_recipe(licence: str, extracted: Callable[[str], str]) -> LicenceFinding:
    """Return the declared licence that a recipe states, as SPDX expression or in BitBake's older form (`A & B | C`).

    `extracted` gives the text of a LicenseRef or name that is not listed, or an empty text.
    """
    return resolve_statement(licence, extracted, "recipe", tier="recipe")


def resolve_statement(
    statement: str,
    text_of: Callable[[str], str],
    source: str,
    aliases: Mapping[str, str] | None = None,
    tier: Tier = "package",
) -> LicenceFinding:
    """Return the declared licence that one line states: an SPDX expression, or names by the grammar of `synopsis`.

    `text_of` gives the text of a LicenseRef or name that is not listed, or an empty text; `source` says in words where
    the line stood; `aliases` are further names, in lower case, with the identifiers they stand for there.
    """
    reading = _Reading(source, aliases or {})
    node: Node
    try:
        node = deprecated.replaced(parse(statement))
    except ExpressionError:
        node = reading.statement(statement, "", text_of)
    else:
        for term in licences(node):
            if term.id.startswith("LicenseRef-"):
                text = text_of(term.id) or f"The {source} says: {term.id}"
                copyleft = texts.mentions_copyleft(f"{term.id} {text}")
                reading.extracted[term.id] = ExtractedLicence(term.id, term.id, text, copyleft)
    unread = any(not text_of(entry.name) for entry in reading.extracted.values())
    return reading.finding(node, tier, confidence="low" if unread else "medium")


def joined(first: LicenceFinding, second: LicenceFinding) -> LicenceFinding:
    """Return a finding in which two statements about one component both count; the first stays the evidence."""
    if not first.expression or not second.expression:
        return dataclasses.replace(
            second if second.expression else first, notes=tuple(dict.fromkeys((*first.notes, *second.notes)))
        )
    extracted = {entry.id: entry for entry in (*first.extracted, *second.extracted)}
    return dataclasses.replace(
        first,
        expression=str(all_of([parse(first.expression), parse(second.expression)])),
        notes=tuple(dict.fromkeys((*first.notes, *second.notes))),
        extracted=tuple(extracted[key] for key in sorted(extracted)),
        holders=tuple(dict.fromkeys((*first.holders, *second.holders))),
    )


class _Reading:
    """What comes up while a file is read: LicenseRefs and notes."""

    def __init__(self, source: str = "copyright file", aliases: Mapping[str, str] | None = None) -> None:
        self.source = source
        self.aliases = aliases or {}
        self.extracted: dict[str, ExtractedLicence] = {}
        self.notes: dict[str, None] = {}

    def note(self, text: str) -> None:
        self.notes[text] = None

    def ref(self, name: str, text: str) -> Licence:
        minted = licence_ref(name, text)
        self.extracted[minted.id] = minted
        return Licence(minted.id)

    def keeps(self, text: str) -> bool:
        return any(text in entry.text for entry in self.extracted.values())

    def finding(
        self,
        node: Node,
        tier: Tier,
        evidence: str = "",
        digest: str = "",
        holders: tuple[str, ...] = (),
        confidence: Confidence = "medium",
    ) -> LicenceFinding:
        used = {licence.id for licence in licences(node)}
        extracted = tuple(self.extracted[key] for key in sorted(self.extracted) if key in used)
        return LicenceFinding(
            str(node), tier, evidence, digest, tuple(self.notes), extracted, holders, confidence=confidence
        )

    def statement(self, line: str, own_text: str, text_of: Callable[[str], str]) -> Node:
        """One licence statement: its synopsis by the grammar, or the whole of it as a text when it has no grammar."""
        prose: list[str] = []

        def atom(name: str, exception: str) -> Node:
            if len(name.split()) > _PROSE_WORDS or len(name) + len(exception) > _NAME_LENGTH:
                prose.append(name)
                return Licence("LicenseRef-prose")  # not used: the whole statement becomes a text
            return self.atom(name, exception, text_of)

        whole = f"{line}\n{own_text}".strip()
        try:
            node = synopsis.parse(line, atom)
        except synopsis.SynopsisError as problem:
            self.note(f"Not a licence synopsis, kept as a text ({problem}): {line[:80]!r}")
            return self.as_text("", whole)
        if "and/or" in line.lower().split():
            self.note(f"Read as AND, because the choice is not certain: {line[:80]!r}")
        if prose:
            return self.as_text("", whole)
        return node

    def atom(self, name: str, exception: str, text_of: Callable[[str], str]) -> Node:
        hyphened = None if exception else _JOINED_EXCEPTION.match(name)
        if hyphened:
            return self.atom(hyphened[1], hyphened[2], text_of)
        if known := self.aliases.get(f"{name} with {exception}".lower() if exception else name.lower()):
            return Licence(known)
        if exception:
            return self.excepted(name, exception, text_of)
        meaning = names.meaning(name)
        if meaning is not None and not meaning.vague:
            return meaning.node
        text = text_of(name)
        if meaning is not None and not text:
            self.note(f"{name!r} has several meanings and no text here; read as {meaning.node}.")
            return meaning.node
        keep = [meaning.node] if meaning is not None and any(map(is_copyleft, licences(meaning.node))) else []
        if not text:
            self.note(f"No text for {name!r} in the {self.source}.")
            text = f"The {self.source} names this licence {name!r} and gives no text."
        return self.as_text(name, text, keep)

    def as_text(self, name: str, text: str, keep: list[Node] | None = None) -> Node:
        """The licence that a text is, or whatever is known of it joined with a LicenseRef that has all of it."""
        reading = texts.recognise(text)
        mentioned = [*(keep or []), *names.mentioned(name or text)]
        if reading.complete:
            return all_of([*reading.licences, *_missing(mentioned, reading.licences)])
        return all_of([*mentioned, *reading.licences, self.ref(name or "text", text)])

    def excepted(self, name: str, exception: str, text_of: Callable[[str], str]) -> Node:
        base = self.atom(name, "", text_of)
        text = text_of(f"{name} with {exception}") or text_of(name)
        listed = exceptions.listed(exception, text)
        if listed and isinstance(base, Licence) and not base.id.startswith("LicenseRef-"):
            return Licence(base.id, listed)
        self.note(f"No listed exception is certain for {exception!r}: its text is kept beside the licence.")
        full = f"{name} with {exception}"
        return all_of([base, self.ref(full, text or f"The {self.source} says {full!r} and gives no text.")])


def _machine_readable(reading: _Reading, file: dep5.CopyrightFile, whole: str) -> Node:
    by_name = dep5.texts_by_name(file)
    nodes: list[Node] = []
    alone: list[Node] = []
    for statement in file.statements:

        def text_of(name: str, own: dep5.Statement = statement) -> str:
            return by_name.get(names.fold(name), "") or own.text

        node = reading.statement(statement.synopsis, statement.text, text_of)
        body = statement.text or by_name.get(names.fold(statement.synopsis), "")
        if body and not reading.keeps(body) and _hides_copyleft(node, body):
            reading.note(f"The text of {statement.synopsis[:80]!r} speaks of a copyleft licence: it is kept whole.")
            node = all_of([node, reading.ref(statement.synopsis, body)])
        (alone if statement.alone else nodes).append(node)
    stated = {term.id for node in nodes for term in licences(node)}
    for node in alone:
        # A paragraph that only gives the text of a licence named elsewhere adds nothing; any other is a statement.
        if not {term.id for term in licences(node)} <= stated:
            nodes.append(node)
    for comment in file.comments:
        if _missing(names.mentioned(comment), nodes):
            reading.note("A comment speaks of a licence that no License field names: the comment is kept.")
            nodes.append(reading.ref("comment", comment))
    if file.files_without_licence:
        reading.note("A Files paragraph has no licence: the whole file is kept.")
    unread = "\n".join(file.unread)
    if texts.telltale(unread):
        reading.note("Lines outside the machine-readable form speak of licensing: the whole file is kept.")
    if file.files_without_licence or texts.telltale(unread):
        nodes += _missing(names.mentioned(unread), nodes)
        nodes.append(reading.ref("copyright-file", whole))
    return all_of(nodes)


def _hides_copyleft(node: Node, text: str) -> bool:
    """Tell whether a text speaks of copyleft where its expression has none.

    Some permissive licences speak of the GPL themselves; in their texts only other copyleft counts.
    """
    terms = list(licences(node))
    if any(map(is_copyleft, terms)):
        return False
    if any(term.exception or term.id in _MENTIONS_BY_DESIGN for term in terms):
        return any(not licence.id.startswith("GPL-") for found in names.mentioned(text) for licence in licences(found))
    return texts.mentions_copyleft(text)


def _plain(reading: _Reading, text: str) -> tuple[Node, Tier]:
    recognised = texts.recognise(text)
    tier: Tier = "common-licenses" if recognised.referenced else "text"
    nodes: list[Node] = list(recognised.licences)
    if not recognised.complete:
        reading.note("Not machine-readable and not recognised in every word: the whole file is kept.")
        nodes += _missing(names.mentioned(text), nodes)
        nodes.append(reading.ref("copyright-file", text))
    return all_of(nodes), tier


def _missing(wanted: Iterable[Node], present: Iterable[Node]) -> list[Node]:
    """Return the wanted licences of whose family (GPL, LGPL, ...) nothing is present."""
    families = {term.id.split("-")[0] for node in present for term in licences(node)}
    return [node for node in wanted if not {term.id.split("-")[0] for term in licences(node)} & families]
