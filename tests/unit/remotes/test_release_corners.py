# SPDX-License-Identifier: MIT
"""Releases where things are not as they should be: half signed, half here, unreadable, or gone in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import remotes
from orchestrator.history.gc import collect
from orchestrator.history.releases import current
from orchestrator.oci import Store, fsck
from orchestrator.oci.descriptor import INDEX_TYPE, MANIFEST_TYPE
from orchestrator.revision import Revision, read_release, revisions, set_candidate
from orchestrator.trust import SIGNATURE_TYPE, add_public_key, set_threshold
from tests.unit.registry.fake import Registry
from tests.unit.remotes.conftest import TWO, Site, make_revision
from tests.unit.remotes.test_releases import AMD, ARM, build, head, release

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture
def pushed(two: Callable[..., Site], registry: Registry) -> Site:
    """A site whose first commit is in a registry."""
    site = two("ours")
    site.run("remote", "add", "origin", f"{registry.host}/shop/device")
    build(site, "one")
    site.run("commit", "-m", "First")
    site.run("push")
    return site


@pytest.fixture
def colleague(two: Callable[..., Site], pushed: Site, registry: Registry) -> Site:
    """Another with the same keys, who has nothing yet."""
    site = two("theirs", keys="ours")
    site.run("remote", "add", "origin", f"{registry.host}/shop/device")
    return site


def test_no_head_moves_while_one_machines_revision_waits_for_signatures(two: Callable[..., Site]) -> None:
    ours, other = two("ours"), two("other")
    public = {site.folder: site.keys.public_keys()[0] for site in (ours, other)}
    for site, another in ((ours, other), (other, ours)):
        environment = {"PYCONTAINER_KEYS": str(site.keys_folder)}
        add_public_key("demo", "another", public[another.folder], environment=environment)
        set_threshold("demo", 2, environment=environment)
    build(ours, "one")
    told = ours.run("commit", "-m", "First", code=7).err
    second = Site(ours.folder, other.keys_folder, ours.call)
    amd, arm = (committed(ours, machine) for machine in (AMD, ARM))
    assert f"pycontainer sign {amd[7:19]}, pycontainer sign {arm[7:19]}" in told
    second.run("sign", amd[7:])
    told = ours.run("commit", "-m", "First", code=7).err
    assert f"revision {arm[7:19]} is made, and waits for signatures" in told
    assert (head(ours, AMD), head(ours, ARM)) == ("", "")
    ours.run("gc")
    second.run("sign", arm[7:])
    ours.run("commit", "-m", "First")
    assert (head(ours, AMD), head(ours, ARM)) == (amd, arm)

    build(ours, "two")
    ours.run("commit", "-m", "Second", code=7)
    second.run("sign", committed(ours, AMD, amd)[7:])
    ours.run("commit", "-m", "Second", code=7)
    assert (head(ours, AMD), head(ours, ARM)) == (amd, arm)
    assert fsck(ours.store).whole


def committed(site: Site, machine: str, *parents: str) -> str:
    """The id of the commit for a machine that comes from `parents`; a build's revision has no message."""
    found = []
    for entry in revisions(site.store):
        config = json.loads(site.store.read_blob(site.store.read_manifest(entry.digest).config.digest))
        if config["message"] and config["machine"] == machine and config["parents"] == list(parents):
            found.append(entry.digest)
    (one,) = found
    return one


def test_a_tag_of_a_release_stays_one_when_one_machine_is_fetched_again(pushed: Site, colleague: Site) -> None:
    pushed.run("tag", "v1")
    pushed.run("push", "--tags")
    colleague.run("fetch", "origin", "v1")
    colleague.run("fetch", "origin", "v1", "--machine", ARM)
    assert release(colleague, "v1") == release(pushed)
    kinds = {each["tag"]: each["kind"] for each in colleague.run("tag", "--json").json["tags"]}
    assert kinds == {"v1": "release"}


