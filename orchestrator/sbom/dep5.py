# SPDX-License-Identifier: MIT
"""Machine-readable copyright files (debian/copyright 1.0, "DEP-5"), broken ones included.

Reads the file into licence statements; what the statements mean is `resolver`'s concern.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.sbom import deb822, names

_KNOWN = frozenset(
    {
        "format",
        "format-specification",
        "files",
        "files-excluded",
        "files-included",
        "copyright",
        "license",
        "licence",
        "comment",
        "comments",
        "source",
        "disclaimer",
        "upstream-name",
        "upstream-contact",
        "upstream-maintainer",
        "name",
        "maintainer",
        "contact",
        "origin",
        "version",
        "homepage",
        "debianized-by",
        "debianized-date",
        "packaged-by",
        "original-source-location",
        "upstream-source",
        "author",
        "authors",
    }
)
_FORMAT = re.compile(r"dep-?5|copyright-format|machine-readable", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One License field: its first line, the text below it, and whether it stands alone (no Files beside it)."""

    synopsis: str
    text: str
    alone: bool


@dataclass(frozen=True, slots=True)
class CopyrightFile:
    """A machine-readable copyright file; `unread` are the lines that its form does not cover."""

    statements: tuple[Statement, ...]
    holders: tuple[str, ...]
    comments: tuple[str, ...]
    unread: tuple[str, ...]
    files_without_licence: int


def read(text: str) -> CopyrightFile | None:
    """Read a copyright file; None when it does not claim to be machine-readable."""
    paragraphs, strays = deb822.read(text)
    if not paragraphs:
        return None
    header = paragraphs[0]
    if not any(_FORMAT.search(value) for value in header.values("format", "format-specification")):
        return None
    statements: dict[Statement, None] = {}
    holders: dict[str, None] = {}
    comments: dict[str, None] = {}
    bare = 0
    for paragraph in paragraphs:
        alone = "files" not in paragraph.names() and paragraph is not header and "copyright" not in paragraph.names()
        licences = paragraph.values("license", "licence")
        bare += "files" in paragraph.names() and not any(value.strip() for value in licences)
        for value in licences:
            if value.strip():
                statements[Statement(value.split("\n")[0].strip(), deb822.body(value), alone)] = None
        for value in paragraph.values("copyright"):
            holders.update(dict.fromkeys(line.strip() for line in value.split("\n") if line.strip(" \t.")))
        comments.update(dict.fromkeys(paragraph.values("comment", "comments", "disclaimer")))
        for name, lines in paragraph.fields:
            if name not in _KNOWN and not name.startswith("x-"):
                strays.append(name + ": " + "\n".join(lines))
    return CopyrightFile(tuple(statements), tuple(holders), tuple(comments), tuple(strays), bare)


def texts_by_name(file: CopyrightFile) -> dict[str, str]:
    """Return the licence texts of a file by the folded name they stand under; texts of one name are joined."""
    found: dict[str, dict[str, None]] = {}
    for statement in file.statements:
        if statement.text:
            found.setdefault(names.fold(statement.synopsis), {})[statement.text] = None
    return {name: "\n\n".join(texts) for name, texts in found.items()}
