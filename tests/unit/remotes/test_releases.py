# SPDX-License-Identifier: MIT
"""A product with two machines: its commits make a signed release, which travels with its revisions under one name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.oci import Store, fsck
from orchestrator.oci.descriptor import INDEX_TYPE, MANIFEST_TYPE
from orchestrator.registry import parse_reference, pull
from orchestrator.revision import RELEASE_TYPE, Revision, read_release, revisions, set_candidate
from orchestrator.trust import (
    SIGNATURE_TYPE,
    add_public_key,
    set_threshold,
    sign_release,
    verify_release,
)
from tests.unit.registry.fake import Registry
from tests.unit.remotes.conftest import Site, make_revision

AMD, ARM = "qemu-amd64", "qemu-arm64"


pytestmark = pytest.mark.usefixtures("no_waiting")


def build(site: Site, content: str, *machines: str, **facts: int) -> list[Revision]:
    """Let the last build of machines be `content`: candidates without history, as builds make them."""
    found = []
    for machine in machines or (AMD, ARM):
        architecture = machine.partition("-")[2]
        more = {"message": "", "machine": machine, "architecture": architecture} | facts
        made = make_revision(site.store, site.keys, content, **more)
        set_candidate(site.store, made)
        found.append(made)
    return found


def head(site: Site, machine: str, channel: str = "main") -> str:
    found = site.store.resolve(f"channel/{channel}/{machine}")
    return found.digest if found else ""


def release(site: Site, name: str = "release/main") -> dict[str, str]:
    """The revisions by machine of what a tag stands for, which must be signed and whole."""
    entry = site.store.resolve(name)
    assert entry is not None
    assert (entry.media_type, entry.artifact_type) == (INDEX_TYPE, RELEASE_TYPE)
    verify_release(site.store, entry.digest, site.keys.public_keys(), 1, product="demo")
    return read_release(site.store, entry.digest).machines


def test_a_commit_records_every_machine_and_groups_them(two: Callable[..., Site]) -> None:
    site = two("site")
    build(site, "one")
    done = site.run("commit", "-m", "First", "--json").json
    assert [each["machine"] for each in done["machines"]] == [AMD, ARM]
    assert release(site) == {AMD: head(site, AMD), ARM: head(site, ARM)}
    assert done["release"] == site.store.resolve("release/main").digest
    data = json.loads(site.store.read_blob(done["release"]))
    assert [each["platform"]["architecture"] for each in data["manifests"]] == ["amd64", "arm64"]
    assert fsck(site.store).whole

    build(site, "two", ARM)
    before = head(site, AMD)
    done = site.run("commit", "-m", "Second", "--json").json
    assert [each["machine"] for each in done["machines"]] == [ARM]
    assert head(site, AMD) == before
    assert release(site) == {AMD: before, ARM: head(site, ARM)}
    assert "nothing to commit" in site.run("commit", "-m", "Third", code=2).err

    build(site, "three", AMD)
    assert site.run("commit", "--machine", AMD, "-m", "Third", "--json").json["release"] is not None
    assert release(site) == {AMD: head(site, AMD), ARM: head(site, ARM)}


def test_a_commit_that_one_machine_refuses_records_none(two: Callable[..., Site]) -> None:
    site = two("site")
    build(site, "one", security_version=2)
    site.run("commit", "-m", "First")
    before = (head(site, AMD), head(site, ARM), release(site))
    build(site, "two", AMD, security_version=2)
    build(site, "two", ARM, security_version=1)
    assert "the security version would go down" in site.run("commit", "-m", "Second", code=7).err
    assert (head(site, AMD), head(site, ARM), release(site)) == before


def test_a_machine_that_was_not_built_is_told_and_left_out(two: Callable[..., Site]) -> None:
    site = two("site")
    build(site, "one", ARM)
    assert "not built, and as before: qemu-amd64" in site.run("commit", "-m", "First").out
    assert release(site) == {ARM: head(site, ARM)}


def test_a_product_with_one_machine_has_no_release(ours: Site) -> None:
    made = make_revision(ours.store, ours.keys, "one", message="")
    set_candidate(ours.store, made)
    assert ours.run("commit", "-m", "First", "--json").json["release"] is None
    assert ours.store.resolve("release/main") is None


def test_one_name_of_a_remote_leads_to_every_machine(two: Callable[..., Site], place: str, tmp_path: Path) -> None:
    ours, theirs = two("ours"), two("theirs", keys="ours")
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    build(ours, "one")
    ours.run("commit", "-m", "First")
    ours.run("tag", "v1")
    done = ours.run("push", "--tags", "--json").json
    assert [each["machine"] for each in done["machines"]] == [AMD, ARM]
    assert done["release"] == ours.store.resolve("release/main").digest
    assert ours.run("push", "--tags", "--json").json["unchanged"]

    got = theirs.run("pull", "--json").json["channels"]
    assert [each["machine"] for each in got] == [AMD, ARM]
    assert release(theirs) == release(theirs, "v1") == release(ours)
    assert fsck(theirs.store).whole
    assert theirs.run("show", "v1", "--machine", ARM, "--json").json["revision"] == head(ours, ARM)

    listed = {(each["kind"], each["name"]): each for each in ours.run("ls-remote", "--json").json["names"]
              if each["kind"] != "channel"}  # fmt: skip
    assert listed["release", "main"]["machines"] == listed["tag", "v1"]["machines"] == release(ours)
    assert {each["signed"] for each in listed.values()} == {"valid"}
    assert not listed["release", "main"]["behind"]
    assert set(listed) == {("release", "main"), ("tag", "v1")}

    build(theirs, "two", ARM)
    theirs.run("commit", "-m", "Second")
    theirs.run("push")
    ours.run("pull")
    assert release(ours) == {AMD: head(ours, AMD), ARM: head(theirs, ARM)}
    assert release(ours, "v1")[ARM] != head(ours, ARM)


def test_a_pull_for_one_machine_brings_no_other(two: Callable[..., Site], place: str) -> None:
    ours, theirs = two("ours"), two("theirs", keys="ours")
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    build(ours, "one")
    ours.run("commit", "-m", "First")
    ours.run("push")
    theirs.run("pull", "--machine", ARM)
    assert (head(theirs, AMD), head(theirs, ARM)) == ("", head(ours, ARM))
    assert not theirs.store.has_blob(head(ours, AMD))
    assert theirs.store.resolve("release/main") is None
    assert fsck(theirs.store).whole
    build(theirs, "two", ARM)
    theirs.run("commit", "--machine", ARM, "-m", "Second")
    assert theirs.run("push", "--machine", ARM, "--json").json["release"] is None
    seen = {each["name"]: each for each in theirs.run("ls-remote", "--json").json["names"] if each["kind"] == "release"}
    assert seen["main"]["behind"] == [ARM]
    ours.run("pull")
    assert head(ours, ARM) == head(theirs, ARM)
    assert ours.run("push", "--json").json["release"] == ours.store.resolve("release/main").digest
    assert release(ours)[ARM] == head(theirs, ARM)
    seen = {each["name"]: each for each in theirs.run("ls-remote", "--json").json["names"] if each["kind"] == "release"}
    assert seen["main"]["behind"] == []


def test_a_clone_brings_all_machines_or_one(two: Callable[..., Site], sites: Callable[..., Site], place: str) -> None:
    ours = two("ours")
    ours.run("remote", "add", "origin", place)
    build(ours, "one")
    ours.run("commit", "-m", "First")
    ours.run("push")
    where = sites("where", keys="ours", empty=True)
    done = where.run("clone", place, "all", "--json").json
    assert [each["machine"] for each in done["channels"]] == [AMD, ARM]
    cloned = Site(where.folder / "all", where.keys_folder, where.call)
    assert release(cloned) == release(ours)
    assert fsck(cloned.store).whole
    one = where.run("clone", place, "one", "--machine", ARM, "--json").json
    assert [each["machine"] for each in one["channels"]] == [ARM]
    bare = Site(where.folder / "bare", where.keys_folder, where.call)
    where.run("clone", "--bare", place, "bare")
    assert (bare.folder / "oci-layout").is_file()


def test_who_believes_nothing_yet_clones_by_the_release_too(two: Callable[..., Site], sites: Callable[..., Site],
                                                            place: str) -> None:  # fmt: skip
    ours = two("ours")
    ours.run("remote", "add", "origin", place)
    build(ours, "one")
    ours.run("commit", "-m", "First")
    ours.run("push")
    stranger = sites("stranger", empty=True)
    done = stranger.run("clone", place, "copy", "--json").json
    assert done["trust"] == "first contact"
    assert [each["machine"] for each in done["channels"]] == [AMD, ARM]


def forge(store: Store, stranger: Site) -> str:
    """Sign the release of a store anew by a stranger's keys alone; returns its id."""
    entry = store.resolve("release/main")
    assert entry is not None
    store.index.untag(f"sha256-{entry.digest[7:]}", keep=False)
    store.index.drop([each.digest for each in store.referrers(entry.digest)])
    assert not store.referrers(entry.digest, SIGNATURE_TYPE)
    sign_release(store, read_release(store, entry.digest), stranger.keys.signers())
    return entry.digest


