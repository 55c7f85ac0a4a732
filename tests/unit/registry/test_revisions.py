# SPDX-License-Identifier: MIT
"""Revisions go to a registry and come back whole, each step before what refers to it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orchestrator.canonical import canonical_json
from orchestrator.errors import FetchError, TryAgainError, VerificationError
from orchestrator.oci import MANIFEST_TYPE, Store, fsck
from orchestrator.oci.layout import ATTACHED_LIMIT
from orchestrator.registry import Places, Reference, Remote, Repository, Web, immutable_tag, pull, push
from tests.unit.registry.conftest import make_revision
from tests.unit.registry.fake import Handler, Registry, digest_of

REVISION = "application/vnd.pycontainer.revision.v1"


def names(store: Store) -> set[str]:
    return {path.name for path in store.blobs.folder.iterdir()}


@pytest.mark.parametrize("referrers", [True, False], ids=["referrers interface", "fallback tag"])
def test_a_revision_and_its_attachments_come_back_as_they_were(
    registry: Registry, web: Web, store: Store, other: Store, reference: Reference, referrers: bool
):
    registry.referrers = referrers
    revision = make_revision(store)
    sent = push(store, revision.digest, reference.repository, ["stable"], web=web)
    # The revision, two documents and the chunk index of its large blob; the empty config is one blob.
    assert (sent.manifests, sent.blobs) == (4, 7)
    got = pull(reference, other, artifact_type=REVISION, web=web)
    assert got.digest == revision.digest
    assert got.moved == sent.moved
    assert names(other) == names(store)
    assert fsck(other).whole
    assert {each.digest for each in other.referrers(revision.digest)} == {
        each.digest for each in store.referrers(revision.digest)
    }


def test_what_is_there_is_not_sent_or_fetched_again(
    registry: Registry, web: Web, store: Store, other: Store, reference: Reference
):
    revision = make_revision(store)
    push(store, revision.digest, reference.repository, ["stable"], web=web)
    pull(reference, other, web=web)
    registry.seen.clear()
    assert push(store, revision.digest, reference.repository, ["stable"], web=web).moved == 0
    assert pull(reference, other, web=web).moved == 0
    assert not [each for each in registry.seen if each.method in ("PUT", "POST", "PATCH")]
    assert not registry.asked("GET", "/blobs/")


def test_tags_come_last_and_blobs_first(registry: Registry, web: Web, store: Store, reference: Reference):
    revision = make_revision(store)
    push(store, revision.digest, reference.repository, ["stable", "1.2"], web=web)
    puts = [each.path.rpartition("/")[2] for each in registry.asked("PUT", "/manifests/")]
    assert puts[0] == revision.digest
    assert puts[-3:] == [immutable_tag(revision.digest), "stable", "1.2"]
    last_blob = max(i for i, each in enumerate(registry.seen) if each.method == "PUT" and "/blobs/" in each.path)
    first_manifest = min(
        i for i, each in enumerate(registry.seen) if each.method == "PUT" and "/manifests/" in each.path
    )
    assert last_blob < first_manifest


def test_blobs_of_another_repository_are_mounted(registry: Registry, web: Web, store: Store, reference: Reference):
    revision = make_revision(store)
    push(store, revision.digest, Repository(registry.host, "shop/base"), web=web)
    registry.seen.clear()
    sent = push(store, revision.digest, reference.repository, mount_from=["shop/base"], web=web)
    assert sent.moved == 0
    assert not registry.asked("PATCH")


def test_a_mount_that_fails_is_an_upload(registry: Registry, web: Web, store: Store, reference: Reference):
    revision = make_revision(store)
    sent = push(store, revision.digest, reference.repository, mount_from=["shop/nothing"], web=web)
    assert sent.moved > 3_000_000
    assert revision.digest in registry.repo("shop/web").manifests


def test_lists_of_referrers_and_tags_are_read_page_by_page(
    registry: Registry, web: Web, store: Store, remote: Remote, reference: Reference
):
    revision = make_revision(store, 10, attached=5)
    push(store, revision.digest, reference.repository, ["a", "b", "c"], web=web)
    registry.page = 2
    assert len(remote.referrers(revision.digest)) == 5
    assert remote.tags() == ["a", "b", "c", immutable_tag(revision.digest)]
    assert len(registry.asked("GET", "/referrers/")) >= 3


def test_two_who_attach_at_once_lose_nothing(registry: Registry, web: Web, store: Store, reference: Reference):
    registry.referrers = False
    revision = make_revision(store, 10, attached=1)
    push(store, revision.digest, reference.repository, web=web)
    fallback = revision.digest.replace(":", "-")
    rival = store.put_blob(b"rival")
    once = []

    def meanwhile(handler: Handler) -> bool:
        if handler.command == "PUT" and handler.path.endswith(fallback) and not once:
            once.append(True)
            value = json.loads(registry.repo("shop/web").manifests[registry.repo("shop/web").tags[fallback]][1])
            entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": rival.digest, "size": 5}
            value["manifests"].append(entry)
            registry.put_json("shop/web", value, "application/vnd.oci.image.index.v1+json", fallback)
        return False

    registry.trouble = meanwhile
    store.attach(revision, "application/x", [store.put_blob(b"late")])
    push(store, revision.digest, reference.repository, web=web)
    registry.trouble = None
    repo = registry.repo("shop/web")
    listed = {each["digest"] for each in json.loads(repo.manifests[repo.tags[fallback]][1])["manifests"]}
    assert rival.digest in listed
    assert {each.digest for each in store.referrers(revision.digest)} <= listed


def test_an_attachment_that_belongs_to_another_is_left_out(
    registry: Registry, web: Web, store: Store, other: Store, reference: Reference
):
    registry.referrers = False
    revision = make_revision(store, 10, attached=1)
    stranger = make_revision(store, 20, attached=1)
    push(store, revision.digest, reference.repository, ["stable"], web=web)
    push(store, stranger.digest, reference.repository, web=web)
    repo = registry.repo("shop/web")
    mine, theirs = (each.digest.replace(":", "-") for each in (revision, stranger))
    both = [*(json.loads(repo.manifests[repo.tags[tag]][1])["manifests"][0] for tag in (mine, theirs))]
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": both}
    registry.put_json("shop/web", index, "application/vnd.oci.image.index.v1+json", mine)
    assert pull(reference, other, web=web).manifests == 2
    assert not other.has_blob(both[1]["digest"])


def test_what_is_too_large_to_be_attached_stays_where_it_is(
    registry: Registry, web: Web, store: Store, other: Store, reference: Reference
):
    revision = make_revision(store)
    push(store, revision.digest, reference.repository, ["stable"], web=web)
    taken = len(store.referrers(revision.digest))
    empty = store.put_blob(b"{}", media_type="application/vnd.oci.empty.v1+json")
    endless = {"mediaType": "application/octet-stream", "digest": "sha256:" + "e" * 64, "size": ATTACHED_LIMIT}
    data = canonical_json({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": "application/vnd.pycontainer.signature.v1",
        "config": {"mediaType": empty.media_type, "digest": empty.digest, "size": empty.size}, "layers": [endless],
        "subject": {"mediaType": MANIFEST_TYPE, "digest": revision.digest, "size": revision.size},
    })  # fmt: skip
    registry.repo("shop/web").manifests[digest_of(data)] = (MANIFEST_TYPE, data)
    pull(reference, other, web=web)
    assert fsck(other).whole
    assert len(other.referrers(revision.digest)) == taken
    assert not registry.asked("GET", "e" * 64)


def test_what_is_not_a_revision_is_refused_before_its_blobs_come(
    registry: Registry, web: Web, store: Store, other: Store, reference: Reference
):
    revision = make_revision(store, 10)
    push(store, revision.digest, reference.repository, ["stable"], web=web)
    with pytest.raises(FetchError, match="not what was expected"):
        pull(reference, other, artifact_type="application/vnd.pycontainer.layer.v1", web=web)
    assert names(other) == set()


def test_a_damaged_blob_of_the_store_is_named_and_no_tag_is_set(
    registry: Registry, web: Web, store: Store, reference: Reference
):
    revision = make_revision(store, 3_000_000)
    blob = store.read_manifest(revision.digest).layers[0]
    path = store.blob_path(blob.digest)
    path.chmod(0o644)
    path.write_bytes(b"x" * blob.size)
    with pytest.raises(VerificationError, match="damaged"):
        push(store, revision.digest, reference.repository, ["stable"], web=web)
    assert registry.repo("shop/web").tags == {}


def test_an_upload_goes_on_where_it_was_cut(registry: Registry, web: Web, store: Store, reference: Reference):
    revision = make_revision(store, 8_000_000, attached=0)
    cuts = []

    def cut(handler: Handler) -> bool:
        if handler.command == "PATCH" and len(cuts) < 2:
            cuts.append(handler.headers["content-range"])
            handler.body = handler.rfile.read(3_000_000)
            handler.keep_part(handler.path.partition("?")[0])
            handler.cut()
            return True
        return False

    registry.trouble = cut
    push(store, revision.digest, reference.repository, ["stable"], web=web)
    ranges = [each.headers["content-range"] for each in registry.asked("PATCH")]
    assert ranges == ["0-7999999", "3000000-7999999", "6000000-7999999"]
    assert registry.repo("shop/web").tags["stable"] == revision.digest


def test_an_upload_goes_on_in_another_run(registry: Registry, web: Web, store: Store, reference: Reference):
    revision = make_revision(store, 8_000_000, attached=0)

    def cut(handler: Handler) -> bool:
        if handler.command == "PATCH":
            handler.body = handler.rfile.read(3_000_000)
            handler.keep_part(handler.path.partition("?")[0])
            handler.cut()
            registry.trouble = down
            return True
        return False

    def down(handler: Handler) -> bool:
        handler.reply(503)
        handler.close_connection = True  # the body that came is read by nobody
        return True

    registry.trouble = cut
    with pytest.raises(TryAgainError):
        push(store, revision.digest, reference.repository, web=web)
    registry.trouble = None
    registry.seen.clear()
    push(store, revision.digest, reference.repository, web=web)
    assert [each.headers["content-range"] for each in registry.asked("PATCH")] == ["3000000-7999999"]
    assert not list((store.root / ".partial").iterdir())


@pytest.mark.parametrize("status", [404, 416, 500])
def test_an_upload_that_the_registry_forgot_begins_anew(
    registry: Registry, web: Web, store: Store, reference: Reference, status: int
):
    revision = make_revision(store, 3_000_000, attached=0)
    once = []

    def forget(handler: Handler) -> bool:
        if handler.command == "PATCH" and not once:
            once.append(True)
            handler.rfile.read(int(handler.headers["content-length"]))
            registry.uploads.clear()
            handler.reply(status)
            return True
        return False

    registry.trouble = forget
    push(store, revision.digest, reference.repository, web=web)
    assert revision.digest in registry.repo("shop/web").manifests


def test_a_registry_that_takes_no_large_request_gets_small_ones(
    registry: Registry, web: Web, store: Store, reference: Reference
):
    revision = make_revision(store, 40_000_000, attached=0)

    def limited(handler: Handler) -> bool:
        if handler.command == "PATCH" and int(handler.headers["content-length"]) > 20_000_000:
            handler.rfile.read(int(handler.headers["content-length"]))
            handler.reply(413)
            return True
        return False

    registry.trouble = limited
    push(store, revision.digest, reference.repository, web=web)
    assert len(registry.asked("PATCH")) == 4
    assert revision.digest in registry.repo("shop/web").manifests


def test_a_download_goes_on_where_it_was_cut(
    registry: Registry, web: Web, store: Store, other: Store, reference: Reference
):
    revision = make_revision(store, 5_000_000, attached=0)
    blob = store.read_manifest(revision.digest).layers[0]
    push(store, revision.digest, reference.repository, ["stable"], web=web)

    def cut(handler: Handler) -> bool:
        if handler.command == "GET" and handler.path.endswith(blob.digest) and "range" not in handler.headers:
            handler.send_response(200)
            handler.send_header("content-length", str(blob.size))
            handler.end_headers()
            handler.wfile.write(registry.repo("shop/web").blobs[blob.digest][:2_000_000])
            handler.cut()
            return True
        return False

    registry.trouble = cut
    registry.seen.clear()
    assert pull(reference, other, web=web).moved < 5_002_000
    asked = [each.headers.get("range") for each in registry.asked("GET", blob.digest)]
    assert asked[0] is None
    assert asked[1] is not None
    assert fsck(other).whole


def test_a_download_goes_on_in_another_run_and_checks_what_it_has(
    registry: Registry, web: Web, store: Store, other: Store, reference: Reference
):
    revision = make_revision(store, 5_000_000, attached=0)
    blob = store.read_manifest(revision.digest).layers[0]
    push(store, revision.digest, reference.repository, ["stable"], web=web)
    partial = other.root / ".partial" / blob.digest.removeprefix("sha256:")
    partial.parent.mkdir()
    partial.write_bytes(b"\x01" * 4_000_000)
    assert pull(reference, other, web=web).moved < 1_100_000
    for path in other.blobs.folder.iterdir():
        path.unlink()
    partial.write_bytes(b"wrong" * 800_000)  # spoiled on the disk: all comes again
    assert pull(reference, other, web=web).moved > 5_000_000
    assert fsck(other).whole
    assert not partial.exists()


def test_what_arrived_in_part_long_ago_is_forgotten(
    web: Web, store: Store, other: Store, reference: Reference, registry: Registry
):
    revision = make_revision(store, 10, attached=0)
    push(store, revision.digest, reference.repository, ["stable"], web=web)
    old, new = other.root / ".partial" / ("0" * 64), other.root / ".partial" / ("1" * 64)
    old.parent.mkdir()
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    pull(reference, other, web=web)
    assert not old.exists()
    assert new.exists()


def test_without_ranges_all_comes_again_and_is_right(
    registry: Registry, web: Web, store: Store, other: Store, reference: Reference
):
    registry.ranges = False
    revision = make_revision(store, 3_000_000, attached=0)
    blob = store.read_manifest(revision.digest).layers[0]
    push(store, revision.digest, reference.repository, ["stable"], web=web)
    partial = other.root / ".partial" / blob.digest.removeprefix("sha256:")
    partial.parent.mkdir()
    partial.write_bytes(b"\x01" * 1_000_000)
    pull(reference, other, web=web)
    assert len(registry.asked("GET", blob.digest)) == 1
    assert digest_of(other.blob_path(blob.digest).read_bytes()) == blob.digest


def test_a_mirror_is_asked_first_and_the_registry_when_it_has_nothing(
    registry: Registry, web: Web, store: Store, other: Store, environment: dict[str, str]
):
    revision = make_revision(store, 10, attached=0)
    push(store, revision.digest, Repository(registry.host, "mirror/web"), ["1"], web=web)
    push(store, revision.digest, Repository(registry.host, "origin/app"), ["2"], web=web)
    Path(environment["CONTAINERS_REGISTRIES_CONF"]).write_text(
        f'[[registry]]\nprefix="r.example"\nlocation="{registry.host}/origin"\n'
        f'[[registry.mirror]]\nlocation="{registry.host}/mirror"\n'
    )
    registry.seen.clear()
    places = Places.load(environment)
    assert pull(Reference(Repository("r.example", "web"), "1"), other, web=web, places=places).digest == revision.digest
    assert not [each for each in registry.seen if "/origin/" in each.path]
    assert pull(Reference(Repository("r.example", "app"), "2"), other, web=web, places=places).digest == revision.digest
    assert registry.asked("HEAD", "/origin/app/")
