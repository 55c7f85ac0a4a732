# SPDX-License-Identifier: MIT
"""What commands do to a product with several machines: to all of them or none, to the one named, never to a guess."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.canonical import sha256_digest
from orchestrator.history.record import state
from orchestrator.history.source import SourceFile, SourceList, attach_source
from orchestrator.oci import Store, fsck
from orchestrator.registry.revisions import COSIGN_TYPE, cosign_tag
from orchestrator.revision import Revision, read_revision
from orchestrator.trust import add_public_key, pointers, set_threshold
from tests.unit.bundle.conftest import OTHER
from tests.unit.registry.fake import Registry
from tests.unit.remotes.conftest import PRODUCT, TWO, Site
from tests.unit.remotes.test_releases import AMD, ARM, build, head, release

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture
def site(two: Callable[..., Site]) -> Site:
    """A product whose main is at its second release; the first one has the tag v1."""
    made = two("site")
    for content in ("one", "two"):
        build(made, content)
        made.run("commit", "-m", content)
        if content == "one":
            made.run("tag", "v1")
    return made


def loaded(site: Site, machine: str, channel: str = "main") -> Revision:
    return read_revision(site.store, head(site, machine, channel))


def pointed(site: Site, channel: str) -> dict[str, str]:
    return {
        each.pointer.machine: each.pointer.revision for each in pointers(site.store) if each.pointer.channel == channel
    }


# ---- channel


def test_a_channel_moves_for_every_machine_and_its_release_with_it(site: Site) -> None:
    done = site.run("channel", "set", "stable", "v1", "--floor", "0", "--json").json
    assert [(each["machine"], each["version"]) for each in done["machines"]] == [(AMD, 1), (ARM, 1)]
    assert pointed(site, "stable") == release(site, "v1") == release(site, "release/stable")
    assert done["release"] == site.store.resolve("v1").digest  # type: ignore[union-attr]
    assert f"channel stable for {ARM}" in site.run("channel", "set", "stable", "main").out
    assert pointed(site, "stable") == release(site) == release(site, "release/stable")

    # One machine goes back by itself; the release says so.
    site.run("channel", "set", "stable", "v1", "--machine", ARM, "--force")
    assert pointed(site, "stable") == {AMD: head(site, AMD), ARM: release(site, "v1")[ARM]}
    assert release(site, "release/stable") == pointed(site, "stable")
    rows = site.run("channel").out
    assert AMD in rows and ARM in rows
    assert {each["machine"] for each in site.run("channel", "--json").json["channels"]} == {AMD, ARM}
    one = site.run("channel", "--machine", ARM, "--json").json["channels"]
    assert [each["machine"] for each in one] == [ARM]
    shown = site.run("channel", "show", "stable", "--json").json["machines"]
    assert [(each["machine"], each["verification"]["passed"]) for each in shown] == [(AMD, True), (ARM, True)]
    assert fsck(site.store).whole


def test_what_one_machines_channel_refuses_moves_none(site: Site) -> None:
    site.run("channel", "set", "stable", "main")
    before = (pointed(site, "stable"), release(site, "release/stable"))
    build(site, "three", ARM)
    site.run("commit", "-m", "three")
    site.run("channel", "set", "stable", "main", "--machine", ARM, "--floor", "0")
    # For the other machine this would lead back.
    assert "would lose revisions" in site.run("channel", "set", "stable", "v1", code=2).err
    assert pointed(site, "stable")[AMD] == before[0][AMD]
    assert release(site, "release/stable") == {AMD: head(site, AMD), ARM: head(site, ARM)}


def test_a_floor_that_one_machine_is_below_moves_none(site: Site) -> None:
    build(site, "three", ARM, security_version=3)
    site.run("commit", "-m", "three")
    assert "is below the floor" in site.run("channel", "set", "stable", "main", "--floor", "3", code=7).err
    assert pointed(site, "stable") == {}
    assert site.store.resolve("release/stable") is None


def test_a_revision_moves_the_channel_of_its_own_machine(site: Site) -> None:
    wanted = release(site, "v1")[ARM]
    site.run("channel", "set", "beta", wanted[7:])
    assert pointed(site, "beta") == {ARM: wanted}
    assert head(site, AMD, "beta") == ""
    assert f"is for {ARM}" in site.run("channel", "set", "beta", wanted[7:], "--machine", AMD, code=2).err
    assert "is another revision for each machine" in site.run("channel", "set", "beta", "main~1", code=2).err


def test_signers_of_a_channel_sign_it_for_every_machine(site: Site) -> None:
    site.run("channel", "set", "stable", "main")
    done = site.run("channel", "sign", "stable", "--json").json
    assert [each["machine"] for each in done["machines"]] == [AMD, ARM]
    assert "has no pointer" in site.run("channel", "sign", "none", code=2).err


# ---- revert


def test_a_commit_is_undone_for_every_machine(site: Site) -> None:
    done = site.run("revert", "HEAD", "--json").json
    assert [each["machine"] for each in done["machines"]] == [AMD, ARM]
    assert release(site) == {AMD: head(site, AMD), ARM: head(site, ARM)}
    first = release(site, "v1")
    for machine in (AMD, ARM):
        made = loaded(site, machine)
        assert state(made.config) == state(read_revision(site.store, first[machine]).config)
        assert made.config.message.startswith('Revert "two"')
    assert fsck(site.store).whole


def test_a_whole_release_comes_back(site: Site) -> None:
    build(site, "three", ARM)
    site.run("commit", "-m", "three")
    site.run("revert", "--to", "v1")
    for machine, revision in release(site, "v1").items():
        assert state(loaded(site, machine).config) == state(read_revision(site.store, revision).config)
    assert "nothing to revert" in site.run("revert", "--to", "v1", code=2).err
    # What one machine has already stays as it is.
    site.run("revert", "--to", release(site, "v1")[AMD][7:], "--machine", AMD, code=2)
    build(site, "four", ARM)
    site.run("commit", "-m", "four", "--machine", ARM)
    before = head(site, AMD)
    assert f"as before: {AMD}" in site.run("revert", "--to", "v1").out
    assert head(site, AMD) == before


def test_what_different_commits_recorded_is_not_undone_as_one(site: Site) -> None:
    build(site, "three", ARM)
    site.run("commit", "-m", "three")
    before = (head(site, AMD), head(site, ARM))
    refused = site.run("revert", "HEAD", code=2).err
    assert f'{AMD}: "two"; {ARM}: "three"' in refused
    assert f"--machine {AMD}" in refused
    assert (head(site, AMD), head(site, ARM)) == before
    site.run("revert", "HEAD", "--machine", ARM)
    assert head(site, AMD) == before[0]


def test_an_id_is_undone_where_it_belongs(site: Site) -> None:
    before = head(site, AMD)
    undone = head(site, ARM)
    site.run("revert", undone[7:19])
    assert head(site, AMD) == before
    assert loaded(site, ARM).config.parents == [undone]
    assert f"is for {ARM}" in site.run("revert", undone[7:19], "--machine", AMD, code=2).err


def test_none_goes_back_while_signatures_are_missing(site: Site) -> None:
    environment = {"PYCONTAINER_KEYS": str(site.keys_folder)}
    add_public_key("demo", "other", OTHER.public, environment=environment)
    set_threshold("demo", 2, environment=environment)
    before = (head(site, AMD), head(site, ARM))
    assert "each waits for signatures" in site.run("revert", "HEAD", code=7).err
    assert (head(site, AMD), head(site, ARM)) == before


def test_the_first_commit_has_nothing_before_it_for_any_machine(two: Callable[..., Site]) -> None:
    site = two("site")
    build(site, "one")
    site.run("commit", "-m", "First")
    assert "is the first one" in site.run("revert", "HEAD", code=2).err


# ---- sign


def cosigned(store: Store, digest: str) -> int:
    return len(store.referrers(digest, COSIGN_TYPE))


def test_cosign_gets_the_release_and_every_revision(site: Site, registry: Registry) -> None:
    done = site.run("sign", "main", "--cosign", "--json").json
    grouped = done["release"]
    assert [each["machine"] for each in done["machines"]] == [AMD, ARM]
    ids = [grouped, *(each["revision"] for each in done["machines"])]
    assert ids[1:] == list(release(site).values())
    assert [cosigned(site.store, each) for each in ids] == [1, 1, 1]
    assert done["cosign"] == site.store.referrers(grouped, COSIGN_TYPE)[0].digest
    steps = site.run("verify", "main", "--json").json["steps"]
    assert [each["outcome"] for each in steps if each["name"].startswith("cosign")] == ["passed"]
    site.run("remote", "add", "origin", f"{registry.host}/shop/device")
    site.run("push")
    there = registry.repo("shop/device").tags
    assert there[cosign_tag(grouped)] == done["cosign"]
    assert all(cosign_tag(each) in there for each in ids)


def test_the_last_build_is_signed_for_every_machine(site: Site) -> None:
    found = build(site, "three")
    done = site.run("sign", "--cosign", "--json").json
    assert [each["revision"] for each in done["machines"]] == [each.id for each in found]
    assert [cosigned(site.store, each.id) for each in found] == [1, 1]
    one = site.run("sign", "v1", "--cosign", "--machine", ARM, "--json").json
    assert (one["revision"], len(one["machines"])) == (release(site, "v1")[ARM], 1)
    assert cosigned(site.store, release(site, "v1")[AMD]) == 0
    assert "is another revision for each machine" in site.run("sign", "main~1", code=2).err


# ---- those that only look


def test_every_machine_is_shown(site: Site) -> None:
    build(site, "three", ARM)
    status = site.run("status", "--json").json
    assert [(each["machine"], bool(each["changes"]["layers"])) for each in status["machines"]] == [
        (AMD, False), (ARM, True)
    ]  # fmt: skip
    assert status["clean"] is False
    out = site.run("status").out
    assert f"machine {AMD}" in out and f"machine {ARM}" in out
    logged = site.run("log", "--json").json["revisions"]
    assert {each["revision"] for each in logged} == {*release(site).values(), *release(site, "v1").values()}
    assert [each["names"] for each in logged if each["revision"] == head(site, ARM)] == [
        ["HEAD -> main", "release: main"]
    ]
    assert f"1.0.0 for {ARM}  two" in site.run("log", "--oneline").out
    assert {each["machine"] for each in site.run("log", "--machine", ARM, "--json").json["revisions"]} == {ARM}
    diff = site.run("diff", "v1", "main", "--json").json
    assert [(each["machine"], each["before"], each["after"]) for each in diff["machines"]] == [
        (machine, release(site, "v1")[machine], head(site, machine)) for machine in (AMD, ARM)
    ]
    told = site.run("diff", "v1", "main").out
    assert told.index(f"for {AMD}:") < told.index(f"for {ARM}:")
    assert site.run("diff", "v1", head(site, ARM)[7:], "--json").json["before"] == release(site, "v1")[ARM]
    assert "machines" not in site.run("diff", "v1", "main", "--machine", ARM, "--json").json
    shown = site.run("show", "main~1", "--json").json["revisions"]
    assert [each["revision"] for each in shown] == list(release(site, "v1").values())
    verified = site.run("verify", "--json").json
    assert [each["passed"] for each in verified["revisions"]] == [True, True]


def test_no_name_is_given_to_one_machines_revision_in_silence(site: Site) -> None:
    site.run("remote", "add", "origin", site.folder.parent / "remote")
    for words in (("tag", "v0", "main~1"), ("tag", "v0", "candidate"), ("push", "origin", "main~1"),
                  ("push", "origin", "candidate", "--tag", "v0")):  # fmt: skip
        assert "is another revision for each machine" in site.run(*words, code=2).err
    assert site.store.resolve("v0") is None
    site.run("tag", "v0", "main~1", "--machine", ARM)
    assert site.store.resolve("v0").digest == release(site, "v1")[ARM]  # type: ignore[union-attr]
    assert [each["revision"] for each in site.run("push", "origin", "v0", "--json").json["machines"]] == [
        release(site, "v1")[ARM]
    ]


def test_a_history_that_is_shorter_for_one_machine_is_seen_as_far_as_it_goes(site: Site) -> None:
    build(site, "three", ARM)
    site.run("commit", "-m", "three")
    assert [each["machine"] for each in site.run("show", "main~1", "--json").json["revisions"]] == [AMD, ARM]
    assert site.run("show", "main~2", "--json").json["machine"] == ARM
    assert "has no parent" in site.run("show", "main~3", code=2).err


def sourced(site: Site, revision: str, lock: bytes, text: str = TWO) -> None:
    """Let a revision have been made of a product file, and of pins that its build resolved."""
    content = {"pycontainer.yaml": text.encode(), "pycontainer.lock": lock}
    files = [
        SourceFile(path, sha256_digest(data), len(data), resolved=path.endswith("lock"))
        for path, data in sorted(content.items())
    ]
    attach_source(site.store, read_revision(site.store, revision), SourceList(1, files), content)


def test_a_checkout_takes_what_all_machines_have_and_the_pins_of_none(site: Site) -> None:
    for machine, revision in release(site).items():
        sourced(site, revision, machine.encode())
    told = site.run("checkout", "main", "--into", "all").out
    assert "no pins were written" in told
    assert (site.folder / "all" / "pycontainer.yaml").read_text() == TWO
    assert not (site.folder / "all" / "pycontainer.lock").exists()
    site.run("checkout", "main", "--into", "one", "--machine", ARM)
    assert (site.folder / "one" / "pycontainer.lock").read_text() == ARM
    sourced(site, head(site, ARM), b"", PRODUCT)
    assert "were built from different sources" in site.run("checkout", "main", "--into", "no", code=2).err


def test_a_clone_has_no_machines_pins(site: Site, two: Callable[..., Site]) -> None:
    for machine, revision in release(site).items():
        sourced(site, revision, machine.encode())
    site.run("push", site.folder.parent / "remote")
    other = two("other", keys="site", empty=True)
    other.run("clone", site.folder.parent / "remote", "copy")
    assert (other.folder / "copy" / "pycontainer.yaml").read_text() == TWO
    assert not (other.folder / "copy" / "pycontainer.lock").exists()
    other.run("clone", site.folder.parent / "remote", "one", "--machine", ARM)
    assert (other.folder / "one" / "pycontainer.lock").read_text() == ARM
