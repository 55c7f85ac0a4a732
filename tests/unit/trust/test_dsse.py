# SPDX-License-Identifier: MIT
"""Envelopes: the vectors that the device's tests read too, and another implementation as the judge."""

from __future__ import annotations

import base64
import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as TheirEnvelope
from securesystemslib.exceptions import VerificationError as TheirError
from securesystemslib.signer import CryptoSigner, SSlibKey

from orchestrator.errors import TrustError
from orchestrator.trust import Envelope, PrivateKey, PublicKey, Signature, pae
from orchestrator.trust.dsse import merge, sign

DATA = Path(__file__).parents[2] / "data" / "trust"
VECTORS = sorted(path.name for path in DATA.glob("*.json"))


def keys(*numbers: int) -> list[PrivateKey]:
    return [PrivateKey.from_seed(bytes([number]) * 32) for number in numbers]


def decide(vector: dict[str, Any]) -> list[str] | None:
    """What a verifier does: the ids of the keys that count, or None when the envelope is refused."""
    try:
        trusted = [PublicKey.from_base64(key["public"]) for key in vector["keys"]]
        assert [key.keyid for key in trusted] == [key["keyid"] for key in vector["keys"]]
        envelope = Envelope.from_bytes(vector["envelope"].encode())
        counted = envelope.verify(trusted, threshold=vector["threshold"], payload_type=vector["payloadType"])
    except TrustError:
        return None
    return counted if envelope.payload == vector["payload"].encode() else None


@pytest.mark.parametrize("name", VECTORS)
def test_each_vector_is_decided_as_it_says(name: str):
    vector = json.loads((DATA / name).read_text())
    found = decide(vector)
    assert (found is not None) == vector["expected"]["accepted"], vector["description"]
    assert (found or []) == vector["expected"]["keyids"]


def test_the_vectors_are_what_their_maker_makes():
    spec = importlib.util.spec_from_file_location("make_vectors", DATA / "make_vectors.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    made = maker.cases()
    assert sorted(made) == VECTORS
    for name, case in made.items():
        assert (DATA / name).read_text() == maker.render(case), name


def test_the_encoding_is_that_of_the_protocol_s_own_example():
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@given(st.binary(max_size=300), st.text(max_size=40))
def test_the_encoding_is_that_of_securesystemslib(payload: bytes, kind: str):
    assert pae(kind, payload) == TheirEnvelope(payload, kind, {}).pae()


def their_key(key: PublicKey) -> SSlibKey:
    return SSlibKey(key.keyid, "ed25519", "ed25519", {"public": key.raw.hex()})


def test_securesystemslib_accepts_our_envelopes():
    one, two = keys(1, 2)
    value = json.loads(sign(b'{"x":1}', "application/x", [one, two]).to_bytes())
    theirs = TheirEnvelope.from_dict(value)
    accepted = theirs.verify([their_key(one.public), their_key(two.public)], 2)
    assert sorted(accepted) == sorted([one.public.keyid, two.public.keyid])
    (stranger,) = keys(9)
    with pytest.raises(TheirError):
        theirs.verify([their_key(one.public), their_key(stranger.public)], 2)


def test_we_accept_the_envelopes_of_securesystemslib():
    private = PrivateKey.from_seed(b"\7" * 32)
    theirs = TheirEnvelope(b"payload", "application/x", {})
    theirs.sign(CryptoSigner(private._key, their_key(private.public)))
    ours = Envelope.from_bytes(json.dumps(theirs.to_dict()).encode())
    assert ours.verify([private.public], threshold=1, payload_type="application/x") == [private.public.keyid]


@given(st.binary(max_size=400), st.sets(st.integers(0, 20), min_size=1, max_size=4), st.integers(1, 4))
def test_both_implementations_count_alike(payload: bytes, numbers: set[int], threshold: int):
    signers = keys(*sorted(numbers))
    trusted = [signer.public for signer in keys(*range(3))]
    data = sign(payload, "application/x", signers).to_bytes()
    try:
        theirs = sorted(
            TheirEnvelope.from_dict(json.loads(data)).verify([their_key(key) for key in trusted], threshold)
        )
    except (TheirError, ValueError):
        theirs = []
    try:
        ours = Envelope.from_bytes(data).verify(trusted, threshold=threshold, payload_type="application/x")
    except TrustError:
        ours = []
    assert bool(ours) == bool(theirs)
    assert set(theirs) <= set(ours), "they stop counting at the threshold"


@given(st.data())
def test_an_envelope_with_wrong_bytes_is_never_accepted_for_another_payload(data: st.DataObject):
    (one,) = keys(1)
    raw = bytearray(sign(b'{"digest":"x"}', "application/x", [one]).to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        envelope = Envelope.from_bytes(bytes(raw))
        envelope.verify([one.public], threshold=1, payload_type="application/x")
    except TrustError as problem:
        assert problem.exit_code == 7
    else:
        assert envelope.payload == b'{"digest":"x"}'


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_an_explanation(data: bytes):
    with pytest.raises(TrustError):
        Envelope.from_bytes(data)


def test_the_same_keys_give_the_same_bytes_in_whatever_order():
    one, two = keys(1, 2)
    assert sign(b"x", "t/t", [one, two]).to_bytes() == sign(b"x", "t/t", [two, one]).to_bytes()


def test_a_threshold_below_one_is_refused():
    with pytest.raises(TrustError, match="trust everything"):
        Envelope(b"x", "t/t").verify([], threshold=0, payload_type="t/t")


def test_one_key_listed_twice_counts_once():
    (one,) = keys(1)
    with pytest.raises(TrustError, match="1 valid"):
        sign(b"x", "t/t", [one]).verify([one.public, one.public], threshold=2, payload_type="t/t")


def test_merging_keeps_each_signature_and_refuses_other_payloads():
    one, two = keys(1, 2)
    merged = merge([sign(b"x", "t/t", [two]), sign(b"x", "t/t", [one])])
    assert merged == sign(b"x", "t/t", [one, two])
    with pytest.raises(TrustError, match="different things"):
        merge([sign(b"x", "t/t", [one]), sign(b"y", "t/t", [one])])
    flood = Envelope(b"x", "t/t", tuple(Signature(str(number), b"s" * 64) for number in range(33)))
    with pytest.raises(TrustError, match="too many"):
        merge([flood])


def test_large_envelopes_and_payloads_are_refused():
    with pytest.raises(TrustError, match="too large"):
        Envelope.from_bytes(b" " * 65537)
    big = {"payload": base64.b64encode(b"x" * 16385).decode(), "payloadType": "t/t", "signatures": []}
    with pytest.raises(TrustError, match="too large"):
        Envelope.from_bytes(json.dumps(big).encode())
