# SPDX-License-Identifier: MIT
"""What a package database or a language's package says of its licence, in the dialect of its ecosystem.

Sources: Fedora's "Allowed Licenses" and the Callaway short names it used before SPDX; Alpine's APKBUILD reference
(`license`); BitBake's LICENSE (`&`, `|`); Python's core metadata 2.4 (License-Expression, License, Classifier); npm's
package.json (`license`, and the older `licenses`). What stays open becomes a LicenseRef with its words.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Literal

from orchestrator.sbom.model import LicenceFinding
from orchestrator.sbom.resolver import joined, resolve_statement

Dialect = Literal["apk", "bitbake", "npm", "opkg", "python", "rpm", "spdx"]
"""Whose words a declared licence is written in."""

_RPM = {
    "afl": "AFL-3.0",
    "agplv3": "AGPL-3.0-only",
    "agplv3+": "AGPL-3.0-or-later",
    "asl 1.0": "Apache-1.0",
    "asl 1.1": "Apache-1.1",
    "asl 2.0": "Apache-2.0",
    "artistic": "Artistic-1.0-Perl",
    "artistic 2.0": "Artistic-2.0",
    "artistic clarified": "ClArtistic",
    "boost": "BSL-1.0",
    "bsd with advertising": "BSD-4-Clause",
    "cc0": "CC0-1.0",
    "cddl": "CDDL-1.0",
    "cpl": "CPL-1.0",
    "epl": "EPL-1.0",
    "epl-2.0": "EPL-2.0",
    "eupl 1.1": "EUPL-1.1",
    "ftl": "FTL",
    "gpl+": "GPL-1.0-or-later",
    "gplv1": "GPL-1.0-only",
    "ijg": "IJG",
    "isc": "ISC",
    "lgplv2": "LGPL-2.0-only",
    "lgplv2+": "LGPL-2.0-or-later",
    "libtiff": "libtiff",
    "mit with advertising": "MIT-advertising",
    "mplv1.0": "MPL-1.0",
    "mplv1.1": "MPL-1.1",
    "mplv2.0": "MPL-2.0",
    "ncsa": "NCSA",
    "openldap": "OLDAP-2.8",
    "openssl": "OpenSSL",
    "osl 3.0": "OSL-3.0",
    "ppl": "PPL",
    "qpl": "QPL-1.0",
    "sissl": "SISSL",
    "sleepycat": "Sleepycat",
    "tcl": "TCL",
    "ucd": "Unicode-DFS-2016",
    "vim": "Vim",
    "w3c": "W3C",
    "wtfpl": "WTFPL",
    "zlib": "Zlib",
    "zplv2.0": "ZPL-2.0",
    "zplv2.1": "ZPL-2.1",
}
"""Callaway short names with one meaning; `BSD`, `MIT`, `Python` and `Public Domain` stand for many texts."""

_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU Free Documentation License (FDL)": "GFDL-1.1-or-later",
    "GNU General Public License (GPL)": "GPL-1.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL-2.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.0 (MPL)": "MPL-1.0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "zlib/libpng License": "Zlib",
    "Zope Public License": "ZPL-2.1",
}
_SEE_FILE = re.compile(r"see licen[cs]e in (?P<file>.+)\Z", re.IGNORECASE)
_PROSE = 200


def _no_text(name: str) -> str:
    return ""


def resolve_declared(
    statement: str, dialect: Dialect, text_of: Callable[[str], str] = _no_text, *, source: str = ""
) -> LicenceFinding:
    """Return the finding for a declared licence; an empty statement declares nothing. Never raises.

    `text_of` gives the text that a name (or, for npm's `SEE LICENSE IN`, a file) stands for, or an empty text.
    `source` says in words where the statement stood; it defaults to the dialect's.
    """
    source = source or {"bitbake": "recipe", "opkg": "package"}.get(dialect, f"{dialect} metadata")
    statement = " ".join(statement.split()) if len(statement) <= _PROSE else statement.strip()
    if not statement or statement.upper() in ("NOASSERTION", "NONE", "UNKNOWN"):
        return LicenceFinding(notes=(f"The {source} names no licence.",))
    if dialect == "npm":
        if statement.upper() == "UNLICENSED":
            words = "The package says UNLICENSED: npm's word for no licence granted to anybody."
            return resolve_statement("proprietary-license", lambda name: words, source)
        if see := _SEE_FILE.match(statement):
            text = text_of(see["file"]) or f"The {source} says: {statement}"
            return resolve_statement("license-file", lambda name: text, source)
    if dialect == "apk":
        # Before it wrote SPDX, Alpine listed names with spaces between; all of them applied.
        words_ = statement.split()
        if len(words_) > 1 and not set(map(str.upper, words_)) & {"AND", "OR", "WITH", "&", "|", "AND/OR", "LATER"}:
            statement = " & ".join(words_) if "(" not in statement else statement
    aliases: Mapping[str, str] = _RPM if dialect == "rpm" else {}
    return resolve_statement(statement, text_of, source, aliases, "recipe" if dialect == "bitbake" else "package")


def resolve_python(
    expression: str, licence: str, classifiers: tuple[str, ...], text_of: Callable[[str], str] = _no_text
) -> LicenceFinding:
    """Return the finding for a Python distribution: License-Expression, or License and its classifiers together.

    License may be a name or a whole text. All that is said counts, by AND: classifiers do not tell choice from sum.
    """
    if expression.strip():
        return resolve_declared(expression, "python", text_of, source="License-Expression")
    found = [resolve_declared(_classified(entry), "python", text_of, source="classifier") for entry in classifiers]
    own = LicenceFinding()
    if "\n" in licence.strip() or len(licence) > _PROSE:
        own = resolve_statement("license", lambda name: licence, "License field")
    elif licence.strip():
        own = resolve_declared(licence, "python", text_of, source="License field")
    stated = [finding for finding in (own, *found) if finding.expression]
    if not stated:
        return LicenceFinding(notes=("The metadata names no licence.",))
    return functools.reduce(joined, stated)


def _classified(classifier: str) -> str:
    if not classifier.startswith("License :: "):
        return ""
    name = classifier.rpartition(" :: ")[2]
    if name == "OSI Approved":
        return ""
    return _CLASSIFIERS.get(name) or name.replace("(", " ").replace(")", " ")


def npm_statement(value: object) -> str:
    """Return the statement of a package.json's `license` or older `licenses` value; an empty text for none.

    Several entries of the older list are alternatives, as npm's documentation said.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        kind = value.get("type")
        return kind if isinstance(kind, str) else ""
    if isinstance(value, list):
        found = [npm_statement(entry) for entry in value if not isinstance(entry, list)]
        return " OR ".join(f"({entry})" if " " in entry else entry for entry in found if entry)
    return ""
