# SPDX-License-Identifier: MIT
"""Killed at any change of the disk, or with the power cut there, a commit, a tag, a revert and a collection of garbage
leave a store that is whole, whose channel is what it was or what it should become."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.history.check import check
from orchestrator.history.gc import collect
from orchestrator.history.revert import revert
from orchestrator.oci import Store
from orchestrator.oci.files import Files
from tests.unit.history.sample import Works
from tests.unit.oci.faults import CuttingPower, Dying, PowerCut, Watched


def do_commit(works: Works) -> None:
    works.commit("the next")


def do_tag(works: Works) -> None:
    with works.store.together():
        works.store.index.untag("v1", keep=True)
        works.store.tag("v1", works.names.load("main").descriptor)


def do_revert(works: Works) -> None:
    revert(works.names, works.keys, "HEAD")


def do_collect(works: Works) -> None:
    collect(works.store, keep=1)


ACTIONS: dict[str, Callable[[Works], None]] = {
    "commit": do_commit, "tag": do_tag, "revert": do_revert, "gc": do_collect,
}  # fmt: skip


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product with a history, a tag, a candidate, and something that nothing leads to."""
    folder = tmp_path_factory.mktemp("faults")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYCONTAINER_KEYS", str(folder / "keys"))
        patch.setattr(os, "fsync", lambda descriptor: None)
        works = Works(folder / "product")
        works.history("one", "two", formats=())
        works.store.tag("v1", works.names.load("main~1").descriptor)
        works.build("5.0.0", "lost", formats=())
        works.build("6.0.0", "candidate", formats=())
    return folder


@pytest.fixture(autouse=True)
def _keys(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYCONTAINER_KEYS", str(ready / "keys"))


def copied(ready: Path, target: Path, files: Files | None = None) -> Works:
    shutil.copytree(ready / "product", target, copy_function=os.link, symlinks=True)
    index = target / ".pycontainer" / "store" / "index.json"
    data = index.read_bytes()
    index.unlink()
    index.write_bytes(data)
    return Works(target, files)


def outcome(works: Works) -> tuple[str, str, int]:
    """What people see: the head's message, the tag, the number of revisions of the channel."""
    store = Store.open(works.store.root)
    found = check(store, "demo", works.keys.public_keys(), 1)
    assert found.whole, (found.store.problems, found.problems)
    assert not found.unsigned
    head, tag = works.names.load("main"), works.names.load("v1")
    return head.config.message, tag.config.message, found.revisions


@pytest.mark.parametrize("action", ACTIONS)
def test_a_kill_at_any_change(ready: Path, tmp_path: Path, action: str) -> None:
    before = outcome(copied(ready, tmp_path / "before"))
    files = Watched()
    reference = copied(ready, tmp_path / "reference", files)
    files.count = 0
    ACTIONS[action](reference)
    changes, after = files.count, outcome(reference)
    assert changes > 3
    assert (after == before) == (action == "gc")
    for position in range(1, changes + 1):
        target = tmp_path / str(position)
        child = os.fork()
        if child == 0:
            try:
                dying = Dying(0)
                works = copied(ready, target, dying)
                dying.count, dying.die_at = 0, position
                ACTIONS[action](works)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 77
        again = Works(target)
        found = outcome(again)
        assert found in (before, after)
        if found != after:
            ACTIONS[action](again)
            assert outcome(again) == after
        if not position % 10:
            collect(again.store)
            assert outcome(again) == after
        shutil.rmtree(target)


@pytest.mark.parametrize("action", ACTIONS)
def test_a_power_cut_at_any_change(ready: Path, tmp_path: Path, action: str) -> None:
    before = outcome(copied(ready, tmp_path / "before"))
    files = Watched()
    reference = copied(ready, tmp_path / "reference", files)
    files.count = 0
    ACTIONS[action](reference)
    changes, after = files.count, outcome(reference)
    for position in range(1, changes + 2, max(1, changes // 12)):
        for kept in (0, 1, 1000):
            target = tmp_path / f"{position}-{kept}"
            cutting = CuttingPower(1_000_000, kept, tmp_path / f"spare-{position}-{kept}")
            works = copied(ready, target, cutting)
            cutting.count, cutting.cut_at = 0, position
            cutting.pending.clear()
            with contextlib.suppress(PowerCut):
                ACTIONS[action](works)
            cutting.lose(works.store.root)
            assert outcome(Works(target)) in (before, after)
            shutil.rmtree(target)
