# SPDX-License-Identifier: MIT
"""Which ports of the device can be reached from this machine: those that are asked for, else those that apps expose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from orchestrator.emulator.qemu import Forward, choose_ports
from orchestrator.errors import ConfigError

_FORWARD = re.compile(r"(?:(\d{1,5}):)?(\d{1,5})\Z", re.ASCII)


def parse_forwards(words: Sequence[str]) -> tuple[Forward, ...]:
    """Return the forwards that `[HOST:]GUEST` words ask for; without HOST it is the same number, 0 is any free port.

    Raises ConfigError for anything else.
    """
    result = []
    for word in words:
        match = _FORWARD.match(word)
        host, guest = (int(part or match[2]) for part in (match[1], match[2])) if match else (0, 0)
        if match is None or not 0 < guest < 65536 or host > 65535:
            raise ConfigError(f"not a port: {word!r}", "", "write GUEST or HOST:GUEST, for example 8080 or 18080:8080")
        result.append(Forward(host, guest))
    return tuple(result)


def exposed_forwards(exposed: Iterable[int]) -> tuple[Forward, ...]:
    """Return forwards for exposed ports: to the same number here when that is free, else to any free port."""
    result = []
    for guest in sorted(set(exposed)):
        try:
            choose_ports((Forward(guest, guest),))
            result.append(Forward(guest, guest))
        except ConfigError:
            result.append(Forward(0, guest))
    return tuple(result)
