# SPDX-License-Identifier: MIT
"""Revisions are signed by one or many and verified step by step; what is not signed as required is refused."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from orchestrator.canonical import canonical_json, sha256_digest
from orchestrator.errors import TrustError
from orchestrator.oci import Store, fsck
from orchestrator.oci.files import Files
from orchestrator.revision import Revision, set_candidate
from orchestrator.trust import (
    ENVELOPE_TYPE,
    PAYLOAD_TYPE,
    SIGNATURE_TYPE,
    Envelope,
    PrivateKey,
    Signature,
    UnverifiedError,
    revision_envelope,
    sign_revision,
    signed_payload,
    verify_revision,
)
from orchestrator.trust.dsse import sign
from tests.unit.revision.sample import sample_revision

ONE, TWO, THREE = (PrivateKey.from_seed(bytes([number]) * 32) for number in (1, 2, 3))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open_or_create(tmp_path / "store")


@pytest.fixture
def revision(store: Store) -> Revision:
    found = sample_revision(store)
    set_candidate(store, found)
    return found


def attach(store: Store, revision: Revision, data: bytes) -> None:
    """Attach any bytes as a signature, as a stranger may."""
    store.attach(revision.descriptor, SIGNATURE_TYPE, [store.put_blob(data, media_type=ENVELOPE_TYPE)])


def test_the_signature_is_that_of_the_contract(store: Store, revision: Revision):
    digest = sign_revision(store, revision, [ONE])
    manifest = store.read_manifest(digest)
    assert manifest.artifact_type == "application/vnd.pycontainer.signature.v1"
    assert manifest.subject is not None
    assert manifest.subject.digest == revision.id
    (blob,) = manifest.layers
    assert blob.media_type == "application/vnd.dsse.envelope.v1+json"
    envelope = Envelope.from_bytes(store.read_blob(blob.digest))
    assert envelope.payload_type == "application/vnd.pycontainer.revision.signature.v1+json"
    assert json.loads(envelope.payload) == {
        "digest": revision.id,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "product": "demo",
        "size": len(store.read_blob(revision.id)),
    }
    assert canonical_json(json.loads(envelope.payload)) == envelope.payload
    assert fsck(store).whole


def test_a_signed_revision_verifies_and_each_step_is_told(store: Store, revision: Revision):
    sign_revision(store, revision, [ONE])
    report = verify_revision(store, revision.id, [ONE.public], 1, product="demo")
    assert report.passed
    assert report.keyids == [ONE.public.keyid]
    steps = [step.name.split()[0] for step in report.steps]
    assert steps == ["manifest", "configuration", "product", "signature", "threshold", "blobs"]


def test_signing_again_changes_nothing(store: Store, revision: Revision):
    first = sign_revision(store, revision, [ONE])
    assert sign_revision(store, revision, [ONE]) == first
    assert len(store.referrers(revision.id)) == 1


def test_signers_may_sign_one_after_the_other(store: Store, revision: Revision):
    sign_revision(store, revision, [TWO])
    with pytest.raises(UnverifiedError, match="does not verify"):
        verify_revision(store, revision, [ONE.public, TWO.public, THREE.public], 2)
    sign_revision(store, revision, [ONE])
    (referrer,) = store.referrers(revision.id, SIGNATURE_TYPE)
    envelope = Envelope.from_bytes(store.read_blob(store.read_manifest(referrer.digest).layers[0].digest))
    assert envelope == sign(signed_payload(revision), PAYLOAD_TYPE, [ONE, TWO])
    report = verify_revision(store, revision, [ONE.public, TWO.public, THREE.public], 2)
    assert report.keyids == sorted([ONE.public.keyid, TWO.public.keyid])


class Slow(Files):
    """Gives others time to come between looking and writing."""

    def create(self, path: Path, mode: int) -> int:
        time.sleep(0.02)
        return super().create(path, mode)


def test_signers_at_the_same_time_make_one_envelope_together(store: Store, revision: Revision):
    signers = [PrivateKey.from_seed(bytes([number]) * 32) for number in range(20, 26)]
    children = []
    for signer in signers:
        if (child := os.fork()) == 0:
            try:
                sign_revision(Store.open(store.root, Slow()), revision, [signer])
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(signers)
    assert verify_revision(store, revision, [signer.public for signer in signers], len(signers)).passed
    assert len(store.referrers(revision.id, SIGNATURE_TYPE)) == 1


def test_nothing_is_accepted_without_a_signature_by_enough_trusted_keys(store: Store, revision: Revision):
    with pytest.raises(UnverifiedError) as caught:
        verify_revision(store, revision, [ONE.public], 1)
    assert caught.value.exit_code == 7
    assert caught.value.report.steps[-1].outcome == "failed"
    sign_revision(store, revision, [TWO])
    with pytest.raises(UnverifiedError) as caught:
        verify_revision(store, revision, [ONE.public], 1)
    assert any("not a trusted key" in step.detail for step in caught.value.report.steps)
    for threshold in (0, -1, 2):
        with pytest.raises(UnverifiedError):
            verify_revision(store, revision, [TWO.public], threshold)
    with pytest.raises(UnverifiedError):
        verify_revision(store, revision, [TWO.public, TWO.public], 2)
    with pytest.raises(TrustError, match="nobody to sign"):
        sign_revision(store, revision, [])


def test_a_signature_for_another_revision_or_product_counts_for_nothing(store: Store, revision: Revision):
    other = sample_revision(store, version="2.0.0")
    sign_revision(store, other, [ONE])
    envelope = store.read_blob(revision_envelope(store, other, [ONE.public]).digest)
    attach(store, revision, envelope)
    with pytest.raises(UnverifiedError) as caught:
        verify_revision(store, revision, [ONE.public], 1)
    assert any("signs something else" in step.detail for step in caught.value.report.steps)
    attach(store, revision, sign(signed_payload(revision), "application/vnd.other+json", [ONE]).to_bytes())
    with pytest.raises(UnverifiedError):
        verify_revision(store, revision, [ONE.public], 1)
    sign_revision(store, revision, [ONE])
    with pytest.raises(UnverifiedError, match="does not verify") as caught:
        verify_revision(store, revision, [ONE.public], 1, product="other")
    assert "not for 'other'" in caught.value.why


@pytest.mark.parametrize("data", [b"", b"rubbish", b"{}", b"[" * 5000, b"x" * 70_000])
def test_rubbish_attached_by_a_stranger_hides_nothing(store: Store, revision: Revision, data: bytes):
    attach(store, revision, data)
    sign_revision(store, revision, [ONE])
    attach(store, revision, data + b" ")
    report = verify_revision(store, revision, [ONE.public], 1)
    assert [step.outcome for step in report.steps].count("ignored") == 2
    assert len(store.referrers(revision.id, SIGNATURE_TYPE)) == 3, "what is not understood is left alone"


def test_a_wrong_signature_under_a_trusted_id_hides_nothing(store: Store, revision: Revision):
    wrong = Envelope(signed_payload(revision), PAYLOAD_TYPE, (Signature(ONE.public.keyid, b"\0" * 64),))
    attach(store, revision, wrong.to_bytes())
    sign_revision(store, revision, [TWO])
    attach(store, revision, sign(signed_payload(revision), PAYLOAD_TYPE, [ONE]).to_bytes())
    assert verify_revision(store, revision, [ONE.public, TWO.public], 2).passed
    device = Envelope.from_bytes(store.read_blob(revision_envelope(store, revision, [ONE.public, TWO.public]).digest))
    assert device == sign(signed_payload(revision), PAYLOAD_TYPE, [ONE, TWO])


def test_the_device_s_envelope_holds_trusted_signatures_only(store: Store, revision: Revision):
    with pytest.raises(TrustError, match="not signed"):
        revision_envelope(store, revision, [ONE.public])
    sign_revision(store, revision, [ONE, THREE])
    data = store.read_blob(revision_envelope(store, revision, [ONE.public]).digest)
    assert data == sign(signed_payload(revision), PAYLOAD_TYPE, [ONE]).to_bytes()
    with pytest.raises(TrustError, match="not signed"):
        revision_envelope(store, revision, [TWO.public])


def test_a_tampered_blob_is_found(store: Store, revision: Revision):
    sign_revision(store, revision, [ONE])
    path = store.blob_path(sha256_digest(b"web squashfs"))
    path.chmod(0o644)
    path.write_bytes(b"WEB squashfs")
    with pytest.raises(UnverifiedError) as caught:
        verify_revision(store, revision, [ONE.public], 1)
    assert "damaged" in caught.value.why
    assert verify_revision(store, revision, [ONE.public], 1, blobs=False).passed


def test_a_tampered_manifest_is_found(store: Store, revision: Revision):
    sign_revision(store, revision, [ONE])
    path = store.blob_path(revision.id)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"size":12', b'"size":13'))
    with pytest.raises(UnverifiedError) as caught:
        verify_revision(store, revision.id, [ONE.public], 1)
    assert [(step.name, step.outcome) for step in caught.value.report.steps] == [("manifest", "failed")]


def test_the_same_keys_give_the_same_signature_in_another_store(tmp_path: Path):
    found = set()
    for name in ("a", "b"):
        store = Store.open_or_create(tmp_path / name / "store")
        found.add(sign_revision(store, sample_revision(store), [TWO, ONE] if name == "a" else [ONE, TWO]))
    assert len(found) == 1
