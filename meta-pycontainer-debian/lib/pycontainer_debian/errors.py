# SPDX-License-Identifier: MIT
"""One error type: what failed, why, and what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


class DebianError(Exception):
    """A failure that a user can act on: `what` and `why` one line each, `hint` one line saying what to do."""

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return "\n  ".join(
            part for part in (self.what, self.why and f"why: {self.why}", self.hint and f"do: {self.hint}") if part
        )


@contextlib.contextmanager
def reported(fatal: Callable[[str], object]) -> Iterator[None]:
    """Give a DebianError's text to `fatal` (BitBake's, which does not return): a user's mistake needs no traceback."""
    try:
        yield
    except DebianError as problem:
        fatal(str(problem))
        raise
