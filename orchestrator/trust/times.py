# SPDX-License-Identifier: MIT
"""Times in signed documents: UTC to the second, in one spelling, so that text sorts as time does."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from orchestrator.errors import ConfigError, TrustError

_FORM = "%Y-%m-%dT%H:%M:%SZ"
BEGINNING = "1970-01-01T00:00:00Z"


def check_time(text: str, what: str) -> None:
    """Raise TrustError for a time of the right form that no calendar has, such as the 30th of February."""
    try:
        datetime.strptime(text, _FORM).replace(tzinfo=UTC)
    except ValueError as problem:
        raise TrustError(f"{what} is not a time", text[:40]) from problem


def now(environment: Mapping[str, str] = os.environ) -> str:
    """Return this machine's time, or that of SOURCE_DATE_EPOCH when it is set."""
    if text := environment.get("SOURCE_DATE_EPOCH"):
        if not (text.isascii() and text.isdecimal() and len(text) < 12):
            raise ConfigError("SOURCE_DATE_EPOCH is not a time", repr(text[:40]), "give seconds since 1970")
        return _text(int(text))
    return _text(int(time.time()))


def later(text: str, seconds: int) -> str:
    """Return the time that is so many seconds after `text`."""
    return _text(int(datetime.strptime(text, _FORM).replace(tzinfo=UTC).timestamp()) + seconds)


def _text(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime(_FORM)
    except (OverflowError, ValueError, OSError) as problem:
        raise ConfigError("a time is out of range", f"{seconds} seconds since 1970") from problem
