# SPDX-License-Identifier: MIT
"""Signatures in cosign's format, against its specification; that cosign itself accepts them is an integration test."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import TrustError
from orchestrator.oci import Store, fsck
from orchestrator.registry.revisions import COSIGN_TYPE, cosign_tag
from orchestrator.revision import Revision
from orchestrator.trust import PrivateKey, VerificationReport
from orchestrator.trust.cosign import PAYLOAD_TYPE, SIGNATURE, check_cosign, payload, sign_for_cosign
from tests.unit.revision.sample import sample_revision

ONE, TWO, THREE = (PrivateKey.from_seed(bytes([number]) * 32) for number in (1, 2, 3))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open_or_create(tmp_path / "store")


@pytest.fixture
def revision(store: Store) -> Revision:
    return sample_revision(store)


def outcomes(store: Store, revision: Revision, *keys: PrivateKey) -> list[str]:
    report = VerificationReport(revision.id)
    check_cosign(store, revision, [key.public for key in keys], report)
    return [step.outcome for step in report.steps]


def test_the_format_is_that_of_the_specification(store: Store, revision: Revision):
    made = sign_for_cosign(store, revision, [ONE])
    manifest = store.read_manifest(made.digest)
    assert manifest.subject is not None
    assert manifest.subject.digest == revision.id
    (part,) = manifest.layers
    assert part.media_type == "application/vnd.dev.cosign.simplesigning.v1+json"
    data = store.read_blob(part.digest)
    assert json.loads(data)["critical"] == {
        "identity": {"docker-reference": "demo"},
        "image": {"docker-manifest-digest": revision.id},
        "type": "cosign container image signature",
    }
    assert ONE.public.verifies(base64.b64decode(part.annotations["dev.cosignproject.cosign/signature"]), data)
    assert cosign_tag("sha256:" + "1" * 64) == "sha256-" + "1" * 64 + ".sig"
    assert fsck(store).whole


def test_signers_come_one_after_the_other(store: Store, revision: Revision):
    first = sign_for_cosign(store, revision, [ONE])
    assert sign_for_cosign(store, revision, [ONE]) == first
    sign_for_cosign(store, revision, [TWO])
    assert len(store.referrers(revision.id, COSIGN_TYPE)) == 1
    assert outcomes(store, revision, ONE, TWO) == ["passed", "passed"]
    assert sorted(outcomes(store, revision, ONE, THREE)) == ["ignored", "passed"]
    assert outcomes(store, revision, THREE) == ["ignored", "ignored"]
    with pytest.raises(TrustError, match="nobody to sign"):
        sign_for_cosign(store, revision, [])


def attach(store: Store, revision: Revision, data: bytes, text: str) -> None:
    blob = store.put_blob(data, media_type=PAYLOAD_TYPE).plain(**{SIGNATURE: text})
    store.attach(revision.descriptor, COSIGN_TYPE, [blob])


_JSON = st.none() | st.integers(0, 5) | st.text(max_size=5) | st.lists(st.none(), max_size=2)


@given(st.dictionaries(st.sampled_from(["critical", "type", "image"]), _JSON | st.dictionaries(
    st.sampled_from(["image", "type", "docker-manifest-digest"]), _JSON, max_size=3), max_size=3))  # fmt: skip
def test_any_payload_counts_for_nothing(tmp_path_factory: pytest.TempPathFactory, value: dict[str, Any]):
    store = Store.open_or_create(tmp_path_factory.mktemp("s") / "store")
    revision = sample_revision(store)
    data = json.dumps(value).encode()
    attach(store, revision, data, base64.b64encode(ONE.sign(data)).decode())
    assert outcomes(store, revision, ONE) == ["ignored"]


@pytest.mark.parametrize("text", ["", "!", "AAAA", base64.b64encode(bytes(64)).decode()])
def test_a_wrong_signature_counts_for_nothing_and_hides_none(store: Store, revision: Revision, text: str):
    attach(store, revision, payload(revision), text)
    assert outcomes(store, revision, ONE) == ["ignored"]
    sign_for_cosign(store, revision, [ONE])
    assert "passed" in outcomes(store, revision, ONE)


def test_a_signature_of_another_revision_counts_for_nothing(store: Store, revision: Revision):
    other = sample_revision(store, version="2")
    attach(store, revision, payload(other), base64.b64encode(ONE.sign(payload(other))).decode())
    assert outcomes(store, revision, ONE) == ["ignored"]
