# SPDX-License-Identifier: MIT
"""Reads the blocks of a page of the documentation: commands to run, and lines that they must print."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Block:
    """Commands of one `sh` block, and the lines of the `text` blocks behind it, under the heading above it."""

    heading: str
    commands: str
    expected: list[str] = field(default_factory=list)


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    text = page.read_text()
    found: list[Block] = []
    for match in _FENCE.finditer(text):
        kind, body = match[1], match[2]
        if kind == "sh":
            headings = re.findall(r"^#+ (.*)$", text[: match.start()], re.MULTILINE)
            found.append(Block(headings[-1] if headings else "", body))
        elif kind == "text":
            assert found, "what is printed stands behind what prints it"
            found[-1].expected += [line for line in body.splitlines() if line.strip()]
    return found


def plain(line: str) -> str:
    """Return a line without what differs from one build to the next: ids, versions, sizes, dates, spaces."""
    words = ["#" if re.search(r"\d", word) else word for word in line.split()]
    return " ".join(words)


def missing(expected: list[str], printed: str) -> list[str]:
    """Return the expected lines that were not printed, in this order or at all."""
    lines = iter([plain(line) for line in printed.splitlines()])
    absent = []
    for wanted in expected:
        if not any(plain(wanted) in line for line in lines):
            absent.append(wanted)
            lines = iter([plain(line) for line in printed.splitlines()])
    return absent
