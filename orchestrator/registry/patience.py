# SPDX-License-Identifier: MIT
"""How long one waits for strangers, and how often one asks again."""

from __future__ import annotations

import email.utils
import random
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """How long and how often one tries; seconds and bytes."""

    tries: int = 6
    first_delay: float = 0.5
    longest_delay: float = 30.0
    longest_asked: float = 120.0
    """What Retry-After may ask for; a server that wants more is busy, and the command ends."""
    connect: float = 20.0
    silence: float = 60.0
    """Without a byte for so long a connection counts as cut."""
    answer: float = 120.0
    """For one small answer, from its first byte to its last."""
    slow_bytes: int = 128 * 1024
    slow_seconds: float = 120.0
    """A transfer that brings less than `slow_bytes` in so long counts as cut."""

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after failure number `attempt` (from 1 on), spread so that many do not meet."""
        return float(min(self.longest_delay, self.first_delay * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25))


def retry_after(text: str) -> float | None:
    """Return the seconds that a header Retry-After asks for (RFC 9110, 10.2.3: number or date); None for nonsense."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:12])
    date = email.utils.parsedate_tz(text[:64]) if text else None
    if date is None:
        return None
    try:
        return email.utils.mktime_tz(date) - time.time()
    except (ValueError, OverflowError):
        return None
