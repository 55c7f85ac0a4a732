# SPDX-License-Identifier: MIT
"""A push never takes from others what they did while it ran, or committed where it goes without publishing it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.oci import Store
from orchestrator.remotes.layouts import LayoutPeer
from orchestrator.remotes.registries import RegistryPeer
from tests.unit.registry.fake import Registry
from tests.unit.remotes.conftest import HEAD, Site


@pytest.mark.parametrize("kind", ["store", "registry"])
def test_who_was_overtaken_is_refused(ours: Site, theirs: Site, registry: Registry, tmp_path: Path, kind: str):
    place = f"{registry.host}/shop/device" if kind == "registry" else tmp_path / "remote"
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    ours.commit("one")
    ours.run("push")
    theirs.run("pull")
    ours.commit("two")
    theirs_two = theirs.commit("other two")
    peer = RegistryPeer if kind == "registry" else LayoutPeer
    plain = peer.set_channel
    overtaken = []

    def late(self: LayoutPeer | RegistryPeer, *words: object, **more: object) -> bool:
        if not overtaken:
            overtaken.append(True)
            theirs.run("push")
        return plain(self, *words, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peer, "set_channel", late)
        refused = ours.run("push", code=7)
    assert "was moved meanwhile" in refused.err
    assert "pull, and push again" in refused.err
    names = ours.run("ls-remote", "--json").json["names"]
    assert [each["revision"] for each in names if each["kind"] == "channel"] == [theirs_two.id]


def test_what_was_committed_in_the_other_folder_is_not_lost(ours: Site, theirs: Site):
    ours.commit("one")
    theirs.run("remote", "add", "ours", ours.folder)
    theirs.run("pull", "ours")
    theirs.commit("two")
    theirs.run("push", "ours")
    assert ours.head() == theirs.head()
    local = ours.commit("not pushed")
    theirs.commit("three")
    refused = theirs.run("push", "ours", code=7)
    assert "was committed there and is not published yet" in refused.err
    assert ours.head() == local.id
    theirs.run("push", "ours", "--force")
    assert ours.head() == theirs.head()


def test_a_commit_there_while_a_push_runs_is_not_lost(ours: Site, theirs: Site):
    ours.commit("one")
    theirs.run("remote", "add", "ours", ours.folder)
    theirs.run("pull", "ours")
    theirs.commit("two")
    plain = LayoutPeer.set_channel
    made = []

    def late(self: LayoutPeer, *words: object, **more: object) -> bool:
        made.append(ours.commit("meanwhile").id)
        return plain(self, *words, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LayoutPeer, "set_channel", late)
        assert "was moved meanwhile" in theirs.run("push", "ours", code=7).err
    assert ours.head() == made[0]


@pytest.mark.parametrize("kind", ["store", "registry"])
def test_a_tag_of_a_colleague_is_not_moved(ours: Site, theirs: Site, registry: Registry, tmp_path: Path, kind: str):
    for site in (ours, theirs):
        site.run("remote", "add", "origin", f"{registry.host}/shop/device" if kind == "registry" else tmp_path / "r")
    first = ours.commit("one")
    ours.run("push", "--tag", "v1")
    theirs.run("pull")
    theirs.run("tag", "-d", "v1")
    second = theirs.commit("two")
    theirs.run("tag", "v1")

    def tagged() -> str:
        (found,) = [each for each in ours.run("ls-remote", "--json").json["names"] if each["kind"] == "tag"]
        return str(found["revision"])

    for words in (("push", "--tags"), ("push", "--tag", "v1"), ("push", "origin", "v1")):
        assert "the tag v1 is at origin already" in theirs.run(*words, code=2).err
        assert tagged() == first.id
    theirs.run("push", "--tags", "--force")
    assert tagged() == second.id


def test_looking_fetches_nothing_that_a_name_does_not_promise(
    ours: Site, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    place = f"{registry.host}/shop/device"
    ours.run("remote", "add", "origin", place)
    ours.commit("one")
    ours.run("push")
    revision = ours.store.resolve(HEAD)
    assert revision is not None
    registry.repo("shop/device").tags["channel.main.qemu-amd64"] = revision.digest
    brought: list[str] = []
    plain = RegistryPeer.bring

    def noted(self: RegistryPeer, digest: str, store: Store, tell: object) -> object:
        brought.append(digest)
        return plain(self, digest, store, tell)

    monkeypatch.setattr(RegistryPeer, "bring", noted)
    (channel,) = [each for each in ours.run("ls-remote", "--json").json["names"] if each["kind"] == "channel"]
    assert "not what its name says" in channel["problem"]
    assert revision.digest not in brought