def test_a_release_that_others_signed_is_refused(two: Callable[..., Site], tmp_path: Path) -> None:
    """The remote is a store whose release a stranger signed: what the channels say is right, and the index is not."""
    ours, stranger = two("ours"), two("stranger")
    place = tmp_path / "place"
    ours.run("remote", "add", "origin", place)
    build(ours, "one")
    ours.run("commit", "-m", "First")
    ours.run("push")
    release_id = forge(Store.open(place), stranger)
    theirs = two("theirs", keys="ours")
    theirs.run("remote", "add", "origin", place)
    refused = theirs.run("pull", code=7)
    assert f"release {release_id[7:19]} does not verify" in refused.err
    assert head(theirs, AMD) == ""
    listed = [each for each in theirs.run("ls-remote", "--json").json["names"] if each["kind"] == "release"]
    assert listed[0]["signed"] == "unknown key"
    where = two("where", keys="ours", empty=True)
    assert where.run("clone", place, "copy", code=7).err
    assert not (where.folder / "copy").exists()


def test_a_release_of_other_revisions_than_the_channels_counts_for_nothing(
    two: Callable[..., Site], registry: Registry
) -> None:
    """Whoever can write to a registry can put an older release, which is signed, under the name: nobody goes back."""
    ours, theirs = two("ours"), two("theirs", keys="ours")
    place = f"{registry.host}/shop/device"
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    build(ours, "one")
    ours.run("commit", "-m", "First")
    ours.run("push")
    old = registry.repo("shop/device").tags["main"]
    build(ours, "two")
    ours.run("commit", "-m", "Second")
    ours.run("push")
    assert registry.repo("shop/device").tags["main"] != old
    registry.repo("shop/device").tags["main"] = old
    theirs.run("pull")
    assert (head(theirs, AMD), head(theirs, ARM)) == (head(ours, AMD), head(ours, ARM))
    assert theirs.store.resolve("release/main") is None
    assert ours.run("push", "--json").json["release"] == registry.repo("shop/device").tags["main"] != old


