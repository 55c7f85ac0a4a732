# SPDX-License-Identifier: MIT
"""The lines beside a log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.history_graph import Drawing
from orchestrator.cli.plain import Paint
from orchestrator.history.graph import Commit


def commit(name: str, *parents: str) -> Commit:
    return Commit(name, parents, name, "", "", "", "")


def drawn(*commits: Commit, more: int = 0) -> list[str]:
    drawing = Drawing({each.id for each in commits}, Paint(on=False))
    return [line for each in commits for line in drawing.lines(each, [each.id, *["-"] * more])]


def test_a_line() -> None:
    assert drawn(commit("c", "b"), commit("b", "a"), commit("a")) == ["* c", "* b", "* a"]


def test_text_below_goes_on_beside_the_line_and_ends_with_it() -> None:
    assert drawn(commit("b", "a"), commit("a"), more=1) == ["* b", "| -", "* a", "  -"]


def test_two_that_came_from_one() -> None:
    assert drawn(commit("c", "a"), commit("b", "a"), commit("a")) == ["* c", "| * b", "|/", "* a"]


def test_a_merge() -> None:
    found = drawn(commit("m", "b", "c"), commit("b", "a"), commit("c", "a"), commit("a"))
    assert found == ["* m", "|\\", "* | b", "| * c", "|/", "* a"]


def test_three_that_came_from_one() -> None:
    found = drawn(commit("d", "a"), commit("c", "a"), commit("b", "a"), commit("a"))
    assert found == ["* d", "| * c", "| | * b", "| |/", "|/|", "| |", "* a"] or found == [
        "* d", "| * c", "| | * b", "|_|/", "|/", "* a",
    ]  # fmt: skip


def test_two_histories_that_never_meet() -> None:
    assert drawn(commit("b"), commit("a")) == ["* b", "* a"]


def test_a_parent_that_is_not_shown_ends_the_line() -> None:
    assert drawn(commit("b", "elsewhere"), commit("a")) == ["* b", "* a"]


@given(st.lists(st.lists(st.integers(0, 30), max_size=3), min_size=1, max_size=25))
def test_any_graph_is_drawn_with_one_star_a_commit(shape: list[list[int]]) -> None:
    size = len(shape)
    commits = [
        commit(f"n{at}", *dict.fromkeys(f"n{at + 1 + step}" for step in steps if at + 1 + step < size))
        for at, steps in enumerate(shape)
    ]
    drawing = Drawing({each.id for each in commits}, Paint(on=False))
    for each in commits:
        lines = drawing.lines(each, [each.id])
        stars = [line for line in lines if "*" in line]
        assert len(stars) == 1 and stars[0].endswith(f" {each.id}")
        assert stars[0].index("*") % 2 == 0
        assert set("".join(lines).replace(each.id, "")) <= set("*|\\/_ ")
    assert drawing.columns == []
