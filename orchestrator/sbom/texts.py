# SPDX-License-Identifier: MIT
"""Licence texts and notices, recognised word for word; what was not recognised is said.

A text is compared as lower-case words, so line breaks, quotes, bullets and comment signs do not matter. After the known
passages are taken out, a remainder that still speaks of licensing means that the text says more than was recognised:
the caller must then keep the whole text.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.sbom import known_texts, names, spdxlist
from orchestrator.sbom.expression import Licence

_WORD = re.compile(r"/usr/share/common-licenses/[a-z0-9][a-z0-9.+-]*|[a-z0-9]+(?:\.[a-z0-9]+)*\+?")
_REFERENCE = "common-licenses:"
_TELLTALE = re.compile(
    r"\b(?:licen[cs]\w*|relicens\w*|permission\w*|permit\w*|redistribut\w*|distribut\w*|warrant\w*|copyleft"
    r"|copying|[al]?gpl\S*|lgpl\S*|gfdl\S*|mpl\S*|bsd\S*|proprietary|patent\w*|royalt\w*|advertis\w*|endorse\w*"
    r"|promot\w*|public domain|terms|conditions?|restrict\w*|prohibit\w*|non ?commercial|commercial\w*"
    r"|provided that|source code|common-licenses:\S+|eula|freely|unlimited|waive\w*|grant\w*|disclaim\w*|liab\w*"
    r"|acknowledg\w*|freeware|shareware|general public|artistic licen[cs]e|apache licen[cs]e|mozilla public"
    r"|creative commons|confidential|may not|must not|free software(?! foundation)|exception\w*)\b"
)
_COPYLEFT_MENTION = re.compile(
    r"\b(?:open font licen[cs]e"
    r"|general public licen[cs]e|lesser general public|library general public|gnu public licen[cs]e"
    r"|[al]?gpl(?:v?[0-9]\S*)?|mozilla public|mpl|common development and distribution|cddl|eclipse public"
    r"|common public licen[cs]e|european union public|open software licen[cs]e|sleepycat|share ?alike|copyleft"
    r"|free documentation licen[cs]e|artistic licen[cs]e)\b"
)

_GRANT = re.compile(
    r"(?:redistribute (?:it |them )?and or modify (?:it |them |this \S+ )?|redistributed and or modified |modify it )"
    r"under the (?:same )?terms of (?:either )?(?:version (?P<before>\d(?:\.\d)?) of )?the gnu "
    r"(?P<kind>lesser |library |affero |lesser or library |library or lesser )?general public licen[cs]e "
    r"(?:[al]?gpl )?(?:version (?P<middle>\d(?:\.\d)?) )?(?:or (?P<early>any )?later )?"
    r"as published by the free software foundation "
    r"(?:inc )?(?:either )?(?:(?:in )?version (?P<after>\d(?:\.\d)?) (?:of the licen[cs]e )?)?"
    r"(?P<later>or (?:at your option )?(?:any )?(?:later|newer) (?:versions? )?)?"
)
_AROUND_GRANTS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:this \S+ |it |that )?(?:is|are) free software (?:you can )?\| ",
        r"(?:copyright and )?licen[cs]es? \| ",
        rf"on (?:a )?debian (?:\S+ ){{0,18}}?{_REFERENCE}\S+ ",
        rf"(?:see (?:the file )?)?{_REFERENCE}\S+ ",
    )
)
_TITLES = {
    listed: re.compile(rf"(?:the )?{words}licen[cs]e (?:mit |isc )?")
    for listed, words in (
        ("MIT", "mit "),
        ("ISC", "isc "),
        ("Zlib", "zlib "),
        ("BSD-2-Clause", "bsd 2 clause (?:simplified )?"),
        ("BSD-3-Clause", "bsd 3 clause (?:new or revised )?"),
        ("BSD-4-Clause", "bsd 4 clause (?:original or old )?"),
    )
}
"""Headings over a known text; they add nothing once the text itself was found."""
_REFERENCES = {
    "gpl": ("GPL", ""),
    "gpl-1": ("GPL", "1.0"),
    "gpl-2": ("GPL", "2.0"),
    "gpl-3": ("GPL", "3.0"),
    "lgpl": ("LGPL", ""),
    "lgpl-2": ("LGPL", "2.0"),
    "lgpl-2.1": ("LGPL", "2.1"),
    "lgpl-3": ("LGPL", "3.0"),
    "gfdl": ("GFDL", ""),
    "gfdl-1.2": ("GFDL", "1.2"),
    "gfdl-1.3": ("GFDL", "1.3"),
    "apache-2.0": ("Apache-2.0", ""),
    "artistic": ("Artistic-1.0-Perl", ""),
    "bsd": ("BSD-3-Clause", ""),
    "cc0-1.0": ("CC0-1.0", ""),
    "mpl-1.1": ("MPL-1.1", ""),
    "mpl-2.0": ("MPL-2.0", ""),
}
_FIRST_VERSION = {"GPL": "1.0", "LGPL": "2.0", "GFDL": "1.1"}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was recognised in a text; `complete` when nothing else in it speaks of licensing."""

    licences: tuple[Licence, ...]
    complete: bool
    referenced: bool