def test_a_name_that_somebody_else_gave_is_not_taken_away(two: Callable[..., Site], registry: Registry) -> None:
    ours = two("ours")
    ours.run("remote", "add", "origin", f"{registry.host}/shop/device")
    config = registry.put("shop/device", b"{}")
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": []}
    image = registry.put_json("shop/device", manifest, MANIFEST_TYPE, "main")
    build(ours, "one")
    ours.run("commit", "-m", "First")
    assert "the tag main is at origin already" in ours.run("push", code=2).err
    assert registry.repo("shop/device").tags["main"] == image["digest"]
    assert not [tag for tag in registry.repo("shop/device").tags if tag.startswith("channel.")]
    ours.run("push", "--force")
    assert registry.repo("shop/device").tags["main"] == ours.store.resolve("release/main").digest


def test_a_program_pulls_a_machine_by_the_tag_alone_or_all(
    two: Callable[..., Site], sites: Callable[..., Site], registry: Registry
) -> None:
    ours = two("ours")
    ours.run("remote", "add", "origin", f"{registry.host}/shop/device")
    build(ours, "one")
    ours.run("commit", "-m", "First")
    ours.run("tag", "v1")
    ours.run("push", "origin", "v1")
    assert "channel.main.qemu-amd64" not in registry.repo("shop/device").tags
    reference = parse_reference(f"{registry.host}/shop/device:v1")
    one, everything = sites("one"), sites("all")
    done = pull(reference, one.store, machine=ARM)
    assert done.digest == head(ours, ARM)
    assert not one.store.has_blob(head(ours, AMD))
    done = pull(reference, everything.store)
    assert read_release(everything.store, done.digest).machines == release(ours)
    assert len(everything.store.referrers(done.digest, SIGNATURE_TYPE)) == 1
    assert fsck(everything.store).whole
    with pytest.raises(Exception, match="has no revision for other"):
        pull(reference, one.store, machine="other")


