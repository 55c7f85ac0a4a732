# SPDX-License-Identifier: MIT
"""What is read of files and strangers: the configuration of remotes, the facts of a host image, names of channels."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from orchestrator.errors import ConfigError, PyContainerError, TrustError
from orchestrator.history import names as history_names
from orchestrator.oci import Store
from orchestrator.remotes.ancestry import comes_from, count_between, known, walk
from orchestrator.remotes.config import load_remotes
from orchestrator.remotes.location import parse_location
from orchestrator.remotes.naming import (
    Channel,
    channel,
    channel_in_registry,
    channel_in_store,
    head_in_store,
    is_users,
    root_number,
)
from orchestrator.revision import initramfs_with_facts, product_facts
from orchestrator.revision.facts import read_facts
from orchestrator.trust import channel as trust_channel

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEYS = [("a" * 64, "b" * 43 + "=")]


def write(folder: Path, data: bytes) -> Path:
    path = folder / ".pycontainer" / "config"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return folder


def test_remotes_are_written_and_read_back(tmp_path: Path):
    config = load_remotes(tmp_path).add("origin", "registry.example:5000/shop/device").add("stick", '/media/"odd" ü')
    config.write()
    assert load_remotes(tmp_path) == config
    assert config.named().name == "origin"
    assert (config.named("stick").location.kind, config.named("origin").location.kind) == ("folder", "registry")
    rest = config.remove("origin")
    rest.write()
    assert load_remotes(tmp_path).named().name == "stick"


@pytest.mark.parametrize(
    "data",
    [
        b"default = 1", b"[remotes.origin]\n", b"[remotes.Origin]\nurl='a.b/c'", b"\xff", b"x = [", b"unknown = 'a'",
        b"[remotes.origin]\nurl = 'a.b/c'\nmore = 1", b"#" * 300_000, b"[remotes.'a/b']\nurl='a.b/c'",
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_explained(tmp_path: Path, data: bytes):
    with pytest.raises(ConfigError):
        load_remotes(write(tmp_path, data))


@QUIET
@given(st.binary(max_size=300))
def test_no_bytes_bring_the_reader_of_the_configuration_down(tmp_path: Path, data: bytes):
    with contextlib.suppress(ConfigError):
        for entry in load_remotes(write(tmp_path, data)).remotes.values():
            with contextlib.suppress(ConfigError):
                assert entry.location.kind


@QUIET
@given(st.text(max_size=60))
@example("~nobody-here/x")
def test_any_text_is_a_place_or_an_error(tmp_path: Path, text: str):
    with contextlib.suppress(ConfigError):
        found = parse_location(text, tmp_path)
        assert (found.reference is None) != (found.path is None)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("registry.example/shop", "registry"), ("localhost:5000/a/b", "registry"), ("./x", "folder"),
        ("/x.tar", "bundle"),
        ("file:///srv/x", "folder"), ("oci:some/where", "folder"), ("docker://h.example/a", "registry"),
    ],
)  # fmt: skip
def test_places_are_told_apart(tmp_path: Path, text: str, kind: str):
    assert parse_location(text, tmp_path).kind == kind


def test_a_path_that_is_there_is_one(tmp_path: Path):
    Store.open_or_create(tmp_path / "there.example" / "store")
    assert parse_location("there.example/store", tmp_path).kind == "store"
    with pytest.raises(ConfigError, match="not the place of a remote"):
        parse_location("nowhere", tmp_path)


@given(
    st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), st.from_regex(r"[a-z0-9]+([._-][a-z0-9]+){0,3}", fullmatch=True)
)
def test_a_channels_tags_lead_back_to_it(name: str, machine: str):
    if len(machine) > 63:
        return
    found = Channel(name, machine)
    assert channel_in_registry(found.in_registry) == found
    assert channel_in_store(found.pointer) == found
    assert not is_users(found.in_registry)


@given(st.from_regex(r"[A-Za-z0-9._-]{1,34}", fullmatch=True) | st.sampled_from(["Stable", "a.b", "a__b", "a" * 33]))
def test_what_can_be_committed_to_can_be_promoted_and_pushed(name: str):
    def takes(check: Callable[[str], object]) -> bool:
        try:
            check(name)
        except ConfigError:
            return False
        return True

    assume(name != "candidate")
    found = takes(history_names.check_channel)
    assert found == takes(lambda each: channel(each, "qemu-amd64"))
    assert found == takes(trust_channel.check_channel)
    assert found == (channel_in_registry(f"channel.{name}.qemu") == Channel(name, "qemu"))
    assert found == (head_in_store(f"channel/{name}/qemu") == Channel(name, "qemu"))


def test_our_own_tags_are_no_users():
    assert [
        name
        for name in ("revision-" + "0" * 64, "sha256-" + "a" * 64, "root.1", "channel.a.b", "a/b")
        if is_users(name)
    ] == []
    assert is_users("v1.2")
    assert (root_number("root.12"), root_number("root/3"), root_number("root.0")) == (12, 3, None)
    with pytest.raises(ConfigError):
        channel("a.b", "qemu-amd64")


def facts_blob(store: Store, tmp_path: Path, facts: bytes) -> str:
    (tmp_path / "base").write_bytes(b"070701" + b"\0" * 105)
    return store.put_blob(initramfs_with_facts(tmp_path / "base", facts)).digest


def test_the_facts_of_a_host_image_are_read_back(tmp_path: Path):
    store = Store.open_or_create(tmp_path / "store")
    found = read_facts(store, facts_blob(store, tmp_path, product_facts("shop", "m", KEYS)))
    assert (found.product, found.machine, found.threshold, found.keys[0].keyid) == ("shop", "m", 1, "a" * 64)


def test_facts_that_are_not_at_the_end_count_for_nothing(tmp_path: Path):
    store = Store.open_or_create(tmp_path / "store")
    good = store.read_blob(facts_blob(store, tmp_path, product_facts("shop", "m", KEYS)))
    for data in (good + b"\0", good[:-1], b"", b"070701", good[:200]):
        with pytest.raises(TrustError):
            read_facts(store, store.put_blob(data).digest)
    twice = json.loads(product_facts("shop", "m", KEYS)) | {"threshold": 0}
    with pytest.raises(TrustError):
        read_facts(store, facts_blob(store, tmp_path, json.dumps(twice).encode()))


@QUIET
@given(st.binary(max_size=400), st.integers(0, 400))
def test_no_bytes_bring_the_reader_of_facts_down(tmp_path: Path, data: bytes, place: int):
    store = Store.open_or_create(tmp_path / "store")
    good = store.read_blob(facts_blob(store, tmp_path, product_facts("shop", "m", KEYS)))
    with contextlib.suppress(PyContainerError):
        read_facts(store, store.put_blob(good[:-place] + data if place else data).digest)


def test_who_comes_from_whom():
    parents = {"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": ["gone"]}.get
    assert list(walk("d", parents)) == ["d", "b", "c", "a", "gone"]
    assert comes_from("d", "a", parents)
    assert not comes_from("b", "c", parents)
    assert (count_between("d", "b", parents), count_between("d", None, parents)) == (2, 4)
    assert known(parents, ["d", "x"]) == {"d", "b", "c", "a"}
