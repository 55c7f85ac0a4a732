# SPDX-License-Identifier: MIT
"""Sources that a remote slips in: under another name, attached to another revision, or by a fetch that was killed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.canonical import sha256_digest
from orchestrator.history.source import SOURCE_TYPE, SourceFile, SourceList, attach_source
from orchestrator.oci import Store
from orchestrator.oci.copying import copy_family
from orchestrator.remotes.layouts import LayoutPeer
from orchestrator.remotes.registries import RegistryPeer
from orchestrator.revision import Revision
from orchestrator.trust import SIGNATURE_TYPE
from tests.unit.registry.fake import INDEX, Handler, Registry
from tests.unit.remotes.conftest import PRODUCT, Site

POINTER = "channel.main.qemu-amd64"


def attach_evil(store: Store, revision: Revision) -> str:
    """Attach a source that nobody signed in place of the right one; returns its digest."""
    for entry in store.referrers(revision.id, SOURCE_TYPE):
        store.index.drop([entry.digest])
    data = PRODUCT.replace("rootfs-debian", "evil").encode()
    listed = SourceList(1, [SourceFile("pycontainer.yaml", sha256_digest(data), len(data))])
    return attach_source(store, revision, listed, {"pycontainer.yaml": data}).digest


def sources(site: Site, revision: Revision) -> list[str]:
    return [entry.digest for entry in site.store.referrers(revision.id, SOURCE_TYPE)]


def put(registry: Registry, store: Store, digest: str) -> None:
    """Put a manifest with its blobs into the registry, as whoever keeps it can."""
    repo = registry.repo("shop/device")
    manifest = store.read_manifest(digest)
    repo.manifests[digest] = (manifest.media_type, store.read_blob(digest))
    for part in (manifest.config, *manifest.layers):
        repo.blobs[part.digest] = store.read_blob(part.digest)


def shared(ours: Site, theirs: Site, place: object) -> Revision:
    """Let theirs have a revision of ours by a remote."""
    for site in (ours, theirs):
        site.run("remote", "add", "origin", place)
    one = ours.commit("one")
    ours.run("push")
    theirs.run("pull")
    return one


@pytest.mark.parametrize("kind", ["registry", "store"])
def test_a_source_under_the_name_of_a_pointer(ours: Site, theirs: Site, registry: Registry, tmp_path: Path, kind: str):
    one = shared(ours, theirs, f"{registry.host}/shop/device" if kind == "registry" else tmp_path / "remote")
    right = sources(theirs, one)
    assert len(right) == 1
    evil = attach_evil(ours.store, one)
    if kind == "registry":
        put(registry, ours.store, evil)
        registry.repo("shop/device").tags[POINTER] = evil
    else:
        remote = Store.open(tmp_path / "remote")
        copy_family(ours.store, remote, evil)
        remote.tag("channel.pointer/main/qemu-amd64", next(e for e in remote.entries() if e.digest == evil).plain())
    for words in (("pull",), ("fetch",), ("push", "--force")):
        theirs.call(theirs, *words)
        assert sources(theirs, one) == right


def test_a_source_among_the_signatures_of_another_revision(ours: Site, theirs: Site, registry: Registry):
    one = shared(ours, theirs, f"{registry.host}/shop/device")
    right = sources(theirs, one)
    two = ours.commit("two")
    ours.run("push")
    evil = attach_evil(ours.store, one)
    put(registry, ours.store, evil)
    size = len(ours.store.read_blob(evil))

    def lies(handler: Handler) -> bool:
        if f"/referrers/{two.id}" not in handler.path:
            return False
        entries = [
            {"mediaType": each.media_type, "digest": each.digest, "size": each.size, "artifactType": each.artifact_type}
            for each in ours.store.referrers(two.id)
        ]
        kind = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": SIGNATURE_TYPE}
        entries.append({**kind, "digest": evil, "size": size})
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        handler.reply(200, body, content_type=INDEX)
        return True

    registry.trouble = lies
    theirs.run("pull")
    assert theirs.head() == two.id
    assert sources(theirs, one) == right
    assert len(sources(theirs, two)) == 1


@pytest.mark.parametrize("further", [False, True])
def test_a_source_that_came_before_a_fetch_was_killed(ours: Site, theirs: Site, tmp_path: Path, further: bool):
    shared(ours, theirs, tmp_path / "remote")
    two = ours.commit("two")
    if further:
        ours.commit("three")
    ours.run("push")
    remote = Store.open(tmp_path / "remote")
    attach_evil(remote, two)
    copy_family(remote, theirs.store, two.id)  # and then the power failed
    done = theirs.run("pull")
    assert "did not sign were not taken" in done.err
    assert theirs.head() == ours.head()
    assert sources(theirs, two) == []


def test_a_fetch_that_fails_leaves_no_source_behind(
    ours: Site, theirs: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    one = shared(ours, theirs, tmp_path / "remote")
    right = sources(theirs, one)
    attach_evil(Store.open(tmp_path / "remote"), one)

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("orchestrator.remotes.bringing.drop_unsealed", interrupted)
        assert theirs.call(theirs, "fetch").code != 0
    assert sources(theirs, one) == right


@pytest.mark.parametrize("kind", ["registry", "store"])
def test_a_signature_of_no_sane_size_is_not_brought(
    ours: Site, theirs: Site, registry: Registry, tmp_path: Path, kind: str
):
    one = shared(ours, theirs, f"{registry.host}/shop/device" if kind == "registry" else tmp_path / "remote")
    two = ours.commit("two")
    blob = ours.store.put_blob(b"\0" * (1 << 20), media_type="application/octet-stream")
    large = ours.store.attach(two.descriptor, SIGNATURE_TYPE, [blob])
    ours.run("push")
    brought: list[str] = []
    peer = RegistryPeer if kind == "registry" else LayoutPeer
    plain = peer.bring

    def noted(self: RegistryPeer | LayoutPeer, digest: str, *rest: object) -> object:
        brought.append(digest)
        return plain(self, digest, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peer, "bring", noted)
        theirs.run("fetch")
    assert two.id in brought
    assert large.digest not in brought
    assert one.id not in brought