def test_a_release_becomes_that_of_another_channel(two: Callable[..., Site], place: str) -> None:
    ours, theirs = two("ours"), two("theirs", keys="ours")
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    build(ours, "one")
    ours.run("commit", "-m", "First")
    ours.run("tag", "v1")
    ours.run("push")
    ours.run("push", "origin", "v1", "--channel", "stable")
    theirs.run("pull", "origin", "stable")
    assert release(theirs, "release/stable") == release(ours)
    assert head(theirs, ARM, "stable") == head(ours, ARM)


def test_a_revision_that_a_channel_is_set_to_is_not_told_as_another(two: Callable[..., Site], place: str) -> None:
    """The channel here is not what is pushed there: its release must not go, nor a tag stand for it."""
    ours = two("ours")
    ours.run("remote", "add", "origin", place)
    build(ours, "one")
    ours.run("commit", "-m", "First")
    ours.run("commit", "--channel", "stable", "-m", "First")
    first = head(ours, AMD)[7:]
    build(ours, "two")
    ours.run("commit", "-m", "Second")
    done = ours.run("push", "origin", first, "--channel", "stable", "--tag", "old", "--json").json
    assert done["release"] is None
    seen = {each["name"]: each for each in ours.run("ls-remote", "--json").json["names"]}
    assert set(seen) == {"stable", "old"}
    assert seen["old"]["revision"] == seen["stable"]["revision"] == done["revision"]


def test_a_tag_alone_brings_every_machine_or_one(two: Callable[..., Site], place: str) -> None:
    ours, theirs, third = two("ours"), two("theirs", keys="ours"), two("third", keys="ours")
    for site in (ours, theirs, third):
        site.run("remote", "add", "origin", place)
    build(ours, "one")
    ours.run("commit", "-m", "First")
    build(ours, "two")
    ours.run("commit", "-m", "Second")
    ours.run("tag", "v2")
    ours.run("push", "origin", "v2")
    (got,) = theirs.run("fetch", "origin", "v2", "--machine", ARM, "--json").json["tags"]
    assert (got["release"], got["machines"], got["revisions"]) == (None, {ARM: head(ours, ARM)}, 2)
    assert theirs.store.resolve("v2").digest == head(ours, ARM)
    assert not theirs.store.has_blob(head(ours, AMD))
    assert fsck(theirs.store).whole
    (got,) = theirs.run("fetch", "origin", "v2", "--json").json["tags"]
    assert got["release"] == ours.store.resolve("v2").digest
    assert release(theirs, "v2") == release(ours)
    theirs.run("gc")
    assert release(theirs, "v2") == release(ours)
    assert "release " in third.run("fetch", "origin", "v2").out
    build(third, "other")
    third.run("commit", "-m", "Other")
    third.run("tag", "v2", "--force")
    assert "is another one here" in third.run("fetch", "origin", "v2", code=2).err
    assert "no revision for qemu-other" in theirs.run("fetch", "origin", "v2", "--machine", "qemu-other", code=2).err
    assert "no channel v2" in theirs.run("pull", "origin", "v2", code=2).err


def test_a_tag_whose_release_others_signed_brings_nothing(two: Callable[..., Site], tmp_path: Path) -> None:
    ours, theirs, stranger = two("ours"), two("theirs", keys="ours"), two("stranger")
    place = tmp_path / "place"
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    build(ours, "one")
    ours.run("commit", "-m", "First")
    ours.run("tag", "v1")
    ours.run("push", "--tags")
    forge(Store.open(place), stranger)
    assert "does not verify" in theirs.run("fetch", "origin", "v1", code=7).err
    assert not theirs.store.has_blob(head(ours, AMD))
    assert theirs.store.resolve("v1") is None


