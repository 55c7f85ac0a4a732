# SPDX-License-Identifier: MIT
"""Whoever wrote a text, it is one line and steers no terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.device.answers import plain
from orchestrator.registry.errors import printable
from orchestrator.text import shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[2Jgone\x07\x9b1m\ttab\r\n", "�[2Jgone��1m\ttab��"),
        ("Zürich, 東京", "Zürich, 東京"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b\N{LINE SEPARATOR}c\N{ZERO WIDTH SPACE}d\ud800e", "a�b�c�d�e"),
        ("", ""),
    ],
)
def test_what_is_not_printable_is_replaced_whoever_wrote_it(text: str, expected: str) -> None:
    assert (shown(text), plain(text), printable(text)) == (expected, expected, shown(text.strip()))


@given(st.text(max_size=40), st.integers(3, 20))
def test_a_text_is_one_line_within_its_limit(text: str, limit: int) -> None:
    line = shown(text, limit)
    assert len(line) == min(len(text), limit) and line.replace("\t", "").isprintable()
    assert line == shown(text) if len(text) <= limit else line.endswith("...")


def test_each_stranger_has_its_limit() -> None:
    assert (plain("x" * 1001), printable("x" * 161)) == ("x" * 997 + "...", "x" * 157 + "...")
    assert shown("x" * 5000) == "x" * 5000
