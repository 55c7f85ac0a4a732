# SPDX-License-Identifier: MIT
"""Several commands at once, as real processes: commits, builds, collectors, and what a writer has put but not named."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import PyContainerError
from orchestrator.history.check import check
from orchestrator.history.gc import collect
from orchestrator.history.graph import Graph
from orchestrator.oci import MANIFEST_TYPE, Manifest, Store
from orchestrator.oci.layout import EMPTY
from tests.unit.history.sample import Works

fork = multiprocessing.get_context("fork")


def run_all(*jobs: Callable[[], None], seconds: float = 120.0) -> None:
    """Run jobs at the same time, each in a process of its own; all must end well."""
    processes = [fork.Process(target=job) for job in jobs]
    for process in processes:
        process.start()
    for process in processes:
        process.join(seconds)
        assert process.exitcode == 0


def whole(works: Works) -> None:
    found = check(Store.open(works.store.root), "demo", works.keys.public_keys(), 1)
    assert found.whole, (found.store.problems, found.problems)
    assert not found.unsigned


def test_two_commits_at_once_are_one_after_the_other(works: Works) -> None:
    works.history("one")
    works.build("2.0.0", "two")

    def again(number: int) -> Callable[[], None]:
        def job() -> None:
            Works(works.folder).commit(f"from {number}", allow_empty=True)

        return job

    run_all(*(again(number) for number in range(6)))
    head = works.names.load("main")
    walk = list(Graph(Store.open(works.store.root)).walk([head.id]))
    assert len(walk) == 7
    assert all(len(commit.parents) == 1 for commit in walk[:-1])
    assert {commit.message for commit in walk} == {"one", *(f"from {number}" for number in range(6))}
    whole(works)


def test_of_two_commits_of_one_candidate_the_second_has_nothing_to_commit(works: Works) -> None:
    works.history("one")
    works.build("2.0.0", "two")
    said = fork.Queue()

    def job() -> None:
        try:
            said.put(Works(works.folder).commit("mine").revision.id)
        except PyContainerError as problem:
            said.put(problem.what)

    run_all(job, job)
    assert sorted([said.get(), said.get()], key=len)[0] == "nothing to commit"
    assert works.names.load("main~1").config.message == "one"


def test_collectors_between_builds_and_commits_take_nothing_that_is_needed(works: Works) -> None:
    works.history("one")

    def build() -> None:
        mine = Works(works.folder)
        for number in range(12):
            mine.build(f"3.0.{number}", f"build {number}")
            mine.commit(f"build {number}", allow_empty=True)

    def collecting() -> None:
        store = Store.open(works.store.root)
        deadline = time.monotonic() + 60
        count = 0
        while count < 15 and time.monotonic() < deadline:
            collect(store, wait=30)
            count += 1
        assert count

    run_all(build, collecting, collecting)
    whole(works)
    assert works.names.load("main").config.message == "build 11"
    assert len(list(Graph(Store.open(works.store.root)).walk([works.names.find("main")]))) == 13


def test_what_a_writer_has_put_and_not_named_yet_outlives_a_collector(works: Works) -> None:
    works.history("one")
    store = Store.open(works.store.root)
    said = fork.Queue()

    go = fork.Event()

    def collecting() -> None:
        go.wait(60)
        said.put("began")
        collect(Store.open(works.store.root), wait=60)
        said.put("done")

    process = fork.Process(target=collecting)  # begun before the lock is taken: a fork would share it
    process.start()
    with store.writing():
        part = store.put_blob(b"arrived, and nothing leads to it yet")
        go.set()
        assert said.get(timeout=30) == "began"
        time.sleep(0.3)
        assert said.empty(), "the collector waits"
        manifest = store.put_manifest(
            Manifest(schema_version=2, media_type=MANIFEST_TYPE, artifact_type="a/b", config=EMPTY, layers=[part])
        )
        store.tag("mine", manifest)
    assert said.get(timeout=60) == "done"
    process.join(60)
    assert store.has_blob(part.digest)
    whole(works)


def test_a_pull_keeps_the_collector_away(works: Works, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The registry's pull enters what it fetched last; until then it holds the writers' lock."""
    from orchestrator.registry import revisions as pulling
    from orchestrator.registry.reference import parse_reference

    works.history("one")
    seen: list[str] = []

    def sources(*_: object) -> object:
        try:
            collect(Store.open(works.store.root), wait=0.05)
        except PyContainerError as problem:
            seen.append(problem.what)
        raise PyContainerError("enough")

    monkeypatch.setattr(pulling, "Sources", sources)
    with pytest.raises(PyContainerError, match="enough"):
        pulling.pull(parse_reference("registry.example/a:b"), works.store)
    assert seen == ["another command is writing to the store"]
