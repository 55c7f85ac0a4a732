# SPDX-License-Identifier: MIT
"""Real commands, killed, out of room and without power at every change of a file; and writers that must be caught."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.canonical import write_atomically
from tests.powercut.main import scratch_folder
from tests.powercut.store.faults import BRIEF, CUTS, FULL, KILL, Counted, Cut, fault
from tests.powercut.store.intercept import available, run
from tests.powercut.store.main import spread
from tests.powercut.store.scenes import SCENES
from tests.powercut.store.trial import Trial

pytestmark = pytest.mark.skipif(not available(), reason="seccomp_unotify(2) does not work here")

Writer = Callable[[Path], None]


def atomically(folder: Path) -> None:
    write_atomically(folder / "state", b"new")


def into_a_new_folder(folder: Path) -> None:
    write_atomically(folder / "deep" / "er" / "state", b"new")


def in_place(folder: Path) -> None:
    (folder / "state").write_bytes(b"new")


def renamed_unsynced(folder: Path) -> None:
    (folder / "other").write_bytes(b"new")
    (folder / "other").rename(folder / "state")


def folder_unsynced(folder: Path) -> None:
    with (folder / "other").open("wb") as stream:
        stream.write(b"new")
        stream.flush()
        os.fsync(stream.fileno())
    (folder / "other").rename(folder / "state")


class Place:
    """A folder with a file, made anew for each fault."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.number = 0

    def after(self, writer: Writer, kind: str, position: int, name: str = "state") -> tuple[int, bytes | None]:
        """Play a writer with a fault; returns how it ended, and what the file holds."""
        self.number += 1
        arena, spare = (self.root / f"{self.number}-{each}" for each in ("arena", "spare"))
        arena.mkdir()
        spare.mkdir()
        (arena / "state").write_bytes(b"old")

        def action() -> int:
            writer(arena)
            return 0

        befalls = fault(kind, position, arena, spare)
        ended = run(action, self.root, arena, befalls)
        if isinstance(befalls, Cut):
            befalls.unsynced.lose(befalls.what)
        path = arena / name
        return ended.code, path.read_bytes() if path.exists() else None

    def changes(self, writer: Writer) -> int:
        self.number += 1
        arena = self.root / f"{self.number}-arena"
        arena.mkdir()
        (arena / "state").write_bytes(b"old")
        counted = Counted()
        run(lambda: writer(arena) or 0, self.root, arena, counted)
        return counted.count


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_careful_writer_leaves_the_old_or_the_new_whatever_happens(place: Place):
    changes = place.changes(atomically)
    assert changes == 5  # made, written, synced, renamed, the folder synced
    for kind in (KILL, FULL, BRIEF, *CUTS):
        found = [place.after(atomically, kind, position) for position in range(1, changes + 1)]
        assert {content for _, content in found} <= {b"old", b"new"}
        assert all(code for code, _ in found) or kind == FULL
    assert all(place.after(atomically, kind, 0) == (0, b"new") for kind in CUTS)


def test_a_new_folder_is_as_safe_as_what_is_in_it(place: Place):
    for kind in CUTS:
        assert place.after(into_a_new_folder, kind, 0, "deep/er/state") == (0, b"new")


def test_careless_writers_are_caught(place: Place):
    assert place.after(in_place, KILL, 2)[1] == b"n"  # emptied, then half of it written
    assert place.after(in_place, FULL, 2)[1] == b"n"
    assert place.after(in_place, "cut-none", 0)[1] == b""
    assert place.after(renamed_unsynced, "cut-names", 0)[1] == b""
    assert place.after(folder_unsynced, "cut-none", 0)[1] == b"old"


def test_the_same_place_is_the_same_fault(place: Place):
    assert place.after(in_place, KILL, 2) == place.after(in_place, KILL, 2)
    assert list(spread(3)(100)) == [33, 67, 100]
    assert list(spread(0)(3)) == [1, 2, 3]


@pytest.mark.parametrize(("scene", "at_most"), [("tag", 3), ("remote-add", 0), ("key-rotate", 2), ("push", 1)])
def test_a_command_loses_nothing(scene: str, at_most: int):
    with scratch_folder() as folder:
        outcome = Trial(SCENES[scene], folder).run(spread(at_most))
    assert not outcome.lost
    assert min(outcome.changes, outcome.kills, outcome.full, outcome.cuts) > 0


@pytest.mark.parametrize("scene", ["clone", "trust-init", "checkout", "push-new", "bundle-folder"])
def test_what_is_reported_done_outlives_a_power_cut(scene: str):
    with scratch_folder() as folder:
        trial = Trial(SCENES[scene], folder)
        assert [trial.try_one(kind, 0) for kind in CUTS] == ["", "", ""]
