# SPDX-License-Identifier: MIT
"""Revisions go to a remote and come from it; channels move forward only, on the word of the product's keys."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
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
    assert "has no channel main for qemu-amd64" in theirs.run("pull", code=2).err
    assert "has no channel main\n" in theirs.run("clone", place, "copy", code=2).err
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


def test_a_depth_deepens_a_history_that_is_not_whole(ours: Site, theirs: Site, place: str):
    ours.run("remote", "add", "origin", place)
    theirs.run("remote", "add", "origin", place)
    for number in range(4):
        ours.commit(f"number {number}")
    ours.run("push")
    theirs.run("pull", "--depth", 1)
    assert "--depth" in theirs.run("revert", "HEAD", code=2).err
    assert theirs.run("pull", "--json").json["channels"][0]["revisions"] == 0
    assert theirs.run("pull", "--depth", 3, "--json").json["channels"][0]["revisions"] == 2
    assert theirs.run("pull", "--depth", 9, "--json").json["channels"][0]["revisions"] == 1
    assert "shallow" not in theirs.run("fsck").out


def test_each_tag_that_is_sent_is_shown_with_its_own_revision(ours: Site, place: str):
    ours.run("remote", "add", "origin", place)
    first = ours.commit("one")
    ours.commit("two")
    ours.run("tag", "v1", "main~1")
    shown = ours.run("push", "--tags").out
    assert next(line for line in shown.splitlines() if line.startswith("v1")).split()[1] == first.short


CHANGES = [
    pytest.param([("key", "new", "second"), ("key", "threshold", 2)], id="two must sign"),
    pytest.param([("trust", "init")], id="the channel gets a key of its own"),
    pytest.param([("key", "rotate", "signing"), ("key", "rm", "signing", "--yes")], id="another key"),
]


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("commands", CHANGES)
def test_after_a_change_of_keys_a_push_signs_the_channel_anew(
    ours: Site, place: str, commands: list[tuple[object, ...]], moved: bool
):
    ours.run("remote", "add", "origin", place)
    ours.commit("one")
    ours.run("push")
    for words in commands:
        ours.run(*words)
    if moved:
        ours.commit("two")
    else:
        ours.run("sign", "HEAD")
    done = ours.run("push")
    assert "is signed anew" in done.err
    assert "version 2" in done.out
    assert "up to date" in ours.run("push").out
    channel = next(each for each in ours.run("ls-remote", "--json").json["names"] if each["kind"] == "channel")
    assert (channel["pointerVersion"], channel["signed"]) == (2, "valid")


def test_after_a_change_of_keys_what_others_pushed_with_the_old_ones_is_refused(
    ours: Site, theirs: Site, place: str, tmp_path: Path
):
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    ours.commit("one")
    ours.run("push")
    shutil.copytree(ours.keys_folder, tmp_path / "keys-old")
    theirs = replace(theirs, keys_folder=tmp_path / "keys-old")
    theirs.run("pull")
    theirs.commit("two")
    theirs.run("push")
    ours.run("key", "new", "second")
    ours.run("key", "threshold", 2)
    ours.commit("mine")
    assert "1 of the 2 keys of the channel" in ours.run("push", code=7).err


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


@pytest.mark.parametrize("word", ["push", "pull", "reset"])
def test_a_head_of_before_is_found_by_the_beginning_of_its_id(ours: Site, theirs: Site, place: str, word: str):
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    first = ours.commit("one", version="1.0.0")
    ours.run("push")
    theirs.run("pull")
    site = ours if word == "push" else theirs
    if word == "reset":
        first = theirs.commit("mine")
    ours.store.index.untag("channel/main/qemu-amd64", keep=True)  # as a commit moves a head
    ours.commit("two", parents=[ours.store.resolve("remote/origin/main/qemu-amd64").digest])
    ours.run("push")
    if word != "push":
        theirs.run("pull", *(["--reset"] if word == "reset" else []))
    assert site.run("show", first.id[7:19], "--json").json


def test_a_push_removes_what_a_killed_one_left_in_the_remote(ours: Site, tmp_path: Path):
    ours.run("remote", "add", "origin", tmp_path / "remote")
    ours.commit("one")
    ours.run("push")
    (tmp_path / "remote" / ".tmp" / ("0" * 32)).write_bytes(b"half a blob")
    ours.run("ls-remote", "origin")
    assert list((tmp_path / "remote" / ".tmp").iterdir())
    ours.run("push")
    assert not list((tmp_path / "remote" / ".tmp").iterdir())
