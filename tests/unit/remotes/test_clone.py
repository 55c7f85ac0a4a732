# SPDX-License-Identifier: MIT
"""A product out of a remote: whole or not at all, and only on the word of keys that one has reason to believe."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.canonical import sha256_digest
from orchestrator.errors import TrustError
from orchestrator.history.source import SOURCE_TYPE, SourceFile, SourceList, attach_source
from orchestrator.oci import Store, fsck
from orchestrator.trust import load_keys
from orchestrator.trust.keyfiles import write_public
from tests.unit.registry.fake import Registry
from tests.unit.remotes.conftest import PRODUCT, Site, load


@pytest.fixture
def pushed(ours: Site, place: str) -> str:
    ours.run("remote", "add", "origin", place)
    ours.commit("one")
    ours.commit("two")
    ours.run("push", "--tag", "v1")
    return place


@pytest.fixture
def newcomer(sites: Callable[..., Site]) -> Site:
    """Somebody who knows nothing of the product."""
    return sites("newcomer", empty=True)


def cloned(newcomer: Site, ours: Site, folder: str = "demo") -> Site:
    return Site(newcomer.folder / folder, newcomer.keys_folder, newcomer.call)


def test_a_first_contact_shows_the_keys_and_believes_them_from_then_on(ours: Site, newcomer: Site, pushed: str):
    done = newcomer.run("clone", pushed)
    (key,) = ours.keys.public_keys()
    assert "first contact" in done.out
    assert key.keyid in done.out
    product = cloned(newcomer, ours)
    assert (product.folder / "pycontainer.yaml").read_text() == PRODUCT
    assert product.head() == ours.head()
    assert product.store.resolve("v1").digest == ours.head()
    assert fsck(product.store).whole
    known = load_keys("demo", environment={"PYCONTAINER_KEYS": str(newcomer.keys_folder)})
    assert [each.keyid for each in known.public_keys()] == [key.keyid]
    third = ours.commit("three")
    ours.run("push")
    assert product.run("pull", "--json").json["channels"][0]["outcome"] == "forward"
    assert product.head() == third.id
    assert not [path.name for path in newcomer.folder.iterdir() if path.name != "demo"]


def test_a_first_contact_brings_the_whole_history(ours: Site, newcomer: Site, pushed: str):
    got = newcomer.run("clone", pushed, "--json").json["channels"][0]
    assert got["revisions"] == 2
    assert got["moved"] > 0
    (parent,) = load(ours, ours.head()).config.parents
    assert load(cloned(newcomer, ours), parent).config.message == "one"
    assert "shallow" not in cloned(newcomer, ours).run("fsck").out


def test_who_demands_a_key_gets_what_it_signed_or_nothing(ours: Site, newcomer: Site, pushed: str, tmp_path: Path):
    (key,) = ours.keys.public_keys()
    refused = newcomer.run("clone", pushed, "--key", "0" * 16, code=7)
    assert "is not among" in refused.err
    assert list(newcomer.folder.iterdir()) == []
    assert not list(newcomer.keys_folder.rglob("*.json"))
    assert newcomer.run("clone", pushed, "--key", key.keyid[:12], "--json").json["trust"] == "first contact"
    (tmp_path / "key.pem").write_bytes(key.pem)
    other = Site(newcomer.folder, tmp_path / "keys-of-another", newcomer.call)
    done = other.run("clone", pushed, "again", "--key", tmp_path / "key.pem", "--json").json
    assert (done["trust"], done["keys"]) == ("given", [key.keyid])


def test_a_wrong_public_key_opens_nothing(newcomer: Site, sites: Callable[..., Site], pushed: str, tmp_path: Path):
    (wrong,) = sites("stranger").keys.public_keys()
    (tmp_path / "key.pem").write_bytes(wrong.pem)
    assert newcomer.run("clone", pushed, "--key", tmp_path / "key.pem", code=7).code == 7
    assert not (newcomer.folder / "demo").exists()


def test_who_knows_other_keys_of_the_product_is_warned(sites: Callable[..., Site], pushed: str):
    stranger = sites("stranger")
    assert stranger.keys.public_keys()
    assert "is refused" in stranger.run("clone", pushed, "copy", code=7).err
    assert not (stranger.folder / "copy").exists()


def test_a_folder_that_is_not_empty_is_left_alone(newcomer: Site, pushed: str):
    (newcomer.folder / "demo").mkdir()
    (newcomer.folder / "demo" / "file").write_text("mine")
    assert "is there already" in newcomer.run("clone", pushed, code=2).err
    (newcomer.folder / "demo" / "file").unlink()
    newcomer.run("clone", pushed)


def test_a_bare_clone_is_a_remote_for_others(ours: Site, newcomer: Site, theirs: Site, pushed: str):
    ours.commit("beta", channel="beta")
    ours.run("push", "origin", "beta")
    done = newcomer.run("clone", "--bare", pushed, "mirror", "--json").json
    assert sorted(each["channel"] for each in done["channels"]) == ["beta", "main"]
    assert fsck(Store.open(newcomer.folder / "mirror")).whole
    theirs.run("remote", "add", "origin", newcomer.folder / "mirror")
    assert theirs.run("pull", "--json").json["channels"][0]["revision"] == ours.head()
    theirs.commit("three")
    assert theirs.run("push", "--json").json["pointerVersion"] == 2


def test_an_interrupted_clone_goes_on(ours: Site, newcomer: Site, registry: Registry):
    ours.run("remote", "add", "origin", f"{registry.host}/shop/device")
    head = ours.commit("one")
    ours.run("push")
    web = next(blob for blob in head.blobs() if (blob.layer, blob.role) == ("web", "rootfs"))

    def breaks(handler) -> bool:
        if handler.command == "GET" and handler.path.endswith(web.digest):
            time.sleep(0.5)  # the others come meanwhile
            handler.send_error(404)
            return True
        return False

    registry.trouble = breaks
    assert newcomer.run("clone", f"{registry.host}/shop/device", code=3).code == 3
    assert not (newcomer.folder / "demo").exists()
    registry.trouble = None
    registry.seen.clear()
    came = {f"sha256:{path.name}" for path in (newcomer.folder / ".demo.clone/store/blobs/sha256").iterdir()}
    came &= {blob.digest for blob in head.blobs()}
    assert came
    newcomer.run("clone", f"{registry.host}/shop/device")
    assert not came & {each.path.rpartition("/")[2] for each in registry.asked("GET", "/blobs/")}
    assert fsck(cloned(newcomer, ours).store).whole


@pytest.mark.parametrize("form", ["demo.tar", "folder"])
def test_a_bundle_is_cloned_and_pulled_without_a_network(ours: Site, newcomer: Site, theirs: Site, form: str):
    ours.commit("one")
    second = ours.commit("two")
    stick = ours.folder / form
    ours.run("bundle", "create", "main", "main~1", "-o", stick)
    newcomer.run("clone", stick)
    assert cloned(newcomer, ours).head() == second.id
    got = theirs.run("pull", stick, "--json").json["channels"][0]
    assert (got["revision"], got["revisions"]) == (second.id, 2)
    assert "cannot be pushed to" in theirs.run("push", stick, code=2).err


def test_another_products_folder_is_a_remote(ours: Site, theirs: Site, newcomer: Site):
    ours.commit("one")
    assert newcomer.run("clone", ours.folder, "copy", "--json").json["channels"][0]["revision"] == ours.head()
    theirs.run("remote", "add", "origin", ours.folder)
    theirs.run("pull")
    theirs.commit("two")
    theirs.run("push")
    assert ours.head() == theirs.head()


def test_root_documents_travel_first(ours: Site, newcomer: Site, theirs: Site, place: str):
    ours.run("remote", "add", "origin", place)
    assert ours.keys.public_keys()
    ours.run("trust", "init")
    ours.commit("one")
    ours.run("push")
    (root,) = ours.keys.role("root").keys
    refused = newcomer.run("clone", place, "--key", "f" * 12, code=7)
    assert "no root document" in refused.err
    done = newcomer.run("clone", place, "--key", root.keyid[:12], "--json").json
    assert done["trust"] == "given"
    ours.run("key", "rotate", "signing")
    second = ours.commit("two")
    ours.run("push")
    product = cloned(newcomer, ours)
    assert product.run("pull", "--json").json["channels"][0]["revision"] == second.id


def test_a_source_that_somebody_else_attached_is_not_written(ours: Site, newcomer: Site, tmp_path: Path):
    place = tmp_path / "remote"
    ours.run("remote", "add", "origin", place)
    head = ours.commit("one")
    ours.run("push")
    remote = Store.open(place)
    evil = PRODUCT.replace("rootfs-debian", "evil").encode()
    listed = SourceList(1, [SourceFile("pycontainer.yaml", sha256_digest(evil), len(evil))])
    for entry in remote.referrers(head.id, SOURCE_TYPE):
        remote.index.drop([entry.digest])
    attach_source(remote, head, listed, {"pycontainer.yaml": evil})
    done = newcomer.run("clone", place)
    assert "did not sign were not taken" in done.err
    assert "carries no sources" in done.out
    assert not (newcomer.folder / "demo" / "pycontainer.yaml").exists()


def test_keys_that_were_pinned_half_are_not_believed(ours: Site, newcomer: Site, tmp_path: Path):
    assert ours.keys.public_keys()
    ours.run("key", "new", "second")
    ours.run("key", "threshold", "2")
    ours.run("remote", "add", "origin", tmp_path / "remote")
    ours.commit("one")
    ours.run("push")
    written = []

    def killed(product: str, folder: Path, name: str, *rest: object, **more: object) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(name)
        write_public(product, folder, name, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestrator.trust.keyfiles.write_public", killed)
        newcomer.call(newcomer, "clone", tmp_path / "remote")
    assert len(written) == 1
    with pytest.raises(TrustError, match="never be met"):
        load_keys("demo", environment={"PYCONTAINER_KEYS": str(newcomer.keys_folder)})
    assert "never be met" in newcomer.run("clone", tmp_path / "remote", code=7).err
    other = Site(newcomer.folder, tmp_path / "keys-of-another", newcomer.call)
    other.run("clone", tmp_path / "remote")
    known = load_keys("demo", environment={"PYCONTAINER_KEYS": str(other.keys_folder)})
    assert (known.threshold, known.public_keys()) == (2, ours.keys.public_keys())


def test_what_a_clone_left_that_was_killed_when_it_was_done_goes_with_the_next(ours: Site, newcomer: Site, pushed: str):
    newcomer.run("clone", pushed)
    (newcomer.folder / ".demo.clone").mkdir()
    (newcomer.folder / ".demo.clone.lock").touch()
    assert "is there already" in newcomer.run("clone", pushed, code=2).err
    assert [path.name for path in newcomer.folder.iterdir()] == ["demo"]
    (newcomer.folder / ".demo.clone" / "store").mkdir(parents=True)  # not done: the next one goes on with it
    (newcomer.folder / ".demo.clone.lock").touch()
    newcomer.run("clone", pushed, code=2)
    assert (newcomer.folder / ".demo.clone" / "store").is_dir()
