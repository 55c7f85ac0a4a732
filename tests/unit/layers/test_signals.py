# SPDX-License-Identifier: MIT
"""Stop signals in every form that images use; nonsense is refused."""

from __future__ import annotations

import signal

import pytest

from orchestrator.errors import ConfigError
from orchestrator.layers.signals import signal_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("SIGTERM", 15),
        ("term", 15),
        ("15", 15),
        (9, 9),
        ("SIGRTMIN+3", 37),
        ("RTMIN", 34),
        ("sigrtmax", 64),
        ("RTMAX-2", 62),
        ("SIGWINCH", 28),
        ("SIGSYS", 31),
        ("64", 64),
    ],
)
def test_signals_by_name_and_number(text, number):
    assert signal_number(text) == number


def test_names_have_the_numbers_of_the_kernel():
    for item in signal.Signals:
        if item.name.startswith("SIG") and item.name not in ("SIGRTMIN", "SIGRTMAX"):
            assert signal_number(item.name) == item.value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIG",
        "SIGFOO",
        "0",
        "65",
        "-1",
        0,
        "RTMIN+31",
        "RTMAX+1",
        "RTMIN-1",
        "SIGSIGTERM",
        "15 ;",
        "32",
        "33",
        "9999",
        "RTMIN+x",
        "TERM\n1",
    ],
)
def test_nonsense_is_refused(text):
    with pytest.raises(ConfigError, match="no signal"):
        signal_number(text)
