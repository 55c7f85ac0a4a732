# SPDX-License-Identifier: MIT
"""Text for people without a library for it: colours on a terminal, columns. For commands that must answer at once."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}

_STEERING = re.compile(
    "\x1b(?!\\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f"
    "\N{LEFT-TO-RIGHT EMBEDDING}-\N{RIGHT-TO-LEFT OVERRIDE}\N{LEFT-TO-RIGHT ISOLATE}-\N{POP DIRECTIONAL ISOLATE}]"
)
"""All control characters but tab and new line, and those that change the direction; not the sequences of colours."""


class Paint:
    """Colours, where standard output is a terminal and NO_COLOR is not set."""

    def __init__(self, on: bool | None = None) -> None:
        self.on = (sys.stdout.isatty() and "NO_COLOR" not in os.environ) if on is None else on

    def __call__(self, text: str, *styles: str) -> str:
        """Return `text` in these styles."""
        if not self.on or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"


def columns(rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), indent: int = 0, gap: int = 2) -> list[str]:
    """Return rows as lines with aligned columns; those numbered in `right` are aligned right."""
    if not rows:
        return []
    widths = [max(len(row[position]) for row in rows) for position in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            text.rjust(width) if position in right else text.ljust(width)
            for position, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append((" " * indent + (" " * gap).join(cells)).rstrip())
    return lines


def count(number: int, word: str) -> str:
    """Return so many of something: 1 blob, 2 blobs."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def harmless(text: str) -> str:
    """Return what is about to be printed without what would steer a terminal, whoever wrote it; colours stay."""
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)
