# SPDX-License-Identifier: MIT
"""Revisions go to a remote and come from it; channels move forward only, on the word of the product's keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.oci import fsck
from orchestrator.revision import SPDX_TYPE
from orchestrator.trust.channel import read_pointer
from tests.unit.registry.fake import Registry
from tests.unit.remotes.conftest import HEAD, PRODUCT, Site, make_revision

SEEN = "remote/origin/main/qemu-amd64"


def test_a_channel_goes_there_and_comes_to_a_colleague(ours: Site, theirs: Site, place: str):
    ours.run("remote", "add", "origin", place)
    theirs.run("remote", "add", "origin", place)
    ours.commit("one")
    second = ours.commit("two")
    done = ours.run("push", "--json").json
    assert (done["revision"], done["revisions"], done["pointerVersion"]) == (second.id, 2, 1)
    assert ours.run("push", "--json").json["unchanged"]
    got = theirs.run("pull", "--json").json["channels"][0]
    assert (got["revision"], got["outcome"], got["revisions"]) == (second.id, "new", 2)
    assert theirs.head() == second.id
    assert theirs.store.resolve(SEEN).digest == second.id
    assert fsck(theirs.store).whole
    assert len(theirs.store.referrers(second.id, SPDX_TYPE)) == 1
    third = theirs.commit("three")
    assert theirs.run("push", "--json").json["pointerVersion"] == 2
    assert ours.run("pull", "--json").json["channels"][0]["outcome"] == "forward"
    assert ours.head() == third.id
    assert ours.run("pull", "--json").json["channels"][0]["outcome"] == "same"


def test_what_would_lose_revisions_is_refused_unless_forced(ours: Site, theirs: Site, place: str):
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    base = ours.commit("one")
    ours.run("push")
    theirs.run("pull")
    mine, other = ours.commit("mine"), theirs.commit("other")
    theirs.run("push")
    refused = ours.run("push", code=7)
    assert "would lose revisions" in refused.err
    assert "pull" in refused.err
    diverged = ours.run("pull", code=7)
    assert "has gone two ways" in diverged.err
    assert f"since revision {base.short}" in diverged.err
    assert ours.head() == mine.id
    assert ours.store.resolve(SEEN).digest == other.id
    assert "does not come from" in ours.run("push", code=7).err
    forced = ours.run("push", "--force", "--json").json
    assert forced["forced"]
    assert theirs.run("pull", code=7).code == 7
    assert theirs.run("pull", "--reset", "--json").json["channels"][0]["outcome"] == "reset"
    assert theirs.head() == mine.id


def test_a_fetch_moves_no_local_channel_and_one_ahead_is_told(ours: Site, theirs: Site, place: str):
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    first = ours.commit("one")
    ours.run("push")
    assert theirs.run("fetch", "--json").json["channels"][0]["revision"] == first.id
    assert theirs.head() == ""
    theirs.run("pull")
    theirs.commit("two")
    theirs.commit("three")
    got = theirs.run("pull", "--json").json["channels"][0]
    assert (got["outcome"], got["ahead"]) == ("ahead", 2)
    assert "here are 2 revisions more" in theirs.run("pull").out


def test_what_strangers_signed_never_becomes_the_channel(ours: Site, sites: Callable[..., Site], place: str):
    stranger = sites("stranger")
    ours.run("remote", "add", "origin", place)
    stranger.run("remote", "add", "origin", place)
    ours.commit("one")
    ours.run("push")
    ours.commit("two")
    stranger.commit("evil")
    assert "is refused" in stranger.run("push", code=7).err
    evil = stranger.run("push", "--force", "--json").json
    refused = ours.run("pull", code=7)
    assert "channel signatures" in refused.err
    assert ours.run("push", code=7).code == 7
    assert evil["revision"] not in [entry.digest for entry in ours.store.entries()]
    ours.run("push", "--force")
    assert ours.run("pull", "--json").json["channels"][0]["outcome"] == "same"


def test_a_remote_that_is_set_back_is_found_out(ours: Site, theirs: Site, registry: Registry):
    for site in (ours, theirs):
        site.run("remote", "add", "origin", f"{registry.host}/shop/device")
    ours.commit("one")
    ours.run("push")
    repo = registry.repo("shop/device")
    tag = "channel.main.qemu-amd64"
    old = repo.tags[tag]
    ours.commit("two")
    ours.run("push")
    theirs.run("pull")
    repo.tags[tag] = old
    assert "a downgrade" in theirs.run("pull", code=7).err
    assert "a downgrade" in ours.run("push", code=7).err


def test_a_revision_goes_alone_with_a_tag(ours: Site, theirs: Site, place: str):
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    first = ours.commit("one")
    ours.commit("two")
    ours.store.tag("v1", first.descriptor)
    done = ours.run("push", "origin", "v1", "--json").json
    assert (done["channel"], done["tags"], done["revision"]) == (None, ["v1"], first.id)
    assert "has no channel" in theirs.run("pull", code=2).err
    listed = ours.run("ls-remote", "--json").json["names"]
    assert [(each["kind"], each["name"], each["revision"]) for each in listed] == [("tag", "v1", first.id)]
    promoted = ours.run("push", "origin", first.short, "--channel", "stable", "--json").json
    assert promoted["channel"] == "stable"
    assert theirs.run("pull", "origin", "stable", "--json").json["channels"][0]["revision"] == first.id


def test_ls_remote_says_what_signatures_are_worth(ours: Site, sites: Callable[..., Site], place: str):
    stranger = sites("stranger")
    ours.run("remote", "add", "origin", place)
    first = ours.commit("one")
    ours.run("push", "--tag", "v1")
    names = ours.run("ls-remote", "--json").json["names"]
    assert [(each["kind"], each["name"], each["signed"]) for each in names] == [
        ("channel", "main", "valid"),
        ("tag", "v1", "valid"),
    ]
    assert first.short in ours.run("ls-remote").out
    assert stranger.keys.public_keys()
    assert "not known here" in stranger.run("ls-remote", place).out
    assert stranger.run("ls-remote", place, "--json").json["names"][0]["signed"] == "unknown key"


def test_depth_ends_a_history(ours: Site, theirs: Site, place: str):
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    revisions = [ours.commit(str(number)) for number in range(4)]
    ours.run("push")
    got = theirs.run("pull", "--depth", 2, "--json").json["channels"][0]
    assert got["revisions"] == 2
    assert theirs.store.has_blob(revisions[2].id)
    assert not theirs.store.has_blob(revisions[1].id)
    newest = ours.commit("more")
    ours.run("push")
    assert theirs.run("pull", "--json").json["channels"][0]["outcome"] == "forward"
    assert theirs.head() == newest.id


def test_nothing_committed_is_said(ours: Site, place: str):
    ours.run("remote", "add", "origin", place)
    assert ours.store.tags() == {}
    assert "pycontainer commit" in ours.run("push", code=2).err


def test_without_a_private_key_only_revisions_go(ours: Site, theirs: Site, place: str, tmp_path: Path):
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    ours.commit("one")
    ours.run("push")
    theirs.run("pull")
    second = make_revision(theirs.store, ours.keys, "two", parents=[theirs.head()])
    theirs.store.tag(HEAD, second.descriptor)
    for private in ours.keys_folder.rglob("*.key.pem"):
        private.rename(tmp_path / private.name)
    assert "nobody here can sign" in theirs.run("push", code=7).err
    assert theirs.run("push", "origin", second.short, "--json").json["channel"] is None


def test_the_product_file_names_the_registry_for_all(sites: Callable[..., Site], registry: Registry):
    site = sites("shared", product=f"registry: {registry.host}/shop/device\n" + PRODUCT)
    site.commit("one")
    assert site.run("push", "--json").json["remote"] == "origin"
    listed = site.run("remote", "ls", "--json").json["remotes"]
    assert (listed[0]["from"], listed[0]["kind"]) == ("product", "registry")
    assert "take 'registry' out" in site.run("remote", "rm", "origin", code=2).err


def test_the_pointer_that_was_issued_is_the_one_that_is_pushed_again(ours: Site, registry: Registry):
    ours.run("remote", "add", "origin", f"{registry.host}/shop/device")
    ours.commit("one")

    def breaks(handler) -> bool:
        if handler.command == "PUT" and handler.path.endswith("/manifests/channel.main.qemu-amd64"):
            handler.send_error(500)
            return True
        return False

    registry.trouble = breaks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestrator.registry.patience.Patience.delay", lambda self, attempt: 0.0)
        assert ours.run("push", code=3).code == 3
    registry.trouble = None
    own = ours.store.resolve("channel.pointer/main/qemu-amd64")
    assert ours.run("push", "--json").json["pointerVersion"] == 1
    assert registry.repo("shop/device").tags["channel.main.qemu-amd64"] == own.digest
    assert read_pointer(ours.store, own.digest).pointer.version == 1


@pytest.mark.parametrize("what", ["a revision", "a document", "another channel's", "a page", "something cut"])
def test_a_channel_that_stands_for_something_else_is_refused(ours: Site, theirs: Site, registry: Registry, what: str):
    for site in (ours, theirs):
        site.run("remote", "add", "origin", f"{registry.host}/shop/device")
    ours.commit("one")
    ours.run("push")
    theirs.run("pull")
    second = ours.commit("two")
    ours.commit("two", channel="beta")
    ours.run("push")
    ours.run("push", "origin", "beta")
    repo = registry.repo("shop/device")
    tag = "channel.main.qemu-amd64"
    (document,) = ours.store.referrers(second.id, SPDX_TYPE)
    wrong = {
        "a revision": second.id,
        "a document": document.digest,
        "another channel's": repo.tags["channel.beta.qemu-amd64"],
    }
    if what in wrong:
        repo.tags[tag] = wrong[what]
    else:
        kind, data = repo.manifests[repo.tags[tag]]
        repo.manifests[repo.tags[tag]] = (kind, b"<html></html>" if what == "a page" else data[:-5])
    before, head = theirs.store.index.path.read_bytes(), theirs.head()
    done = theirs.call(theirs, "pull")
    assert done.code in (3, 5, 7), done.err
    assert "Traceback" not in done.err
    assert theirs.store.index.path.read_bytes() == before
    assert theirs.head() == head
    assert fsck(theirs.store).whole


def test_a_push_removes_what_a_killed_one_left_in_the_remote(ours: Site, tmp_path: Path):
    ours.run("remote", "add", "origin", tmp_path / "remote")
    ours.commit("one")
    ours.run("push")
    (tmp_path / "remote" / ".tmp" / ("0" * 32)).write_bytes(b"half a blob")
    ours.run("ls-remote", "origin")
    assert list((tmp_path / "remote" / ".tmp").iterdir())
    ours.run("push")
    assert not list((tmp_path / "remote" / ".tmp").iterdir())
