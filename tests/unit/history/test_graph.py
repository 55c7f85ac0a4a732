# SPDX-License-Identifier: MIT
"""Walks over any graph: all of it, each revision once, children before parents, and no more than is asked for."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.history.graph import Commit, Graph
from orchestrator.oci import Store


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


class Counting(Graph):
    """A graph out of a table; counts what is read."""

    def __init__(self, store: Store, parents: dict[int, list[int]]) -> None:
        super().__init__(store)
        self.table = {
            digest(number): Commit(digest(number), tuple(map(digest, each)), str(number), "", "", "", "")
            for number, each in parents.items()
        }
        self.read: list[str] = []

    def commit(self, digest: str) -> Commit:
        self.read.append(digest)
        if digest in self.table:
            return self.table[digest]
        return super().commit(digest)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.open_or_create(Path(tmp_path_factory.mktemp("graph")) / "store")


_GRAPHS = st.lists(st.lists(st.integers(1, 6), max_size=3), min_size=1, max_size=30)


@given(_GRAPHS, st.lists(st.integers(0, 29), min_size=1, max_size=4))
def test_any_walk_is_in_order(store: Store, shape: list[list[int]], tips: list[int]) -> None:
    size = len(shape)
    parents = {at: [at + step for step in dict.fromkeys(steps) if at + step < size] for at, steps in enumerate(shape)}
    graph = Counting(store, parents)
    begin = [digest(tip % size) for tip in tips]
    walked = [each.id for each in graph.walk(begin)]
    assert len(walked) == len(set(walked))
    assert set(walked) == set(graph.reachable(begin))
    place = {each: position for position, each in enumerate(walked)}
    for each in walked:
        assert all(place[parent] > place[each] for parent in graph.table[each].parents)


def test_a_line_is_read_only_as_far_as_it_is_asked_for(store: Store) -> None:
    graph = Counting(store, {number: [number + 1] for number in range(100)} | {100: []})
    assert len(list(itertools.islice(graph.walk([digest(0)]), 5))) == 5
    assert len(graph.read) <= 6


def test_a_history_that_goes_on_elsewhere_ends_here(store: Store) -> None:
    graph = Counting(store, {0: [1], 1: [2]})
    assert [each.id for each in graph.walk([digest(0)])] == [digest(0), digest(1)]
    assert [each.id for each in graph.walk([digest(0), digest(1)])] == [digest(0), digest(1)]
    assert graph.is_ancestor(digest(1), digest(0)) and not graph.is_ancestor(digest(0), digest(1))
    assert graph.nearest(digest(0), lambda each: each == digest(1)) == digest(1)
    assert graph.nearest(digest(0), lambda each: False) is None
