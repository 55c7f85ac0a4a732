# SPDX-License-Identifier: MIT
"""Text that a stranger wrote, an image's, a registry's or a device's, on the way to a person."""

from __future__ import annotations


def shown(text: str, limit: int | None = None) -> str:
    """Return a text as one line that steers no terminal, at most `limit` characters of it; dots say that it was cut.

    What is not printable (str.isprintable: control characters, line ends, marks that change the direction, blanks other
    than the space) becomes the replacement character; a tab stays.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 3] + "..."
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in text)