def test_what_commands_say_of_a_release(two: Callable[..., Site]) -> None:
    site = two("site")
    build(site, "one")
    site.run("commit", "-m", "First")
    site.run("tag", "v1")
    shown = site.run("show", "main").out
    assert "linux/arm64/v8" in shown
    assert "(main, tag: v1)" in shown
    data = site.run("show", "v1", "--json").json
    assert [each["revision"] for each in data["revisions"]] == [head(site, AMD), head(site, ARM)]
    assert "release: main, tag: v1" in site.run("log", "--machine", ARM, "--oneline").out
    assert "for qemu-amd64, qemu-arm64" in site.run("tag").out
    verified = site.run("verify", "v1", "--json").json
    assert verified["passed"]
    assert [each["revision"] for each in verified["revisions"]] == [head(site, AMD), head(site, ARM)]
    assert "are signed by" in site.run("sign", "candidate").out
    assert "and its revisions are signed by" in site.run("sign", "main").out
    checked = site.run("fsck", "--json").json
    assert (checked["releases"], checked["whole"], checked["unsigned"]) == (1, True, [])
    site.run("revert", "--to", "HEAD", "-m", "x", code=2)


def test_rubbish_goes_and_what_a_release_leads_to_stays(two: Callable[..., Site]) -> None:
    site = two("site")
    build(site, "one")
    site.run("commit", "-m", "First")
    site.run("tag", "v1")
    build(site, "two")
    site.run("commit", "-m", "Second")
    between = site.store.resolve("release/main").digest
    build(site, "three")
    site.run("commit", "-m", "Third")
    kept = [head(site, AMD), head(site, ARM), *release(site, "v1").values()]
    site.run("gc", "--keep", "1")
    assert not site.store.has_blob(between)
    assert not site.store.referrers(between)
    assert release(site) and release(site, "v1")
    for digest in kept:
        for part in site.store.read_manifest(digest).layers:
            assert site.store.has_blob(part.digest, part.size)
    checked = site.run("fsck", "--json").json
    assert (checked["whole"], checked["releases"], checked["unreachable"]) == (True, 2, [])
    site.run("tag", "-d", "v1")
    site.run("gc", "--keep", "1")
    assert site.run("fsck", "--json").json["releases"] == 1


def test_a_damaged_release_is_found(two: Callable[..., Site]) -> None:
    site = two("site")
    build(site, "one")
    site.run("commit", "-m", "First")
    path = site.store.blob_path(site.store.resolve("release/main").digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"qemu-arm64", b"qemu-arm46"))
    assert not site.run("fsck", "--json", code=5).json["whole"]
    assert site.run("verify", "main", code=5).err


def test_two_who_must_sign_do_so_one_after_the_other(two: Callable[..., Site]) -> None:
    ours, other = two("ours"), two("other")
    pairs = [(ours, other), (other, ours)]
    public = {site.folder: site.keys.public_keys()[0] for site in (ours, other)}
    for site, another in pairs:
        environment = {"PYCONTAINER_KEYS": str(site.keys_folder)}
        add_public_key("demo", "another", public[another.folder], environment=environment)
        set_threshold("demo", 2, environment=environment)
    build(ours, "one")
    waiting = ours.run("commit", "-m", "First", code=7)
    assert "waits for signatures" in waiting.err
    assert ours.store.resolve("release/main") is None
    second = Site(ours.folder, other.keys_folder, ours.call)
    for entry in revisions(ours.store):
        second.run("sign", entry.digest[7:])
    done = ours.run("commit", "-m", "First", "--json").json
    assert done["releaseWaits"].startswith("1 of the 2")
    assert ours.store.resolve("release/main") is None
    ours.run("gc")
    assert "waits for signatures" in ours.run("tag", "v1", code=7).err
    assert second.run("sign", "main", "--json").json["waits"] == ""
    assert ours.store.resolve("release/main").digest == done["release"]
    assert ours.run("verify", "main", "--json").json["passed"]
    assert len(ours.run("verify", "main", "--json").json["keys"]) == 2
