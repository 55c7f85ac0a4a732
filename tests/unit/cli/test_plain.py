# SPDX-License-Identifier: MIT
"""What strangers wrote does not steer the terminal that it is shown on."""

from __future__ import annotations

import io

import pytest

from orchestrator.cli.main import _complain
from orchestrator.cli.plain import Paint, harmless
from orchestrator.cli.view import PlainView
from orchestrator.errors import FetchError

NASTY = [
    "\x1b]0;title\x07",
    "\x1b[2J",
    "\x1b[1;1H",
    "\x9b2J",
    "\x1bc",
    "a\rb",
    "\x08",
    "\x1b[?25l",
    "\N{RIGHT-TO-LEFT OVERRIDE}",
]


@pytest.mark.parametrize("text", NASTY)
def test_what_steers_a_terminal_is_taken_out(text: str):
    left = harmless(f"before {text} after")
    assert left.startswith("before ")
    assert left.endswith(" after")
    assert not set(left) & set("\x1b\x07\x08\x9b\r\N{RIGHT-TO-LEFT OVERRIDE}")


@pytest.mark.parametrize("text", ["plain", "two\nlines\tand a tab", "Grüße, 日本", Paint(True)("red", "red", "bold")])
def test_what_does_not_is_left_as_it_is(text: str):
    assert harmless(text) == text


@pytest.mark.parametrize("text", NASTY)
def test_errors_and_progress_are_harmless(text: str, capsys: pytest.CaptureFixture[str]):
    assert _complain(FetchError(f"what {text}", f"why {text}", f"do {text}"), as_json=False) == 3
    told = capsys.readouterr().err
    stream = io.StringIO()
    PlainView(stream).message("warning", f"a registry says {text}")
    told += stream.getvalue()
    assert told.count("\n") == 4
    assert not set(told) & set("\x1b\x07\x08\x9b\r\N{RIGHT-TO-LEFT OVERRIDE}")
