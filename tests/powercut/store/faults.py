# SPDX-License-Identifier: MIT
"""What befalls a command at its N-th change of a file."""

from __future__ import annotations

import errno
from pathlib import Path

from tests.powercut.store.calls import NEEDS_ROOM, WRITE, Call
from tests.powercut.store.intercept import DONE, Answer, Stop, write_half
from tests.powercut.store.loss import LOSSES, NONE, Unsynced

KILL, FULL, BRIEF = "kill", "full", "brief"
CUTS = tuple(f"cut-{each}" for each in LOSSES)
KINDS = (KILL, FULL, BRIEF, *CUTS)
"""`kill`: killed before the change, or when half of a write is done. `full`: half of a write is done, and from there
on nothing that needs room is. `brief`: that one change is refused for lack of room, whatever it is, and those behind it
are not. `cut-...`: the power fails before the change, see `loss`."""


class Counted:
    """Counts the changes, and lets them be."""

    def __init__(self) -> None:
        self.count = 0
        self.at: Call | None = None

    def __call__(self, call: Call) -> Answer:
        self.count += 1
        return DONE


class Killed(Counted):
    def __init__(self, position: int) -> None:
        super().__init__()
        self.position = position

    def __call__(self, call: Call) -> Answer:
        super().__call__(call)
        if self.count != self.position:
            return DONE
        self.at = call
        if call.does == WRITE and call.length > 1:
            write_half(call)
        raise Stop


class Full(Counted):
    def __init__(self, position: int, *, brief: bool) -> None:
        super().__init__()
        self.position, self.brief = position, brief

    def __call__(self, call: Call) -> Answer:
        super().__call__(call)
        if self.brief:
            if self.count != self.position:
                return DONE
            self.at = call
            return Answer(error=errno.ENOSPC)
        if self.count < self.position or call.does not in NEEDS_ROOM:
            return DONE
        if self.at is None:
            self.at = call
            if call.does == WRITE and call.length > 1:
                return Answer(value=write_half(call))
        return Answer(error=errno.ENOSPC)


class Cut(Counted):
    """`position` 0: after the last change, when the command has said that it is done."""

    def __init__(self, position: int, root: Path, spare: Path, what: str = NONE) -> None:
        super().__init__()
        self.position, self.what = position, what
        self.unsynced = Unsynced(root, spare)

    def __call__(self, call: Call) -> Answer:
        super().__call__(call)
        if self.count == self.position:
            self.at = call
            raise Stop
        self.unsynced.see(call)
        return DONE


def fault(kind: str, position: int, root: Path, spare: Path) -> Counted:
    """Return the fault of a kind at a change, 1 being the first."""
    if kind == KILL:
        return Killed(position)
    if kind in (FULL, BRIEF):
        return Full(position, brief=kind == BRIEF)
    return Cut(position, root, spare, kind.removeprefix("cut-"))
