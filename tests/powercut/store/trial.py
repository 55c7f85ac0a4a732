# SPDX-License-Identifier: MIT
"""One scene: its command undisturbed, then with a fault at each of its changes; each followed by the checks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.powercut.store.faults import BRIEF, CUTS, FULL, KILL, KINDS, Counted, Cut, fault
from tests.powercut.store.intercept import Decide, Ended, run
from tests.powercut.store.scenes import Scene, command
from tests.powercut.store.view import ATTACHED, View, damage, fingerprint, unfinished, unnumbered, view

FULL_CODE = 75
DONE_CODE = 0


@dataclass(frozen=True)
class Lost:
    """A fault after which something is not as it must be."""

    scene: str
    kind: str
    position: int
    call: str
    wrong: str


@dataclass
class Outcome:
    """What was tried of a scene: its number of changes, how many faults of each kind, how many different states they
    left, and those after which something was wrong."""

    scene: str
    changes: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    states: int = 0
    lost: list[Lost] = field(default_factory=list)

    def of(self, *kinds: str) -> int:
        return sum(self.faults.get(kind, 0) for kind in kinds)

    @property
    def kills(self) -> int:
        return self.of(KILL)

    @property
    def full(self) -> int:
        return self.of(FULL, BRIEF)

    @property
    def cuts(self) -> int:
        return self.of(*CUTS)


class Trial:
    """A scene in `folder`: the state that it begins with, and the states that it ends in, once and twice."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene = scene
        self.folder = folder / scene.name
        self.prepared, self.arena, self.spare = (self.folder / name for name in ("prepared", "arena", "spare"))
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.outcome = Outcome(scene.name)
        self._seen: dict[tuple[str, str], str] = {}
        self._prepare()
        self.before = view(self.arena)
        counted = Counted()
        self.first = self._command(counted)
        if self.first.code != DONE_CODE:
            raise RuntimeError(f"{scene.name} ended with {self.first.code}:\n{self.first.text}")
        self.outcome.changes = counted.count
        self.after = self._view()
        self.again = self._command()
        self.after_again = self._view()
        if wrong := damage(self.arena):
            raise RuntimeError(f"{scene.name} leaves a damaged store: {wrong[0]}")

    def _prepare(self) -> None:
        """Make the scene once, in the place where it will be played: paths are part of it."""
        for name in ("home", "tmp", "keys", "stick"):
            (self.arena / name).mkdir(parents=True)
        (self.arena / "keys").chmod(0o700)
        (self.arena / "ours").mkdir()

        def action() -> int:
            from tests.powercut.store.scenes import enter

            enter(self.arena, ".")
            self.scene.prepare(self.arena)
            return 0

        made = run(action, self.folder)
        if made.code:
            raise RuntimeError(f"{self.scene.name} cannot be prepared:\n{made.text}")
        shutil.copytree(self.arena, self.prepared, symlinks=True)

    def _reset(self) -> None:
        for folder in (self.arena, self.spare):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.prepared, self.arena, symlinks=True)
        self.spare.mkdir()

    def _command(self, decide: Decide | None = None) -> Ended:
        action = command(self.arena, self.scene.where, *self.scene.words)
        return run(action, self.folder, self.arena, decide)

    def _view(self) -> View:
        return view(self.arena, before=self.before)

    def run(self, positions: Callable[[int], Iterable[int]], kinds: Iterable[str] = KINDS) -> Outcome:
        """Try the faults of these kinds at the positions that `positions` chooses of so many changes."""
        for kind in kinds:
            for position in positions(self.outcome.changes):
                self.try_one(kind, position)
            if kind in CUTS:
                self.try_one(kind, 0)
        return self.outcome

    def try_one(self, kind: str, position: int) -> str:
        """Try one fault; returns what was wrong, empty for nothing. Position 0 of a cut is after the last change."""
        self._reset()
        befalls = fault(kind, position, self.arena, self.spare)
        ended = self._command(befalls)
        self.outcome.faults[kind] = self.outcome.faults.get(kind, 0) + 1
        if isinstance(befalls, Cut):
            befalls.unsynced.lose(befalls.what)
        wrong = self._of_first(kind, ended, befalls) or self._of_second(ended)
        if wrong:
            at = befalls.at
            where = f"{at.name} {unnumbered(at.path.removeprefix(str(self.arena)))}" if at else "after the last change"
            self.outcome.lost.append(Lost(self.scene.name, kind, position, where, wrong))
        return wrong

    def _of_first(self, kind: str, ended: Ended, befalls: Counted) -> str:
        """What is wrong with how the disturbed command ended."""
        if ended.killed:
            return ""
        if "Traceback" in ended.text:
            return f"a traceback: {ended.text.strip().splitlines()[-1]}"
        if ended.code == DONE_CODE:
            now = self._view()
            if difference := _differs(_finished(now), _finished(self.after)):
                return f"it said that it is done, but {difference}"
            return ""
        if befalls.at is None:
            return f"nothing befell it, and it ended with {ended.code}"
        if kind in (FULL, BRIEF) and ended.code != FULL_CODE:
            return f"the disk was full, and it ended with {ended.code}: {ended.text.strip()[:200]}"
        return ""

    def _of_second(self, ended: Ended) -> str:
        """What is wrong with the state that it left, and with the same command run again."""
        known = (fingerprint(self.arena), "killed" if ended.killed else str(ended.code))
        if known not in self._seen:
            self.outcome.states += 1
            self._seen[known] = self._look(ended)
        return self._seen[known]

    def _look(self, ended: Ended) -> str:
        if found := damage(self.arena):
            return f"the store is damaged: {found[0]}"
        now = _finished(self._view())
        if difference := self._neither(now, ended):
            return difference
        done = now == _finished(self.after)
        second = self._command()
        expected, state = (self.again, self.after_again) if done else (self.first, self.after)
        if done and now == _finished(self.before) and second.code == self.first.code:
            expected = self.first
        if second.code != expected.code:
            return f"run again it ended with {second.code} and not {expected.code}: {second.text.strip()[:300]}"
        if found := damage(self.arena):
            return f"after the second run the store is damaged: {found[0]}"
        if difference := _differs(_finished(self._view()), _finished(state)):
            return f"run again, {difference}"
        return self._left_behind(state)

    def _neither(self, now: View, ended: Ended) -> str:
        """What is neither as it was nor as it was to become; with one change only, both at once."""
        before, after = _finished(self.before), _finished(self.after)
        for place in sorted({*now, *before, *after}):
            if not _between(place, now.get(place), before.get(place), after.get(place)):
                return f"{place} is {now.get(place, 'missing')}, was {before.get(place)}, was to be {after.get(place)}"
        if not self.scene.steps and now not in (before, after):
            return f"half of it is done: {_differs(now, before)}; {_differs(now, after)}"
        return ""

    def _left_behind(self, state: View) -> str:
        """Unfinished files that are still there after the second run, and after the collection of garbage."""
        usual = {unnumbered(place) for place in state if unfinished(place)}

        def left() -> list[str]:
            return [place for place in self._view() if unfinished(place) and unnumbered(place) not in usual]

        if left() and (self.arena / self.scene.where / ".pycontainer" / "store").is_dir():
            run(command(self.arena, self.scene.where, "gc"), self.folder)
        return f"left behind: {unnumbered(left()[0])}" if left() else ""


def _between(place: str, now: str | None, before: str | None, after: str | None) -> bool:
    """Whether a value is the old or the new one; of a list, all that is in both is there, and nothing else."""
    if now in (before, after):
        return True
    if ATTACHED not in place or now is None:
        return False
    here, old, new = (set((each or "").split()) for each in (now, before, after))
    return old & new <= here <= old | new


def _finished(state: View) -> View:
    return {place: what for place, what in state.items() if not unfinished(place)}


def _differs(one: View, other: View) -> str:
    for place in sorted({*one, *other}):
        if one.get(place) != other.get(place):
            return f"{place} is {one.get(place, 'missing')} and not {other.get(place, 'missing')}"
    return ""
