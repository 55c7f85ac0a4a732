# SPDX-License-Identifier: MIT
"""Changes that belong together, and referrers in an index of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.errors import TryAgainError, VerificationError
from orchestrator.oci import MANIFEST_TYPE, Descriptor, Manifest, Store, fsck
from orchestrator.oci.layout import EMPTY, THINNED, referrer, referrers_tag
from tests.unit.oci.faults import Watched


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    return Store.open_or_create(tmp_path / "store")


def manifest(store: Store, text: bytes = b"one") -> Descriptor:
    store.put_blob(b"{}")
    return store.put_manifest(
        Manifest(schema_version=2, media_type=MANIFEST_TYPE, artifact_type="application/x", config=EMPTY,
                 layers=[store.put_blob(text)])
    )  # fmt: skip


def seen_by_others(store: Store) -> set[str]:
    return set(Store.open(store.root).tags())


def test_what_belongs_together_is_seen_together(store: Store) -> None:
    one = manifest(store)
    with store.together():
        store.tag("a", one)
        store.tag("b", one)
        assert set(store.tags()) == {"a", "b"}
        assert seen_by_others(store) == set()
        with store.together():
            store.tag("c", one)
        assert seen_by_others(store) == set()
    assert seen_by_others(store) == {"a", "b", "c"}


def test_an_error_leaves_nothing_of_it(store: Store) -> None:
    one = manifest(store)
    before = store.index.path.read_bytes()
    with pytest.raises(RuntimeError), store.together():
        store.tag("a", one)
        raise RuntimeError
    assert store.index.path.read_bytes() == before
    assert store.tags() == {}
    store.tag("b", one)
    assert seen_by_others(store) == {"b"}


def test_nothing_changed_writes_nothing(store: Store) -> None:
    files = Watched()
    again = Store.open(store.root, files)
    with again.together():
        pass
    assert files.count == 0


def attached(store: Store, subject: Descriptor) -> set[str]:
    return {entry.digest for entry in Store.open(store.root).referrers(subject.digest)}


def test_packed_referrers_are_found_and_the_index_is_small(store: Store) -> None:
    one = manifest(store)
    store.tag("a", one)
    made = {
        store.attach(one, f"application/t{number % 3}", [store.put_blob(b"%d" % number)]).digest for number in range(9)
    }
    assert len(store.entries()) == 10
    store.pack(one.digest)
    assert len(store.entries()) == 2
    assert attached(store, one) == made
    assert len(store.referrers(one.digest, "application/t1")) == 3
    assert fsck(store).whole
    store.pack(one.digest)
    assert attached(store, one) == made


def test_what_is_attached_later_goes_to_the_others_and_replaces_them(store: Store) -> None:
    one = manifest(store)
    first = store.attach(one, "application/sig", [store.put_blob(b"first")])
    store.pack(one.digest)
    second = store.attach(one, "application/sig", [store.put_blob(b"second")], instead_of=[first.digest])
    assert attached(store, one) == {second.digest}
    assert store.attach(one, "application/sig", [store.put_blob(b"second")]) == second
    assert attached(store, one) == {second.digest}
    assert len(store.entries()) == 1


def test_many_are_attached_at_once_beside_those_that_are_there(store: Store) -> None:
    one = manifest(store)
    loose = store.attach(one, "application/a", [store.put_blob(b"loose")])
    many = [referrer(one, "application/b", [store.put_blob(b"%d" % number)]) for number in range(4)]
    store.attach_all(one, many)
    assert len(attached(store, one)) == 5
    assert loose.digest in attached(store, one)
    assert list(store.tags()) == [referrers_tag(one.digest)]
    with pytest.raises(VerificationError):
        store.attach_all(one, [referrer(one, "application/b", [Descriptor(
            media_type="a/b", digest="sha256:" + "0" * 64, size=1)])])  # fmt: skip
    assert len(attached(store, one)) == 5


def test_a_name_is_taken_away_and_what_it_stood_for_may_stay(store: Store) -> None:
    one = manifest(store)
    store.tag("a", one)
    store.index.untag("a", keep=True)
    assert [entry.digest for entry in store.entries()] == [one.digest]
    store.tag("a", one)
    store.index.untag("a", keep=False)
    assert store.entries() == []


def test_a_tag_needs_all_parts_of_what_it_names(store: Store) -> None:
    one = manifest(store)
    store.blob_path(store.read_manifest(one.digest).layers[0].digest).unlink()
    with pytest.raises(VerificationError, match="is not in the store"):
        store.tag("a", one)


def test_given_up_layers_are_no_damage(store: Store) -> None:
    one = manifest(store)
    store.index.add(one.plain(**{THINNED: "true"}))
    store.blob_path(store.read_manifest(one.digest).layers[0].digest).unlink()
    report = fsck(store)
    assert report.whole and report.thinned == 1


def test_writers_share_and_a_collector_is_alone(store: Store) -> None:
    other = Store.open(store.root)
    with store.writing(), other.writing(), store.writing():
        third = Store.open(store.root)
        with pytest.raises(TryAgainError), third.writers.alone(timeout=0.05):
            pass
    with other.writers.alone(timeout=1):
        waiting = Store.open(store.root)
        waiting.writers._timeout = 0.05
        with pytest.raises(TryAgainError, match="garbage is being collected"), waiting.writing():
            pass
    with store.writing(), pytest.raises(TryAgainError, match="this program"), store.writers.alone(timeout=0.05):
        pass
