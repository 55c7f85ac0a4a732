# SPDX-License-Identifier: MIT
# ruff: noqa: SIM905 - a text of words is a tenth of the lines that a list of them would be
"""Signals by name or number, as Linux numbers them on amd64, arm64, arm and riscv; signal(7)."""

from __future__ import annotations

import re

from orchestrator.errors import ConfigError

_NAMES = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG "
    "XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
).split()
_NUMBERS = {name: number for number, name in enumerate(_NAMES, 1)} | {"IOT": 6, "CLD": 17, "POLL": 29}
_RTMIN, _RTMAX = 34, 64  # the C libraries keep 32 and 33 for themselves
_REAL_TIME = re.compile(r"RTM(IN|AX)(?:([+-])(\d{1,2}))?")

SIGTERM = 15


def signal_number(value: str | int) -> int:
    """Return the number of a signal given as TERM, SIGTERM, 15, "15", RTMIN+3 or SIGRTMAX-2; case does not matter.

    Raises ConfigError for anything else.
    """
    text = str(value).strip().upper()
    if text.isascii() and text.isdigit():
        number = int(text) if len(text) < 4 else 0
    else:
        name = text.removeprefix("SIG")
        number = _NUMBERS.get(name, 0)
        if match := _REAL_TIME.fullmatch(name):
            offset = int(match[2] + match[3]) if match[2] else 0
            number = (_RTMIN if match[1] == "IN" else _RTMAX) + offset
            number = number if _RTMIN <= number <= _RTMAX else 0
    if not 1 <= number <= _RTMAX or number in (32, 33):
        raise ConfigError(f"there is no signal {value!r}", "", "give a name like SIGTERM or a number from 1 to 64")
    return number
