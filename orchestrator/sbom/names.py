# SPDX-License-Identifier: MIT
"""Short names of licences as Debian and BitBake write them, and the SPDX identifiers they stand for.

Source: machine-readable debian/copyright 1.0, "License specification"; the SPDX licence list. A name that people use
for several texts (`MIT`, `BSD`, `X11`) is *vague*: its text must decide. What is not known here stays unknown: a wrong
identifier is worse than a LicenseRef.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.sbom import spdxlist
from orchestrator.sbom.expression import Any, Licence, Node

_ALIASES = {
    "expat": "MIT",
    "artistic": "Artistic-1.0-Perl",
    "artistic-1": "Artistic-1.0-Perl",
    "artistic-2": "Artistic-2.0",
    "apache-2": "Apache-2.0",
    "apachev2": "Apache-2.0",
    "apache-license-2.0": "Apache-2.0",
    "apache-license-version-2.0": "Apache-2.0",
    "bsd-2": "BSD-2-Clause",
    "bsd2": "BSD-2-Clause",
    "bsd-(2-clause)": "BSD-2-Clause",
    "2-clause-bsd": "BSD-2-Clause",
    "bsd-3": "BSD-3-Clause",
    "bsd3": "BSD-3-Clause",
    "bsd-(3-clause)": "BSD-3-Clause",
    "3-clause-bsd": "BSD-3-Clause",
    "bsd-4": "BSD-4-Clause",
    "bsd-0-clause": "0BSD",
    "boost-1.0": "BSL-1.0",
    "bsl-1": "BSL-1.0",
    "cc0": "CC0-1.0",
    "cpl-1": "CPL-1.0",
    "epl-1": "EPL-1.0",
    "epl-2": "EPL-2.0",
    "mpl-1": "MPL-1.0",
    "mpl-2": "MPL-2.0",
    "openldap-2.8": "OLDAP-2.8",
    "wtfpl-2": "WTFPL",
    "sil-1.1": "OFL-1.1",
    "sil-ofl-1.1": "OFL-1.1",
    "ofl": "OFL-1.1",
    "lppl-1.3": "LPPL-1.3a",
    "python-2": "Python-2.0",
    "zpl": "ZPL-2.1",
}
_VAGUE = frozenset(
    {"mit", "x11", "bsd", "mit/x11", "mit-x11", "mit/x", "apache", "zlib/libpng", "boost", "bsl", "python", "tcl"}
)
"""Names that several different texts go by; without a text they are kept as they are."""

_PERL = frozenset({"perl", "perl-5", "perl5", "same-as-perl", "same-as-perl-itself", "same-terms-as-perl"})
_PERL_TERMS = Any((Licence("GPL-1.0-or-later"), Licence("Artistic-1.0-Perl")))

_LATER = r"\+|-or-later|-or-newer|-or-any-later(?:-version)?|-or-above"
_GNU_NAME = re.compile(
    r"(?:the-)?(?:gnu-)?(?P<family>agpl|lgpl|lpgl|gpl|gfdl|fdl)(?P<niv>-niv)?-?(?:version-)?v?\.?"
    rf"(?P<version>\d(?:\.\d)?)?(?:\.0)?(?P<later>{_LATER})?(?P<only>-only)?(?P<tail>-no-invariants?)?\Z"
)
_GNU_MENTION = re.compile(
    rf"(?<![a-z])(?:gnu-)?(?P<family>agpl|lgpl|lpgl|gpl)-?(?:version-)?v?(?P<version>\d(?:\.\d)?)?(?:\.0)?(?P<later>{_LATER})?"
)
_VERSIONED = re.compile(r"(?<![a-z0-9.-])[a-z][a-z0-9.-]*-?\d[a-z0-9.+-]*")
_SPELT_OUT = tuple(
    (re.compile(rf"{words}general-public-licen[cs]e(?:,|-\([al]?gpl\))?"), short)
    for words, short in (("(?:lesser|library)-", "lgpl"), ("affero-", "agpl"), ("", "gpl"))
)
_GNU_VERSIONS = {
    "AGPL": {"1": "1.0", "1.0": "1.0", "3": "3.0", "3.0": "3.0"},
    "LGPL": {"2": "2.0", "2.0": "2.0", "2.1": "2.1", "3": "3.0", "3.0": "3.0"},
    "GPL": {"1": "1.0", "1.0": "1.0", "2": "2.0", "2.0": "2.0", "3": "3.0", "3.0": "3.0"},
    "GFDL": {"1.1": "1.1", "1.2": "1.2", "1.3": "1.3"},
}
_FIRST_VERSION = {"AGPL": "1.0", "LGPL": "2.0", "GPL": "1.0", "GFDL": "1.1"}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a short name stands for. A text of a `vague` name must confirm it."""

    node: Node
    vague: bool = False


def fold(name: str) -> str:
    """Return the form in which names are compared: lower case, words joined by one hyphen."""
    return "-".join(name.lower().split())


def _abbreviated(name: str) -> str:
    key = fold(name)
    for pattern, short in _SPELT_OUT:
        key = pattern.sub(short, key)
    return key


def meaning(name: str) -> Meaning | None:
    """Return what a licence short name stands for, or None when that is not known for certain.

    A GNU licence without a version is read as its first version or later (GPL-2.0 section 9: "you may choose any
    version ever published") and is vague.
    """
    key = _abbreviated(name)
    if key in _PERL:
        return Meaning(_PERL_TERMS)
    if key in _ALIASES:
        return Meaning(Licence(_ALIASES[key]))
    match = _GNU_NAME.match(key)
    if match:
        listed = _gnu(match["family"], match["version"], bool(match["later"]), bool(match["niv"] or match["tail"]))
        return Meaning(Licence(listed), vague=match["version"] is None) if listed else None
    if key in _VAGUE:
        listed = spdxlist.BY_FOLDED_NAME.get(key, "")
        return Meaning(Licence(listed), vague=True) if listed else None
    listed = spdxlist.BY_FOLDED_NAME.get(key) or spdxlist.BY_FOLDED_NAME.get(key.removesuffix("+"), "")
    return Meaning(Licence(listed)) if listed else None


def mentioned(name: str) -> list[Node]:
    """Return every copyleft licence that a longer name or a text mentions, so that none is lost with the name.

    GNU licences in any spelling (`GPL-2+-openssl`), the others of the list by an identifier that has a version.
    """
    found: dict[Node, None] = {}
    for match in _GNU_MENTION.finditer(_abbreviated(name)):
        family = match["family"]
        listed = _gnu(family, match["version"], bool(match["later"]), False) or _gnu(family, None, True, False)
        found[Licence(listed)] = None
    for word in dict.fromkeys(_VERSIONED.findall(name.lower())):
        plain = word.rstrip(".+-")
        listed = spdxlist.BY_FOLDED_NAME.get(plain, "") or _ALIASES.get(plain, "")
        if listed in spdxlist.COPYLEFT and not listed.startswith(("GPL-", "LGPL-", "AGPL-")):
            found[Licence(listed)] = None
    return list(found)


def _gnu(family: str, version: str | None, later: bool, no_invariants: bool) -> str:
    family = {"LPGL": "LGPL", "FDL": "GFDL"}.get(family.upper(), family.upper())
    if version is None:
        number, later = _FIRST_VERSION[family], True
    else:
        number = _GNU_VERSIONS[family].get(version, "")
    middle = "-no-invariants" if no_invariants else ""
    listed = f"{family}-{number}{middle}-{'or-later' if later else 'only'}"
    return listed if number and listed in spdxlist.LICENCES else ""
