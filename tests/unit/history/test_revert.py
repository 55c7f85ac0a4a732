# SPDX-License-Identifier: MIT
"""Undoing a revision by a new one: layer by layer, with conflicts said, and never below the security version."""

from __future__ import annotations

import pytest

from orchestrator.errors import ConfigError, TrustError
from orchestrator.history.record import state
from orchestrator.history.revert import restore, revert
from orchestrator.history.source import read_source
from orchestrator.oci import fsck
from orchestrator.revision import SPDX_TYPE
from tests.unit.history.sample import WEB, Works


def test_the_head_is_undone_without_a_build(works: Works) -> None:
    first, second = works.history("one", "two")
    done = revert(works.names, works.keys, "HEAD")
    made = done.revision
    assert made.config.parents == [second.id]
    assert state(made.config) == state(first.config)
    assert made.config.message.startswith('Revert "two"')
    assert second.hex in made.config.message
    assert read_source(works.store, made.id) == read_source(works.store, first.id)
    documents = {entry.digest for entry in works.store.referrers(made.id, SPDX_TYPE)}
    assert len(documents) == 5
    assert works.names.load("main") == made
    assert fsck(works.store).whole


def test_undoing_twice_gives_the_state_again(works: Works) -> None:
    _, second = works.history("one", "two")
    revert(works.names, works.keys, "HEAD")
    again = revert(works.names, works.keys, "HEAD").revision
    assert state(again.config) == state(second.config)


def test_an_older_change_goes_and_what_came_after_stays(works: Works) -> None:
    base = works.build("1.0.0", "web")
    works.commit("base")
    works.build("1.0.0", "bad web")
    works.commit("bad web")
    works.build("1.0.0", "bad web", security_version=1)
    works.commit("raise the security version")
    made = revert(works.names, works.keys, "HEAD~1").revision
    assert made.config.layer("web") == base.config.layer("web")
    assert made.config.security_version == 1


def test_what_was_changed_again_since_is_a_conflict(works: Works) -> None:
    works.history("one", "two", "three")
    head = works.names.load("main")
    with pytest.raises(ConfigError, match="cannot be reverted by itself") as caught:
        revert(works.names, works.keys, "HEAD~1")
    assert "layer web" in caught.value.why
    assert "--to" in caught.value.hint
    assert works.names.load("main") == head


def test_a_whole_earlier_state_comes_back(works: Works) -> None:
    first, _, third = works.history("one", "two", "three")
    made = restore(works.names, works.keys, "HEAD~2", "As it was").revision
    assert state(made.config) == state(first.config)
    assert made.config.parents == [third.id]
    assert made.config.message == "As it was"
    with pytest.raises(ConfigError, match="nothing to revert"):
        restore(works.names, works.keys, "HEAD~3")


def test_the_first_revision_has_nothing_before_it(works: Works) -> None:
    works.history("one")
    with pytest.raises(ConfigError, match="is the first one"):
        revert(works.names, works.keys, "HEAD")


def test_without_a_head_there_is_nothing_to_revert(works: Works) -> None:
    works.build()
    with pytest.raises(ConfigError, match="nothing was committed"):
        revert(works.names, works.keys, "candidate")


def test_what_raised_the_security_version_is_not_undone(works: Works) -> None:
    works.history("one")
    works.build("1.1.0", "mended", security_version=2)
    works.commit("Mend")
    for undo in (lambda: revert(works.names, works.keys, "HEAD"), lambda: restore(works.names, works.keys, "HEAD~1")):
        with pytest.raises(TrustError, match="security version would go down"):
            undo()


def test_blobs_that_were_given_up_are_said_to_be(works: Works) -> None:
    first, *_ = works.history("one", "two", "three")
    gone = next(blob for blob in first.blobs() if (blob.layer, blob.role) == ("web", "rootfs"))
    works.store.blob_path(gone.digest).unlink()
    with pytest.raises(ConfigError, match="is not in the store any more"):
        restore(works.names, works.keys, "HEAD~2")


def test_a_layer_that_was_added_goes_and_one_that_was_removed_comes_back(works: Works) -> None:
    works.build("1.0.0", "web")
    first = works.commit("with web").revision
    less = [layer for layer in first.config.layers if layer.name != "web"]
    import msgspec

    from orchestrator.history.record import record

    with works.store.together():
        config = msgspec.structs.replace(first.config, layers=less, parents=[first.id], message="without web")
        without = record(works.names, works.keys, config, first, [first]).revision
    assert without.config.layer("web") is None
    back = revert(works.names, works.keys, "HEAD").revision
    assert back.config.layers == first.config.layers
    gone = revert(works.names, works.keys, "HEAD").revision
    assert gone.config.layers == without.config.layers


def test_packages_do_not_matter_to_a_revert(works: Works) -> None:
    first = works.history("one")[0]
    works.build("1.0.0", "web one", {**WEB, "gpl": ("1", "GPL-3.0-only")})
    works.commit("another licence")
    made = revert(works.names, works.keys, "HEAD").revision
    assert made.config.layers == first.config.layers
