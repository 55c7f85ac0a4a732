# SPDX-License-Identifier: MIT
"""What a registry may answer that the caller wants to tell apart, and the words for the rest."""

from __future__ import annotations

import msgspec

from orchestrator.errors import FetchError, TryAgainError
from orchestrator.text import shown

_SHOWN = 160


class NotFoundError(FetchError):
    """The registry does not have it."""


class DeniedError(FetchError):
    """The registry wants other credentials, or this account may not."""


class ChangedMeanwhileError(FetchError):
    """Somebody else changed what was to be changed, since we looked at it."""


class BrokenTransferError(FetchError):
    """A connection that was cut, or stood still: trying again may go on where it ended."""


class BusyError(TryAgainError):
    """The registry asked, again and again, to come back later; `seconds` is what it asked for the last time."""

    seconds = 0.0


class _Entry(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct, frozen=True):
    errors: list[_Entry] = []


def reason(status: int, body: bytes) -> str:
    """Return one line that says why a registry refused: its own words (distribution-spec, error codes) made safe."""
    try:
        entries = msgspec.json.decode(body, type=_Errors).errors
    except (msgspec.MsgspecError, RecursionError):
        entries = []
    said = "; ".join(filter(None, (": ".join(filter(None, (each.code, each.message))) for each in entries[:3])))
    return f"it answered {status}" + (f" ({printable(said)})" if said else "")


def printable(text: str, limit: int = _SHOWN) -> str:
    """Return a stranger's text as one line of at most `limit` characters."""
    return shown(text.strip(), limit)
