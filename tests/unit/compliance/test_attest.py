# SPDX-License-Identifier: MIT
"""Attestations: these documents are about this image, and the product's keys say so."""

import json

import pytest
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.signer import CryptoSigner, SSlibKey

from orchestrator.canonical import sha256_digest
from orchestrator.compliance.attest import PAYLOAD_TYPE, Reference, Subject, attest, statement, verify
from orchestrator.errors import TrustError, VerificationError
from orchestrator.trust import Envelope, PrivateKey

IMAGE = Subject("demo.img", sha256_digest(b"image"))
LAYER = Subject("rootfs/rootfs", sha256_digest(b"layer"))
DOCUMENT = Reference("image.spdx3.json", sha256_digest(b"document"), "application/spdx+json")
KEY = PrivateKey.generate()


def made() -> bytes:
    return attest([LAYER, IMAGE], [DOCUMENT], [KEY])


def test_what_was_attested_verifies_with_the_keys_of_the_product() -> None:
    found = verify(made(), [KEY.public], 1, subjects=[IMAGE, LAYER], references=[DOCUMENT])
    assert found.keyids == (KEY.public.keyid,)
    assert found.subjects == (IMAGE, LAYER)
    assert found.references == (DOCUMENT,)


def test_order_does_not_change_the_bytes() -> None:
    assert statement([LAYER, IMAGE, IMAGE], [DOCUMENT]) == statement([IMAGE, LAYER], [DOCUMENT])


def test_the_statement_is_one_of_in_toto() -> None:
    value = json.loads(statement([IMAGE], [DOCUMENT]))
    assert value["_type"] == "https://in-toto.io/Statement/v1"
    assert value["subject"] == [{"name": "demo.img", "digest": {"sha256": IMAGE.digest[7:]}}]
    reference = value["predicate"]["references"][0]
    assert {"downloadLocation", "digest", "mediaType"} <= set(reference)


def test_another_implementation_of_dsse_reads_and_verifies_it() -> None:
    other = OtherEnvelope.from_dict(
        {**json.loads(made()), "payloadType": PAYLOAD_TYPE}
        | {"signatures": [{"keyid": each["keyid"], "sig": each["sig"]} for each in json.loads(made())["signatures"]]}
    )
    key = SSlibKey(KEY.public.keyid, "ed25519", "ed25519", {"public": KEY.public.raw.hex()})
    assert other.verify([key], 1)
    assert CryptoSigner.generate_ed25519().public_key.keyid != key.keyid


@pytest.mark.parametrize(
    ("subject", "reference"),
    [(Subject("demo.img", sha256_digest(b"other")), DOCUMENT),
     (IMAGE, Reference("image.spdx3.json", sha256_digest(b"other"), "application/spdx+json"))],
)  # fmt: skip
def test_what_changed_afterwards_does_not_verify(subject: Subject, reference: Reference) -> None:
    with pytest.raises(VerificationError):
        verify(made(), [KEY.public], 1, subjects=[subject], references=[reference])


def test_strangers_and_other_payloads_count_for_nothing() -> None:
    with pytest.raises(TrustError):
        verify(made(), [PrivateKey.generate().public], 1)
    with pytest.raises(TrustError):
        verify(attest([IMAGE], [DOCUMENT], [KEY]), [KEY.public], 2)
    from orchestrator.trust.dsse import sign

    with pytest.raises(TrustError):
        verify(sign(b"{}", "application/other", [KEY]).to_bytes(), [KEY.public], 1)
    for payload in (b"{}", b"[]", b'{"_type": "x", "predicateType": "y"}', b"\xff"):
        with pytest.raises(TrustError):
            verify(sign(payload, PAYLOAD_TYPE, [KEY]).to_bytes(), [KEY.public], 1)
    with pytest.raises(TrustError):
        attest([IMAGE], [DOCUMENT], [])


def test_many_layers_fit_and_no_end_of_them_does_not() -> None:
    many = [Subject(f"layer{number}/rootfs", sha256_digest(str(number).encode())) for number in range(1000)]
    data = attest(many, [DOCUMENT], [KEY])
    assert len(verify(data, [KEY.public], 1).subjects) == 1000
    with pytest.raises(TrustError):
        Envelope.from_bytes(data)  # a device takes no such envelope
    with pytest.raises(TrustError, match="too much"):
        attest([Subject("x" * 200 + str(number), IMAGE.digest) for number in range(9000)], [DOCUMENT], [KEY])
