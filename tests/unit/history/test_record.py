# SPDX-License-Identifier: MIT
"""Committing: what the new revision is, what travels with it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ConfigError, TrustError
from orchestrator.history.graph import Commit, Graph
from orchestrator.history.names import Names
from orchestrator.history.record import clean_message, commit, state
from orchestrator.history.source import SOURCE_TYPE, read_source
from orchestrator.oci import Store, fsck
from orchestrator.revision import CYCLONEDX_TYPE, LAYER, SPDX_TYPE, revisions
from orchestrator.trust import (
    SIGNATURE_TYPE,
    add_public_key,
    load_keys,
    new_key,
    set_threshold,
    sign_revision,
    verify_revision,
)
from tests.unit.history.sample import MACHINE, Works


def test_a_commit_is_the_candidate_with_parent_and_message(works: Works) -> None:
    candidate = works.build()
    first = works.commit("Begin\n\nWith some words.")
    assert first.parent is None
    assert first.revision.config.message == "Begin\n\nWith some words."
    assert state(first.revision.config) == state(candidate.config)
    assert first.revision.manifest.layers == candidate.manifest.layers
    works.build("1.1.0", "another")
    second = works.commit("Go on")
    assert second.revision.config.parents == [first.revision.id]
    assert second.parent == first.revision
    assert works.names.load("main") == second.revision
    assert works.names.load("candidate").id not in (first.revision.id, second.revision.id)
    assert fsck(works.store).whole


def test_what_is_true_of_the_new_revision_is_attached_to_it_and_nothing_else(works: Works) -> None:
    candidate = works.build()
    made = works.commit("Begin").revision
    kinds = {entry.digest: entry.artifact_type for entry in works.store.referrers(made.id)}
    assert sorted(kinds.values()) == sorted([SPDX_TYPE, CYCLONEDX_TYPE] * 5 + [SOURCE_TYPE, SIGNATURE_TYPE])
    layers = {
        works.store.read_manifest(digest).annotations[LAYER] for digest, kind in kinds.items() if kind == SPDX_TYPE
    }
    assert layers == {layer.name for layer in made.config.layers}
    assert read_source(works.store, made.id) == read_source(works.store, candidate.id)
    report = verify_revision(works.store, made, works.keys.public_keys(), 1, product="demo")
    assert report.passed


def test_the_index_keeps_every_revision_in_two_entries(works: Works) -> None:
    made = works.history("one", "two", "three")
    known = {entry.digest for entry in revisions(works.store)}
    assert {revision.id for revision in made} <= known
    ours = [entry for entry in works.store.entries() if entry.digest in {revision.id for revision in made}]
    assert len(ours) == 3
    packed = {f"sha256-{revision.hex}" for revision in made}
    assert packed <= works.store.tags().keys()


def test_nothing_to_commit(works: Works) -> None:
    works.build()
    first = works.commit("Begin").revision
    before = works.store.index.path.read_bytes()
    with pytest.raises(ConfigError, match="nothing to commit") as caught:
        works.commit("Again")
    assert first.short in caught.value.why
    assert works.store.index.path.read_bytes() == before
    again = works.commit("Again", allow_empty=True).revision
    assert again.config.parents == [first.id]


def test_without_a_build_there_is_nothing_to_commit(works: Works) -> None:
    with pytest.raises(ConfigError, match="no candidate"):
        works.commit("Begin")


def test_the_security_version_never_goes_down(works: Works) -> None:
    works.build(security_version=3)
    head = works.commit("Mend").revision
    works.build("1.0.1", "other", security_version=2)
    with pytest.raises(TrustError, match="security version would go down"):
        works.commit("Oops")
    assert works.names.load("main") == head


def test_another_products_candidate_is_refused(works: Works) -> None:
    works.build(product="other")
    with pytest.raises(ConfigError, match="of product other"):
        works.commit("Begin")
    assert works.names.head() is None


def test_a_commit_that_cannot_be_signed_leaves_the_channel(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    works.history("one")
    works.build("2.0.0", "two")
    before = works.store.index.path.read_bytes()
    keys = works.keys
    for path in keys.folder.glob("*.key.pem"):
        path.unlink()
    with pytest.raises(TrustError):
        works.commit("Unsigned")
    assert works.store.index.path.read_bytes() == before


@pytest.mark.parametrize(
    ("given", "clean"),
    [("  a \n", "  a"), ("\n\na\n\nb  \n\n", "a\n\nb"), ("# no comment", "# no comment")],
)
def test_a_message_is_cleaned_as_git_does(given: str, clean: str) -> None:
    assert clean_message(given) == clean


def test_comments_go_when_an_editor_showed_them() -> None:
    assert clean_message("Say it\n# Changes:\n#   web\n", comments=True) == "Say it"


@pytest.mark.parametrize("text", ["", " \n\t\n", "a\0b", "x" * 65537])
def test_a_message_that_cannot_be_kept(text: str) -> None:
    with pytest.raises(ConfigError):
        clean_message(text)


def test_the_graph_reads_what_a_revision_says(works: Works) -> None:
    made = works.history("one", "two")[1]
    found = Commit.read(works.store, made.id)
    assert (found.id, list(found.parents), found.message) == (made.id, made.config.parents, "two")
    assert (found.version, found.product, found.machine) == ("1.0.1", "demo", MACHINE)
    assert found.created == made.config.created


def test_children_come_before_parents_and_each_once(works: Works) -> None:
    one, two, three = works.history("one", "two", "three")
    beta = Names(works.store, MACHINE, "beta")
    works.build("3.0.0", "beta")
    other = commit(beta, works.keys, "beta").revision
    walk = [each.id for each in Graph(works.store).walk([three.id, other.id, two.id, three.id])]
    assert walk == [three.id, two.id, one.id, other.id]


def test_a_second_store_reads_what_the_first_wrote(works: Works) -> None:
    made = works.history("one", "two")
    again = Store.open(works.store.root)
    assert Names(again, MACHINE).load("main~1") == made[0]
    assert len(again.referrers(made[1].id)) == len(works.store.referrers(made[1].id))


def test_a_commit_that_others_must_sign_too_waits_for_them_and_goes_on(works: Works, tmp_path: Path) -> None:
    theirs = {"PYCONTAINER_KEYS": str(tmp_path / "theirs"), "HOME": "/"}
    other = new_key("demo", "other", environment=theirs)
    works.build()
    add_public_key("demo", "other", other.public)
    set_threshold("demo", 2)
    with pytest.raises(TrustError, match="waits for signatures") as caught:
        commit(works.names, load_keys("demo"), "Begin")
    assert works.names.head() is None
    made = works.names.load(caught.value.what.split()[1])
    sign_revision(works.store, made, load_keys("demo", environment=theirs).signers(environment=theirs))
    done = commit(works.names, load_keys("demo"), "Begin")
    assert done.revision == made == works.names.load("main")
    works.build("1.1.0", "another")
    with pytest.raises(TrustError, match="waits for signatures"):
        commit(works.names, load_keys("demo"), "Go on")
    assert works.names.load("main") == made
    assert fsck(works.store).whole
