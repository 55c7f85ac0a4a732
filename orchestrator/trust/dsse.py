# SPDX-License-Identifier: MIT
"""DSSE envelopes (github.com/secure-systems-lab/dsse, protocol.md and envelope.md, 1.0): k-of-n Ed25519 signatures."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from orchestrator.canonical import canonical_json
from orchestrator.errors import TrustError
from orchestrator.oci.strict import decode as decode_json
from orchestrator.trust.public import SIGNATURE_SIZE, PublicKey, Signer, strict_base64

ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"
ENVELOPE_LIMIT = 64 * 1024
PAYLOAD_LIMIT = 16 * 1024
SIGNATURES_LIMIT = 32


class _RawSignature(msgspec.Struct, frozen=True):
    sig: str
    keyid: Annotated[str, msgspec.Meta(max_length=128)] = ""


class _RawEnvelope(msgspec.Struct, frozen=True, rename="camel"):
    """Members that the specification does not have are ignored, as it demands; they are not signed."""

    payload: str
    payload_type: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    signatures: Annotated[list[_RawSignature], msgspec.Meta(max_length=SIGNATURES_LIMIT)]


@dataclass(frozen=True)
class Signature:
    """One signature; `keyid` is a hint that nothing protects."""

    keyid: str
    sig: bytes


@dataclass(frozen=True)
class Envelope:
    """A payload, what it is, and signatures over both."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the envelope as canonical JSON."""
        return canonical_json(
            {
                "payload": _text(self.payload),
                "payloadType": self.payload_type,
                "signatures": [{"keyid": one.keyid, "sig": _text(one.sig)} for one in self.signatures],
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes, *, payload_limit: int = PAYLOAD_LIMIT) -> Envelope:
        """Return an envelope from foreign bytes, nothing verified yet; raises TrustError when it is not one.

        A payload may have `payload_limit` bytes, and what is around it as much as an envelope for a device has.
        """
        what = "the signature envelope"
        limit = ENVELOPE_LIMIT + (payload_limit - PAYLOAD_LIMIT) * 4 // 3
        raw = decode_json(data, _RawEnvelope, what, limit=limit, error=TrustError)
        payload = strict_base64(raw.payload, "the signed payload")
        if len(payload) > payload_limit:
            raise TrustError("the signed payload is too large", f"{len(payload)} bytes, the limit is {payload_limit}")
        signatures = []
        for one in raw.signatures:
            sig = strict_base64(one.sig, "a signature")
            if len(sig) != SIGNATURE_SIZE:
                raise TrustError("a signature has the wrong size", f"{len(sig)} bytes in place of {SIGNATURE_SIZE}")
            signatures.append(Signature(one.keyid, sig))
        return cls(payload, raw.payload_type, tuple(signatures))

    def valid_keys(self, keys: Iterable[PublicKey]) -> list[str]:
        """Return the ids of those of `keys` that made a valid signature, each once, sorted."""
        known = {key.keyid: key for key in keys}
        message = pae(self.payload_type, self.payload)
        return sorted(
            {one.keyid for one in self.signatures if one.keyid in known and known[one.keyid].verifies(one.sig, message)}
        )

    def verify(self, keys: Sequence[PublicKey], *, threshold: int, payload_type: str) -> list[str]:
        """Return the ids of the keys whose signatures are valid; raises TrustError when fewer than `threshold` are.

        Two signatures of one key count once; signatures of unknown keys count for nothing.
        """
        if threshold < 1:
            raise TrustError("a threshold below 1 would trust everything", f"threshold {threshold}")
        if self.payload_type != payload_type:
            raise TrustError(
                "the signature is for something else", f"its payload type is {self.payload_type[:120]!r}", _HINT
            )
        valid = self.valid_keys(keys)
        if len(valid) < threshold:
            raise TrustError(
                f"{len(valid)} valid signatures, {threshold} are required",
                f"of {len(self.signatures)} signatures by {_names(self)}; the trusted keys are "
                + (", ".join(sorted(key.keyid[:12] for key in keys)) or "none"),
                _HINT,
            )
        return valid


_HINT = "sign with a trusted key, or check which keys the product trusts: pycontainer key"


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, payload_type: str, signers: Iterable[Signer]) -> Envelope:
    """Return an envelope with one signature a signer, sorted by key id: the same keys give the same bytes."""
    message = pae(payload_type, payload)
    made = {signer.public.keyid: signer.sign(message) for signer in signers}
    return Envelope(payload, payload_type, tuple(Signature(keyid, made[keyid]) for keyid in sorted(made)))


def merge(envelopes: Sequence[Envelope]) -> Envelope:
    """Return one envelope with every different signature of several (one or more), sorted.

    Raises TrustError when they sign different things, or have more signatures than an envelope may.
    """
    first = envelopes[0]
    if any((one.payload, one.payload_type) != (first.payload, first.payload_type) for one in envelopes):
        raise TrustError("two envelopes sign different things", "their payloads differ")
    signatures = sorted(
        {one for envelope in envelopes for one in envelope.signatures}, key=lambda one: (one.keyid, one.sig)
    )
    if len(signatures) > SIGNATURES_LIMIT:
        raise TrustError("too many signatures", f"{len(signatures)}, an envelope holds {SIGNATURES_LIMIT}")
    return Envelope(first.payload, first.payload_type, tuple(signatures))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _names(envelope: Envelope) -> str:
    return ", ".join(sorted({one.keyid[:12] or "an unnamed key" for one in envelope.signatures})) or "nobody"