def test_a_release_is_found_by_its_id_too(two: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    site = two("site")
    build(site, "one")
    made = site.run("commit", "-m", "First", "--json").json["release"]
    short = made[7:15]
    assert site.run("show", short, "--json").json["release"] == made
    assert site.run("show", short, "--machine", ARM, "--json").json["revision"] == head(site, ARM)
    assert site.run("verify", short, "--json").json["passed"]
    site.run("tag", "v1", short)
    assert release(site, "v1") == release(site)
    build(site, "two")
    site.run("commit", "-m", "Second")
    site.run("tag", "-d", "v1")
    assert site.run("tag", "v1", short, "--json").json["release"] == made
    assert "no revision" in site.run("show", "0123456789", code=2).err
    monkeypatch.setattr("orchestrator.history.names.Names._ids", lambda names, digits: [f"sha256:{digits:0<64}"])
    assert "ambiguous" in site.run("show", short, code=2).err


def test_a_push_that_one_machine_refuses_moves_no_other(pushed: Site, colleague: Site, registry: Registry) -> None:
    colleague.run("pull")
    build(colleague, "theirs", ARM)
    colleague.run("commit", "-m", "Theirs")
    colleague.run("push")
    before = dict(registry.repo("shop/device").tags)
    build(pushed, "ours")
    pushed.run("commit", "-m", "Ours")
    refused = pushed.run("push", code=7).err
    assert f"main ({ARM}) at origin would lose revisions" in refused
    assert registry.repo("shop/device").tags == before
    assert f"main ({ARM}) has gone two ways" in pushed.run("pull", code=7).err


def _not_canonical(registry: Registry) -> None:
    """Let the channel's name stand for its release as another tool might write it anew."""
    data = registry.repo("shop/device").manifests[registry.repo("shop/device").tags["main"]]
    value = json.loads(data[1])
    value["annotations"]["org.example.copied"] = "yes"
    registry.put_json("shop/device", value, INDEX_TYPE, "main")


def _of_no_kind(registry: Registry) -> None:
    registry.put_json("shop/device", {"schemaVersion": 1, "name": "old"}, "application/x-old", "main")


@pytest.mark.parametrize("change", [_not_canonical, _of_no_kind])
def test_what_cannot_be_read_under_a_channels_name_hinders_nobody(
    pushed: Site, colleague: Site, registry: Registry, sites: Callable[..., Site],
    change: Callable[[Registry], None],
) -> None:  # fmt: skip
    change(registry)
    told = colleague.run("pull")
    assert "the release of main at origin was not taken" in told.err
    assert (head(colleague, AMD), head(colleague, ARM)) == (head(pushed, AMD), head(pushed, ARM))
    assert colleague.store.resolve("release/main") is None
    where = sites("where", keys="ours", empty=True)
    place = f"{registry.host}/shop/device"
    told = where.run("clone", place, "all", code=2).err
    assert "--machine" in told
    assert "the release of main there cannot be read" in told
    where.run("clone", place, "one", "--machine", ARM)
    assert where.run("ls-remote", place, "--json").json["names"]


def test_a_push_says_how_to_replace_what_cannot_be_read(pushed: Site, registry: Registry) -> None:
    _of_no_kind(registry)
    assert "the tag main is at origin already" in pushed.run("push", code=2).err
    assert pushed.run("push", "--force", "--json").json["release"] == registry.repo("shop/device").tags["main"]


def test_a_release_that_was_collected_before_the_pull_is_not_named(
    colleague: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = remotes.pull_all

    def after_a_collection(work: remotes.Work, fetched: Any, **more: Any) -> list[remotes.Pulled]:
        collect(Store.open(work.store.root))
        return real(work, fetched, **more)

    with monkeypatch.context() as patch:
        patch.setattr(remotes, "pull_all", after_a_collection)
        told = colleague.run("pull")
    assert "the release of main was not taken" in told.err
    assert head(colleague, ARM) and colleague.store.resolve("release/main") is None
    assert fsck(colleague.store).whole
    assert colleague.run("pull", "--json").json["releases"] == {"main": colleague.store.resolve("release/main").digest}
    assert release(colleague) == {AMD: head(colleague, AMD), ARM: head(colleague, ARM)}
    assert "of main" in colleague.run("pull").out


def test_a_channel_without_a_release_is_pushed_elsewhere_for_all_its_machines(pushed: Site) -> None:
    pushed.store.index.untag("release/main", keep=True)
    done = pushed.run("push", "origin", "main", "--channel", "stable", "--tag", "v1", "--json").json
    names = {each["name"]: each for each in pushed.run("ls-remote", "--json").json["names"]}
    assert names["v1"]["machines"] == {AMD: head(pushed, AMD), ARM: head(pushed, ARM)}
    assert [each["machine"] for each in done["machines"]] == [AMD, ARM]
    assert [each["revision"] for each in done["machines"]] == [head(pushed, AMD), head(pushed, ARM)]


def test_a_clone_tells_which_machines_the_release_lacks(
    two: Callable[..., Site], sites: Callable[..., Site], tmp_path: Path
) -> None:
    ours, place = two("ours"), tmp_path / "place"
    ours.run("remote", "add", "origin", place)
    build(ours, "one", ARM)
    ours.run("commit", "-m", "First")
    ours.run("push")
    old = Store.open(place).resolve("release/main")
    assert old is not None
    build(ours, "one", AMD)
    ours.run("commit", "-m", "Second")
    ours.run("push")
    Store.open(place).move("release/main", old)
    where = sites("where", keys="ours", empty=True)
    told = where.run("clone", place, "all").err
    assert f"the release of main has no {AMD}" in told


def test_where_one_machine_was_cloned_the_others_are_not_asked_for_in_vain(
    pushed: Site, sites: Callable[..., Site], registry: Registry
) -> None:
    where = sites("where", keys="ours", empty=True)
    told = where.run("clone", f"{registry.host}/shop/device", "one", "--machine", ARM).out
    assert " ".join(told.split()).endswith(f"build --machine {ARM}")
    site = Site(where.folder / "one", where.keys_folder, where.call)
    (site.folder / "pycontainer.yaml").write_text(TWO)  # the sources of these revisions name one machine
    for words in (("log",), ("show", "main"), ("verify", "main")):
        told = site.run(*words).out
        assert told == site.run(*words, "--machine", ARM).out
        assert AMD not in told
    assert f"--machine {ARM}" in site.run("sbom", "list", "--revision", "main", code=2).err


def test_heads_of_two_products_make_no_release(two: Callable[..., Site]) -> None:
    site = two("site")
    for machine, product in ((AMD, "demo"), (ARM, "shop")):
        made: Revision = make_revision(site.store, site.keys, product, machine=machine, product=product)
        site.store.move(f"channel/main/{machine}", made.descriptor)
    assert current(site.store, [AMD, ARM], "main") is None
    build(site, "two", AMD)
    done = site.run("commit", "--machine", AMD, "-m", "Second", "--json").json
    assert (done["release"], done["revision"]) == (None, head(site, AMD))


def test_nobody_signs_a_release_whose_revisions_are_not_what_it_says(two: Callable[..., Site]) -> None:
    site = two("site")
    build(site, "one")
    site.run("commit", "-m", "First")
    site.run("tag", "v1")
    entry = site.store.resolve("v1")
    assert entry is not None
    site.store.index.untag(f"sha256-{entry.digest[7:]}", keep=False)
    site.store.index.drop([each.digest for each in site.store.referrers(entry.digest)])
    lost = read_release(site.store, entry.digest).machines[ARM]
    site.store.blobs.path(site.store.read_manifest(lost).config.digest).unlink()
    site.run("sign", "v1", code=5)
    assert not site.store.referrers(entry.digest, SIGNATURE_TYPE)


def test_a_version_that_looks_like_markup_is_shown_as_it_is(two: Callable[..., Site], registry: Registry) -> None:
    site = two("site")
    for machine in (AMD, ARM):
        made = make_revision(
            site.store, site.keys, "one", message="", machine=machine, version="[/bold] :tada:",
            architecture=machine.partition("-")[2],
        )  # fmt: skip
        set_candidate(site.store, made)
    site.run("remote", "add", "origin", f"{registry.host}/shop/device")
    site.run("commit", "-m", "First")
    site.run("push")
    assert "[/bold] :tada:" in site.run("ls-remote").out


def test_no_tag_of_a_channels_name_is_taken(pushed: Site, colleague: Site, registry: Registry) -> None:
    """Somebody gave a revision the channel's name: it would be ambiguous here as soon as the channel goes on."""
    registry.repo("shop/device").tags["main"] = head(pushed, AMD)
    colleague.run("pull")
    assert colleague.store.resolve("main") is None
    build(colleague, "two")
    colleague.run("commit", "-m", "Second")
    assert colleague.run("show", "main", "--machine", AMD, "--json").json["revision"] == head(colleague, AMD)


def test_an_image_of_another_tool_under_the_name_is_left_alone(
    pushed: Site, colleague: Site, registry: Registry
) -> None:
    config = registry.put("shop/device", b"{}")
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": []}
    registry.put_json("shop/device", manifest, MANIFEST_TYPE, "main")
    colleague.run("pull")
    assert head(colleague, AMD) == head(pushed, AMD)
    assert colleague.store.resolve("main") is None
