# SPDX-License-Identifier: MIT
"""A bundle has all of its revisions, and the same bytes each time; what is missing, damaged or unsigned is told."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.bundle import contents, create, open_bundle, verify
from orchestrator.bundle.check import product_of
from orchestrator.canonical import hex_of
from orchestrator.cli import updates
from orchestrator.errors import ConfigError, TrustError, VerificationError
from orchestrator.oci import Store, fsck
from orchestrator.trust import SIGNATURE_TYPE, Envelope, UnverifiedError, sign_revision
from tests.unit.bundle.conftest import KEY, NEW, OTHER, Shop, keys_of, make_revision

FORMS = ("b.tar", "b")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", FORMS)
def test_a_bundle_verifies_by_itself(shop: Shop, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out" / form
    made = create(shop.store, [shop.first, shop.second], shop.keys, out)
    assert made.revisions == (shop.first.id, shop.second.id)
    with open_bundle(out) as bundle:
        report = verify(bundle, shop.keys)
        assert [entry.revision.config.version for entry, _ in report.revisions] == ["1.0.0", "1.0.1"]
        assert all(steps.passed and steps.keyids == [KEY.public.keyid] for _, steps in report.revisions)
        assert report.blobs == made.blobs
        assert report.unused == []
        assert all(entry.absent == () and entry.documents == 5 for entry in contents(bundle))
        assert product_of(bundle) == "demo"
        assert (
            bundle.read_blob(next(b.digest for b in shop.second.blobs() if b.layer == "web" and b.size == len(NEW)))
            == NEW
        )
    assert list(out.parent.iterdir()) == [out]


def test_a_folder_is_an_image_layout_that_the_store_reads(shop: Shop, tmp_path: Path) -> None:
    create(shop.store, [shop.first], shop.keys, tmp_path / "b")
    report = fsck(Store.open(tmp_path / "b"))
    assert report.whole
    assert report.unreachable == []


def test_any_tar_reads_the_bundle_and_sees_no_owner_and_no_time(shop: Shop, tmp_path: Path) -> None:
    create(shop.store, [shop.first], shop.keys, tmp_path / "b.tar")
    create(shop.store, [shop.first], shop.keys, tmp_path / "b")
    with tarfile.open(tmp_path / "b.tar", "r:") as tar:
        entries = tar.getmembers()
        assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)
        assert {(e.uid, e.gid, e.mtime, e.mode, e.uname, e.gname, e.type) for e in entries} == {
            (0, 0, 0, 0o644, "", "", tarfile.REGTYPE)
        }
        content = {entry.name: tar.extractfile(entry).read() for entry in entries}  # type: ignore[union-attr]
    assert content == tree(tmp_path / "b")


@pytest.mark.parametrize("form", FORMS)
def test_equal_inputs_give_equal_bytes(shop: Shop, tmp_path: Path, form: str) -> None:
    other = Store.open_or_create(tmp_path / "elsewhere" / "store")
    second = make_revision(other, "1.0.1", NEW)
    other.put_blob(b"something else")
    first = make_revision(other, "1.0.0")
    for store, revisions, folder in ((shop.store, [shop.first, shop.second], "one"), (other, [first, second], "two")):
        create(store, revisions, shop.keys, tmp_path / folder / form)
    if form == "b":
        assert tree(tmp_path / "one" / form) == tree(tmp_path / "two" / form)
    else:
        assert (tmp_path / "one" / form).read_bytes() == (tmp_path / "two" / form).read_bytes()


def test_one_envelope_has_the_signatures_of_the_products_keys_and_no_others(shop: Shop, tmp_path: Path) -> None:
    third = keys_of(KEY, OTHER, threshold=2)
    with pytest.raises(UnverifiedError):
        create(shop.store, [shop.first], third, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()
    sign_revision(shop.store, shop.first, [OTHER])
    for keys, expected in ((third, {KEY, OTHER}), (shop.keys, {KEY})):
        create(shop.store, [shop.first], keys, tmp_path / "b.tar")
        with open_bundle(tmp_path / "b.tar") as bundle:
            (found,) = bundle.referrers(shop.first.id, SIGNATURE_TYPE)
            (part,) = bundle.read_manifest(found.digest).layers
            envelope = Envelope.from_bytes(bundle.read_blob(part.digest))
            assert {one.keyid for one in envelope.signatures} == {key.public.keyid for key in expected}
            (entry,) = (entry for entry in bundle.entries() if entry.digest == found.digest)
            assert entry.annotations == {"vnd.pycontainer.subject": shop.first.id}
            assert entry.artifact_type == "application/vnd.pycontainer.signature.v1"


@pytest.mark.parametrize("form", FORMS)
def test_what_the_base_has_is_left_out_and_named(shop: Shop, tmp_path: Path, form: str) -> None:
    made = create(shop.store, [shop.second], shop.keys, tmp_path / form, base=shop.first)
    shared = {blob.digest for blob in shop.first.blobs()} & {blob.digest for blob in shop.second.blobs()}
    shared |= {layer.spdx for layer in shop.first.config.layers} & {layer.spdx for layer in shop.second.config.layers}
    assert (made.left_out, len(shared)) == (8 + 4, 8 + 4)  # of 9 blobs and 5 documents
    assert made.saved == sum(shop.store.blobs.size(digest) or 0 for digest in shared)
    with open_bundle(tmp_path / form) as bundle:
        (entry,) = contents(bundle)
        assert entry.base == shop.first.id
        assert entry.present == len(NEW)
        assert {(blob.layer, blob.role) for blob in entry.absent} == {
            (blob.layer, blob.role) for blob in shop.second.blobs() if (blob.layer, blob.role) != ("web", "rootfs")
        }
        assert verify(bundle, shop.keys).revisions[0][1].passed
        assert bundle.has_blob(shop.second.id)
        assert [revision.id for revision in bundle.revisions()] == [shop.second.id]
        assert not [digest for digest in shared if bundle.has_blob(digest)]


def test_a_blob_that_the_base_does_not_have_is_missing(shop: Shop, tmp_path: Path) -> None:
    create(shop.store, [shop.second], shop.keys, tmp_path / "b", base=shop.first)
    web = next(blob for blob in shop.second.blobs() if (blob.layer, blob.role) == ("web", "rootfs"))
    (tmp_path / "b" / "blobs" / "sha256" / hex_of(web.digest)).unlink()
    with open_bundle(tmp_path / "b") as bundle, pytest.raises(VerificationError) as caught:
        verify(bundle, shop.keys)
    assert caught.value.exit_code == 5
    assert web.digest in caught.value.why


def test_a_base_must_be_another_revision_of_the_same_machine(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="based on what it brings"):
        create(shop.store, [shop.first], shop.keys, tmp_path / "b", base=shop.first)


@pytest.mark.parametrize("which", ["envelope", "document", "blob"])
def test_a_damaged_byte_anywhere_is_found(shop: Shop, tmp_path: Path, which: str) -> None:
    create(shop.store, [shop.first], shop.keys, tmp_path / "b")
    content = {
        "envelope": b"payloadType",
        "document": b'{"spdx":"bsp"}',
        "blob": b"rootfs squashfs",
    }[which]
    (path,) = (p for p in (tmp_path / "b" / "blobs" / "sha256").iterdir() if content in p.read_bytes())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with open_bundle(tmp_path / "b") as bundle, pytest.raises(VerificationError, match="not whole") as caught:
        verify(bundle, shop.keys)
    assert path.name in caught.value.why


def test_a_bundle_of_strangers_is_refused_with_exit_code_7(shop: Shop, tmp_path: Path) -> None:
    create(shop.store, [shop.first], shop.keys, tmp_path / "b.tar")
    with open_bundle(tmp_path / "b.tar") as bundle:
        for keys in (keys_of(OTHER), keys_of(KEY, product="kiosk"), keys_of(KEY, OTHER, threshold=2)):
            with pytest.raises(TrustError) as caught:
                verify(bundle, keys)
            assert caught.value.exit_code == 7


def test_a_damaged_store_makes_no_bundle_and_leaves_the_old_one(shop: Shop, tmp_path: Path) -> None:
    out = tmp_path / "out" / "b.tar"
    create(shop.store, [shop.first], shop.keys, out)
    before = out.read_bytes()
    blob = shop.store.blobs.path(shop.second.blobs()[-1].digest)
    blob.chmod(0o644)
    blob.write_bytes(b"x" * blob.stat().st_size)
    with pytest.raises(VerificationError, match="damaged"):
        create(shop.store, [shop.second], shop.keys, out)
    assert out.read_bytes() == before
    assert list(out.parent.iterdir()) == [out]


def test_a_folder_that_is_there_is_left_alone(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine").touch()
    with pytest.raises(ConfigError, match="is there already"):
        create(shop.store, [shop.first], shop.keys, tmp_path / "b")
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["mine"]


def test_a_revision_is_chosen_by_its_first_digits(shop: Shop, tmp_path: Path) -> None:
    create(shop.store, [shop.first, shop.second], shop.keys, tmp_path / "b.tar")
    with open_bundle(tmp_path / "b.tar") as bundle:
        assert bundle.select(shop.second.hex[:8]).id == shop.second.id
        assert bundle.select(shop.first.id).id == shop.first.id
        with pytest.raises(ConfigError, match="several revisions"):
            bundle.select()
        for name in ("ffff" if not shop.first.hex.startswith("ffff") else "0000", "v1.0.0", "../x"):
            with pytest.raises(ConfigError, match="no revision"):
                bundle.select(name)


@pytest.mark.parametrize("job", [lambda path: updates.job(path, path), lambda path: updates.stick_job(path, "STICK")])
def test_a_virtual_machine_takes_a_bundle_of_one_and_says_what_else_to_give(
    shop: Shop, tmp_path: Path, job: Callable[[Path], Any]
):
    bundle = create(shop.store, [shop.first, shop.second], shop.keys, tmp_path / "two.tar").path
    with pytest.raises(ConfigError, match="several revisions") as refused:
        job(bundle)
    assert "--revision" not in refused.value.hint and "bundle create REV" in refused.value.hint
    assert job(create(shop.store, [shop.first], shop.keys, tmp_path / "one.tar").path)


def test_what_nothing_leads_to_is_named(shop: Shop, tmp_path: Path) -> None:
    create(shop.store, [shop.first], shop.keys, tmp_path / "b")
    (tmp_path / "b" / "blobs" / "sha256" / ("0" * 64)).write_bytes(b"odd")
    with open_bundle(tmp_path / "b") as bundle:
        assert verify(bundle, shop.keys).unused == ["sha256:" + "0" * 64]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda index: index | {"manifests": []}, "0 revisions"),
        (lambda index: index | {"schemaVersion": 1}, "not an OCI image index"),
        (lambda index: index | {"manifests": [entry | {"digest": "md5:1"} for entry in index["manifests"]]}, "0 rev"),
        (
            lambda index: (
                index
                | {
                    "manifests": [
                        entry | {"annotations": {"vnd.pycontainer.base": "../.."}} for entry in index["manifests"]
                    ]
                }
            ),
            "names no right base",
        ),
        (
            lambda index: (
                index
                | {
                    "manifests": [
                        e | {"annotations": {"vnd.pycontainer.base": "sha256:" + "1" * 64}} for e in index["manifests"]
                    ]
                }
            ),
            "is not in the bundle",
        ),
        (lambda index: index | {"manifests": [*index["manifests"], {"digest": "md5:1"}]}, "cannot be checked"),
    ],
)
def test_an_index_that_leads_nowhere_is_refused(shop: Shop, tmp_path: Path, change: object, words: str) -> None:
    create(shop.store, [shop.first], shop.keys, tmp_path / "b")
    path = tmp_path / "b" / "index.json"
    path.write_text(json.dumps(change(json.loads(path.read_bytes()))))  # type: ignore[operator]
    with pytest.raises(VerificationError) as caught, open_bundle(tmp_path / "b") as bundle:
        verify(bundle, shop.keys)
    assert words in str(caught.value)


def test_a_link_in_a_folder_is_not_followed(shop: Shop, tmp_path: Path) -> None:
    create(shop.store, [shop.first], shop.keys, tmp_path / "b")
    path = tmp_path / "b" / "blobs" / "sha256" / hex_of(shop.first.id)
    path.rename(tmp_path / "kept")
    path.symlink_to(tmp_path / "kept")
    with open_bundle(tmp_path / "b") as bundle, pytest.raises(VerificationError, match="cannot be read"):
        verify(bundle, shop.keys)


@pytest.mark.parametrize("name", ["nothing", "empty", "file", "fifo"])
def test_what_is_no_bundle_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("hello")
    path = tmp_path / name
    with pytest.raises((ConfigError, VerificationError)) as caught:
        open_bundle(path if name != "fifo" else Path("/dev/null"))
    assert caught.value.what
