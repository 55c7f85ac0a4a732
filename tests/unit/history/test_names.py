# SPDX-License-Identifier: MIT
"""Every name that a revision has leads to it; what leads nowhere, or to two, is explained."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError, PyContainerError
from orchestrator.history.names import Names, channel_tag, check_channel, check_tag, remote_tag
from orchestrator.history.record import commit
from tests.unit.history.sample import MACHINE, Works


def test_every_way_to_name_a_revision(works: Works) -> None:
    first, second, third = works.history("one", "two", "three")
    works.store.tag("v1", first.descriptor)
    works.store.tag(remote_tag("origin", "main", MACHINE), second.descriptor)
    candidate = works.build("9.9.9", "newer")
    expected = {
        "main": third, "HEAD": third, "": third, "@": third, "HEAD~0": third, "main^0": third,
        "main~1": second, "HEAD^": second, "HEAD~": second, "main~2": first, "HEAD^^": first, "HEAD~1^1": first,
        "v1": first, "origin/main": second, "origin/main~1": first, "candidate": candidate,
        f"candidate/{MACHINE}": candidate, f"channel/main/{MACHINE}": third, f"channel/main/{MACHINE}~1": second,
        first.id: first, first.hex: first, first.short: first, f"sha256:{second.hex[:20]}": second,
        f"{third.short}~2": first,
    }  # fmt: skip
    for name, revision in expected.items():
        assert works.names.find(name) == revision.id, name
        assert works.names.load(name) == revision, name


def test_another_channel_has_a_head_of_its_own(works: Works) -> None:
    (first,) = works.history("one")
    works.build("2.0.0", "beta")
    beta = Names(works.store, MACHINE, "beta")
    with pytest.raises(ConfigError, match="nothing was committed to the channel beta"):
        beta.load("HEAD")
    made = commit(beta, works.keys, "for the brave")
    assert made.revision.config.parents == []
    assert beta.load("HEAD") == made.revision
    assert beta.load("main") == first
    assert works.names.load("beta") == made.revision
    assert set(works.names.channels()) == {"main", "beta"}


def test_channels_of_another_machine_are_not_this_ones(works: Works) -> None:
    works.history("one")
    assert Names(works.store, "board").channels() == {}
    with pytest.raises(ConfigError, match="no revision 'main'"):
        Names(works.store, "board").load("main")


@pytest.mark.parametrize(
    ("name", "why", "hint"),
    [
        ("mian", "channels main", "did you mean 'main'"),
        ("v9", "tags v1", "did you mean 'v1'"),
        ("zzz", "the candidate", "pycontainer log --all"),
        ("ab", "channels main", "4 or more digits"),
        ("main~9", "is the first of its history", "pycontainer log"),
        ("main^2", "has 1 parent", "pycontainer log"),
        ("main~x", "channels main", ""),
        ("a b~1", "channels main", ""),
        ("0123456789abcdef", "channels main", ""),
        ("sha256-" + "0" * 64, "channels main", ""),
    ],
)
def test_a_name_that_leads_nowhere_is_explained(works: Works, name: str, why: str, hint: str) -> None:
    works.history("one", "two")
    works.store.tag("v1", works.names.load("main~1").descriptor)
    with pytest.raises(ConfigError) as caught:
        works.names.load(name)
    assert why in caught.value.why
    assert hint in caught.value.hint


def test_two_ids_with_one_beginning(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = works.history("one", "two")
    known = {first.id, "sha256:" + first.hex[:6] + second.hex[6:]}
    monkeypatch.setattr("orchestrator.history.graph.Graph.known", lambda self: known)
    with pytest.raises(ConfigError, match="ambiguous") as caught:
        works.names.find(first.hex[:5])
    assert first.hex[:16] in caught.value.why and "one" in caught.value.why
    assert works.names.find(first.hex[:12]) == first.id


def test_a_tag_and_a_channel_of_one_name_are_ambiguous_only_when_they_differ(works: Works) -> None:
    first, second = works.history("one", "two")
    works.store.tag("main", second.descriptor)
    assert works.names.load("main") == second
    works.store.tag("main", first.descriptor)
    with pytest.raises(ConfigError, match="ambiguous") as caught:
        works.names.load("main")
    assert f"channel/main/{MACHINE}" in caught.value.hint


def test_a_parent_that_is_elsewhere_is_said_to_be(works: Works) -> None:
    first, _ = works.history("one", "two")
    works.store.blob_path(first.id).unlink()
    with pytest.raises(ConfigError, match="is not here"):
        works.names.load("main~1")


@pytest.mark.parametrize(
    "name", ["HEAD", "candidate", "a/b", "", "-x", "a" * 129, "sha256-" + "1" * 64, "f" * 64, "main"]
)
def test_a_tag_that_would_hide_something_is_refused(works: Works, name: str) -> None:
    works.history("one")
    with pytest.raises(ConfigError):
        check_tag(name, works.store, MACHINE)


@pytest.mark.parametrize("name", ["v1.0", "release-2", "2026.1_a", "_x"])
def test_a_good_tag(works: Works, name: str) -> None:
    check_tag(name, works.store, MACHINE)


@pytest.mark.parametrize("name", ["HEAD", "candidate", "a/b", "", "a--b-", ".x", "x" * 33, "a b", "Stable", "a.b"])
def test_a_wrong_name_for_a_channel(name: str) -> None:
    with pytest.raises(ConfigError, match="not a name for a channel"):
        check_channel(name)
    with pytest.raises(ConfigError):
        channel_tag(name, MACHINE)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Works:
    folder = tmp_path_factory.mktemp("names")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYCONTAINER_KEYS", str(folder / "keys"))
        works = Works(folder / "product")
        works.history("one", "two")
    return works


@given(st.text(max_size=40) | st.from_regex(r"\A(main|HEAD|candidate|[0-9a-f]{2,6})([~^][0-9]{0,3}){0,3}\Z"))
def test_whatever_is_typed_gives_a_revision_or_an_explanation(two: Works, name: str) -> None:
    try:
        assert two.names.find(name).startswith("sha256:")
    except PyContainerError as problem:
        assert problem.why