def words(text: str) -> str:
    """Return a text as lower-case words, each followed by one space; references to common-licenses are one word."""
    found = _WORD.findall(text.lower())
    prefix = "/usr/share/common-licenses/"
    return "".join(
        (_REFERENCE + word[len(prefix) :].rstrip(".") if word.startswith("/") else word) + " " for word in found
    )


def mentions_copyleft(text: str) -> bool:
    """Tell whether a text names a copyleft licence anywhere."""
    return _COPYLEFT_MENTION.search(words(text)) is not None or bool(names.mentioned(text))


def contains(text: str, passage: str) -> bool:
    """Tell whether a text has a passage, compared as words."""
    return words(passage) in words(text)


def telltale(text: str) -> bool:
    """Tell whether a text speaks of licensing at all."""
    return _TELLTALE.search(words(text)) is not None


def recognise(text: str) -> Reading:
    """Find every known licence text, grant and reference in `text`."""
    remainder, whole = _full_texts(words(text))
    found: dict[Licence, None] = {}
    for listed, anchor, pattern in _templates():
        if anchor not in remainder:
            continue
        remainder, count = pattern.subn("| ", remainder)
        if count and listed:
            found[Licence(listed)] = None
    remainder = _GRANT.sub(lambda match: _granted(match, found), remainder)
    references = dict.fromkeys(re.findall(rf"{_REFERENCE}(\S+)", remainder))
    for name in (*whole, *references):
        referenced = _referenced(name, found)
        if referenced is not None:
            found[referenced] = None
    titles = (_TITLES[licence.id] for licence in found if licence.id in _TITLES)
    for pattern in (*titles, *_AROUND_GRANTS, *_boilerplate()):
        remainder = pattern.sub("| ", remainder)
    known = all(name in _REFERENCES for name in references)
    return Reading(tuple(found), known and bool(found) and not _TELLTALE.search(remainder), bool(references))


def _full_texts(remainder: str) -> tuple[str, list[str]]:
    """Take whole licences out; return the remainder and their names in common-licenses."""
    found = []
    for name, anchor, count, digest in known_texts.FULL_TEXTS:
        start = remainder.find(anchor)
        while start >= 0:
            text = " ".join(remainder[start:].split(" ", count)[:count])
            if hashlib.sha256(text.encode()).hexdigest() == digest:
                remainder = remainder[:start] + "|" + remainder[start + len(text) :]
                found.append(name)
            start = remainder.find(anchor, start + 1)
    return remainder, found


def _granted(match: re.Match[str], found: dict[Licence, None]) -> str:
    """Note the licence of a grant; the grant stays in the text when its version is not certain."""
    kind = (match["kind"] or "").strip()
    family = "AGPL" if kind == "affero" else "LGPL" if kind else "GPL"
    versions = {match[group] for group in ("before", "middle", "after")} - {None}
    number = str(versions.pop()) if len(versions) == 1 else ""
    later = bool(match["later"] or match["early"]) or not number
    full = {"": {"AGPL": "1.0", "LGPL": "2.0", "GPL": "1.0"}[family]}.get(number, number)
    listed = f"{family}-{full if '.' in full else full + '.0'}-{'or-later' if later else 'only'}"
    if listed not in spdxlist.LICENCES:
        return match[0]
    found[Licence(listed)] = None
    return "| " if number else match[0]


def _referenced(name: str, found: Iterable[Licence]) -> Licence | None:
    """The licence that a reference stands for, unless a grant in the same text already says it more exactly."""
    family, version = _REFERENCES.get(name, ("", ""))
    if not family:
        return None
    if family not in _FIRST_VERSION:
        return Licence(family)
    for licence in found:
        stem, _, rest = licence.id.partition("-")
        number, _, later = rest.partition("-")
        if stem == family and (not version or number == version or (later == "or-later" and number < version)):
            return None
    return Licence(f"{family}-{version}-only" if version else f"{family}-{_FIRST_VERSION[family]}-or-later")


@functools.cache
def _templates() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    result = []
    for listed, text in known_texts.LICENCES:
        pattern = _compile(text)
        first = re.split(r"<[^>]*>", text.strip(), maxsplit=1)[0]
        result.append((listed, " ".join(words(first).split()[:8]), pattern))
    return tuple(result)


@functools.cache
def _boilerplate() -> tuple[re.Pattern[str], ...]:
    return tuple(_compile(text) for text in known_texts.BOILERPLATE)


def _compile(text: str) -> re.Pattern[str]:
    """Compile a template: words, `<N>` for up to N other words, `<?` and `?>` around an optional passage."""
    parts = []
    for piece in re.split(r"(<\d+>|<\?|\?>)", text):
        if piece == "<?":
            parts.append("(?:")
        elif piece == "?>":
            parts.append(")?")
        elif re.fullmatch(r"<\d+>", piece):
            parts.append(rf"(?:\S+ ){{0,{piece[1:-1]}}}?")
        else:
            parts.append(re.escape(words(piece)).replace(r"\ ", " "))
    return re.compile("".join(parts))
