# SPDX-License-Identifier: MIT
"""Paragraphs of fields, as in dpkg's status file and in copyright files (deb822(5)), read tolerantly but without loss.

Real copyright files break the form. What does not fit is not dropped: it is returned as stray lines, and the caller
decides what that means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,63})[ \t]*:(.*)\Z", re.DOTALL)


@dataclass(slots=True)
class Paragraph:
    """Fields in the file's order as (lower-case name, lines); a name may come twice in a broken file."""

    fields: list[tuple[str, list[str]]] = field(default_factory=list)

    def values(self, *names: str) -> list[str]:
        """Return the values of every field with one of these names, continuation lines as they stand in the file."""
        return ["\n".join(lines) for name, lines in self.fields if name in names]

    def value(self, name: str) -> str:
        """Return the first line of a field, stripped, or an empty text."""
        return next((lines[0] for key, lines in self.fields if key == name), "")

    def names(self) -> set[str]:
        """Return the names of the fields that are there."""
        return {name for name, _ in self.fields}


def read(text: str) -> tuple[list[Paragraph], list[str]]:
    """Return the paragraphs, and the lines that belong to no field (comments among them).

    An indented line after an empty one continues the last field: authors often forget the dot of an empty line.
    """
    paragraphs: list[Paragraph] = []
    strays: list[str] = []
    current: Paragraph | None = None
    for line in text.replace("\r\n", "\n").split("\n"):
        if not line.strip():
            current = None
        elif line[0] in " \t":
            owner = current or (paragraphs[-1] if paragraphs else None)
            if owner is None:
                strays.append(line)
            else:
                owner.fields[-1][1].append(line)
        elif line[0] == "#":
            strays.append(line)
        else:
            match = _FIELD.match(line)
            if match is None:
                strays.append(line)
                continue
            if current is None:
                current = Paragraph()
                paragraphs.append(current)
            current.fields.append((match[1].lower(), [match[2].strip()]))
    return paragraphs, strays


def body(lines: str) -> str:
    """Return a field's continuation lines as text: one leading blank removed, a lone dot is an empty line."""
    result = []
    for line in lines.split("\n")[1:]:
        text = line[1:].rstrip()
        result.append("" if text.strip() == "." else text)
    return "\n".join(result).strip("\n")
