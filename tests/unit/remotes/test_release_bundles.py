# SPDX-License-Identifier: MIT
"""Bundles of a product with several machines: one file has the release and its revisions, and each takes its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.bundle import open_bundle, releases, verify
from orchestrator.canonical import hex_of
from orchestrator.cli import updates
from orchestrator.errors import ConfigError
from orchestrator.oci import fsck
from orchestrator.trust import SIGNATURE_TYPE, add_public_key, set_threshold
from tests.unit.bundle.conftest import OTHER
from tests.unit.device.conftest import device  # noqa: F401
from tests.unit.device.fake import Device
from tests.unit.remotes.conftest import Site
from tests.unit.remotes.test_releases import AMD, ARM, build, head, release

pytestmark = pytest.mark.usefixtures("no_waiting")
FORMS = ("stick.tar", "stick")


@pytest.fixture
def site(two: Callable[..., Site]) -> Site:
    """A product whose main is at its second release; the first one has the tag v1."""
    made = two("site")
    for content, tag in (("one", "v1"), ("two", "")):
        build(made, content)
        made.run("commit", "-m", content)
        if tag:
            made.run("tag", tag)
    return made


@pytest.mark.parametrize("form", FORMS)
def test_one_bundle_carries_the_release_to_whoever_clones_it(site: Site, two: Callable[..., Site], form: str) -> None:
    stick = site.folder / form
    made = site.run("bundle", "create", "main", "-o", stick, "--json").json
    assert made["revisions"] == [head(site, AMD), head(site, ARM)]
    assert made["releases"] == [site.store.resolve("release/main").digest]  # type: ignore[union-attr]
    checked = site.run("bundle", "verify", stick, "--json").json
    assert [(each["release"], each["keys"]) for each in checked["releases"]] == [
        (made["releases"][0], [key.keyid for key in site.keys.public_keys()])
    ]
    assert checked["unused"] == []
    listed = site.run("bundle", "ls", stick)
    assert f"release  {made['releases'][0][7:19]}  demo 1.0.0  for {AMD}, {ARM}  (main)" in listed.out

    other = two("other", keys="site", empty=True)
    other.run("clone", stick, "copy")
    copy = Site(other.folder / "copy", site.keys_folder, site.call)
    assert release(copy) == release(site)
    assert fsck(copy.store).whole
    one = two("one", keys="site", empty=True)
    one.run("clone", stick, "copy", "--machine", ARM)
    assert head(Site(one.folder / "copy", site.keys_folder, site.call), ARM) == head(site, ARM)


def test_an_earlier_release_is_brought_under_its_tag(site: Site, two: Callable[..., Site]) -> None:
    stick = site.folder / "v1.tar"
    made = site.run("bundle", "create", "v1", "-o", stick, "--json").json
    assert made["revisions"] == list(release(site, "v1").values())
    listed = {(each["kind"], each["name"]) for each in site.run("ls-remote", stick, "--json").json["names"]}
    assert {("release", "main"), ("tag", "v1")} <= listed
    other = two("other", keys="site", empty=True)
    other.run("clone", stick, "copy")
    copy = Site(other.folder / "copy", site.keys_folder, site.call)
    assert release(copy) == release(copy, "v1") == release(site, "v1")
    third = two("third", keys="site")
    assert third.run("fetch", stick, "v1", "--json").code == 0
    assert release(third, "v1") == release(site, "v1")


def test_a_release_whose_channel_moved_on_for_one_machine_is_cloned_whole(site: Site, two: Callable[..., Site]) -> None:
    before = release(site)
    site.run("tag", "v2")
    build(site, "three", ARM)
    site.run("commit", "-m", "three")
    stick = site.folder / "v2.tar"
    site.run("bundle", "create", "v2", "-o", stick)
    other = two("other", keys="site", empty=True)
    other.run("clone", stick, "copy")
    assert release(Site(other.folder / "copy", site.keys_folder, site.call), "v2") == before


def test_the_last_build_of_every_machine_makes_one_bundle(site: Site) -> None:
    found = build(site, "three")
    made = site.run("bundle", "create", "--json").json
    assert (made["revisions"], made["releases"]) == ([each.id for each in found], [])
    assert Path(made["bundle"]).name == f"demo-{found[0].short}.tar"
    with open_bundle(Path(made["bundle"])) as bundle:
        assert [bundle.select(machine=each).id for each in (AMD, ARM)] == made["revisions"]
        with pytest.raises(ConfigError, match="several revisions"):
            bundle.select()
        with pytest.raises(ConfigError, match="no revision for other"):
            bundle.select(machine="other")
    one = site.run("bundle", "create", "--machine", ARM, "--json").json
    assert one["revisions"] == [found[1].id]
    assert Path(one["bundle"]).name == f"demo-{ARM}-{found[1].short}.tar"


def test_a_machine_that_was_not_built_is_told(two: Callable[..., Site]) -> None:
    site = two("site")
    build(site, "one", ARM)
    done = site.run("bundle", "create")
    assert f"not in it: candidate for {AMD}, which has none" in done.out
    assert site.run("bundle", "create", "--json").json["absent"] == [AMD]


def test_a_name_that_each_machine_has_another_of_must_be_said(site: Site) -> None:
    for name in ("main~1", "HEAD^", "v1~0", "candidate~0"):
        refused = site.run("bundle", "create", name, "-o", "no.tar", code=2).err
        assert f"'{name}' is another revision for each machine" in refused
        assert f"--machine {AMD}" in refused
    assert not (site.folder / "no.tar").exists()
    made = site.run("bundle", "create", "main~1", "--machine", ARM, "--json").json
    assert made["revisions"] == [release(site, "v1")[ARM]]
    # An id is one machine's, and its bundle is called after that.
    made = site.run("bundle", "create", head(site, ARM)[7:19], "--json").json
    assert Path(made["bundle"]).name.startswith(f"demo-{ARM}-")


def test_each_machine_is_spared_what_its_own_base_has(site: Site) -> None:
    whole = site.run("bundle", "create", "main", "--json").json
    made = site.run("bundle", "create", "main", "--base", "v1", "-o", "delta.tar", "--json").json
    assert made["bases"] == list(release(site, "v1").values())
    assert made["blobs"] < whole["blobs"]
    checked = site.run("bundle", "verify", "delta.tar", "--json").json
    assert [each["base"] for each in checked["revisions"]] == made["bases"]
    assert all(each["absent"] for each in checked["revisions"])
    # What only one machine's devices have is here for the other's: they share most of their blobs.
    made = site.run("bundle", "create", "main", "--base", release(site, "v1")[AMD][7:], "-o", "half.tar", "--json").json
    checked = site.run("bundle", "verify", "half.tar", "--json").json
    assert [(each["base"] is None, each["absent"]) for each in checked["revisions"]] == [(False, []), (True, [])]


def test_a_release_that_lacks_signatures_makes_no_bundle(site: Site) -> None:
    add_public_key("demo", "other", OTHER.public, environment={"PYCONTAINER_KEYS": str(site.keys_folder)})
    set_threshold("demo", 2, environment={"PYCONTAINER_KEYS": str(site.keys_folder)})
    refused = site.run("bundle", "create", "main", "-o", "no.tar", code=7).err
    assert "the release of main waits for signatures" in refused
    assert "pycontainer sign main" in refused
    assert not (site.folder / "no.tar").exists()


def test_a_release_in_a_bundle_counts_by_its_signature_and_its_revisions(site: Site) -> None:
    site.run("bundle", "create", "main", "-o", "stick")
    index = site.folder / "stick" / "index.json"
    value = json.loads(index.read_bytes())
    (grouped,) = {each["digest"] for each in value["manifests"] if "index" in each["mediaType"]}
    unsigned = [
        each for each in value["manifests"]
        if (each["artifactType"], each.get("annotations", {}).get("vnd.pycontainer.subject"))
        != (SIGNATURE_TYPE, grouped)
    ]  # fmt: skip
    assert len(unsigned) == len(value["manifests"]) - 1
    index.write_text(json.dumps(value | {"manifests": unsigned}))
    assert f"release {grouped[7:19]} does not verify" in site.run("bundle", "verify", "stick", code=7).err

    lacking = [each for each in value["manifests"] if each["digest"] != head(site, ARM)]
    index.write_text(json.dumps(value | {"manifests": lacking}))
    assert "which is not in it" in site.run("bundle", "verify", "stick", code=5).err

    index.write_text(json.dumps(value))
    blob = site.folder / "stick" / "blobs" / "sha256" / hex_of(grouped)
    blob.write_bytes(blob.read_bytes().replace(b'"1.0.0"', b'"1.0.1"'))
    assert "is not whole" in site.run("bundle", "verify", "stick", code=5).err


def test_equal_inputs_give_equal_bytes(site: Site) -> None:
    for name in ("one.tar", "two.tar"):
        site.run("bundle", "create", "main", "v1", "-o", name)
    assert (site.folder / "one.tar").read_bytes() == (site.folder / "two.tar").read_bytes()
    with open_bundle(site.folder / "one.tar") as bundle:
        assert [each.names for each in releases(bundle)] == [("release/main",), ("v1",)]
        assert all(steps.passed for _, steps in verify(bundle, site.keys).releases)


def test_a_device_is_sent_the_revision_of_its_machine(site: Site, device: Device) -> None:  # noqa: F811
    site.run("bundle", "create", "main", "-o", "stick.tar")
    to = f"unix:{device.path}"
    # The fake device is a qemu-amd64.
    done = site.run("device", "--to", to, "install", "stick.tar", "--json").json
    assert done["revision"] == head(site, AMD)
    site.run("bundle", "create", "main", "--machine", ARM, "-o", "arm.tar")
    assert "the bundle is for another machine" in site.run("device", "--to", to, "install", "arm.tar", code=2).err


def test_a_virtual_machine_takes_its_own_of_a_bundle_for_several(site: Site) -> None:
    site.run("bundle", "create", "main", "-o", "stick.tar")
    stick = site.folder / "stick.tar"
    for machine in (AMD, ARM):
        assert updates.job(stick, stick, machine)
        assert updates.stick_job(stick, "STICK", machine)
    with pytest.raises(ConfigError, match="no revision for qemu-riscv64"):
        updates.job(stick, stick, "qemu-riscv64")
