# SPDX-License-Identifier: MIT
from __future__ import annotations

import io
import re
import threading
import time

from orchestrator.emulator.console import Console

RAW = b"\x1b[2J\x1b[01;01H\x1b[=3hBdsDxe: starting\r\n\x1b[0m\x1b[37mpycontainer: booting \xc3\xa9\r\n"
PLAIN = "BdsDxe: starting\npycontainer: booting é\n"


def test_escape_sequences_vanish_wherever_the_pieces_are_cut() -> None:
    for cut in range(1, RAW.index(b"\xc3")):
        console = Console()
        console.feed(RAW[:cut])
        console.feed(RAW[cut:])
        assert console.text == PLAIN, cut


def test_the_log_gets_the_bytes_as_they_came() -> None:
    log = io.BytesIO()
    Console(log).feed(RAW)
    assert log.getvalue() == RAW


def test_each_wait_goes_on_after_the_match_before() -> None:
    console = Console()
    console.feed(b"try 2 left\ntry 1 left\n")
    pattern = re.compile(r"try (\d)")
    matches = [console.wait_for(pattern, 0) for _ in range(3)]
    assert [match and match[1] for match in matches] == ["2", "1", None]


def test_a_wait_ends_when_the_text_comes_and_when_the_console_closes() -> None:
    console = Console()
    timer = threading.Timer(0.05, lambda: (console.feed(b"ready"), console.close()))
    timer.start()
    assert console.wait_for(re.compile("ready"), 10) is not None
    begin = time.monotonic()
    assert console.wait_for(re.compile("never"), 10) is None
    assert time.monotonic() - begin < 5


def test_a_lone_escape_does_not_swallow_what_follows() -> None:
    console = Console()
    console.feed(b"\x1b[" + b"1;" * 100)
    console.feed(b"done\n")
    assert "done" in console.text


def test_the_tail_holds_the_last_lines_with_anything_in_them() -> None:
    console = Console()
    console.feed(b"one\r\n\r\ntwo  \r\nthree")
    assert console.tail(2) == "two\nthree"


def test_memory_is_bounded_and_the_end_kept() -> None:
    console = Console()
    for _ in range(6):
        console.feed(b"x" * 1024 * 1024)
    console.feed(b"the end")
    assert len(console.text) <= 4 * 1024 * 1024
    assert console.wait_for(re.compile("the end"), 0) is not None
