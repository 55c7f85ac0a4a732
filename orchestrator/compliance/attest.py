# SPDX-License-Identifier: MIT
"""Attestations: an in-toto statement that these documents are about this image and these layers, in a DSSE envelope.

Sources: in-toto Attestation Framework, Statement v1 and the predicate Reference v0.1, which points at SBOMs by digest
and leaves them where they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orchestrator
from orchestrator.canonical import canonical_json, hex_of
from orchestrator.errors import TrustError, VerificationError
from orchestrator.oci.strict import load_json
from orchestrator.trust.dsse import Envelope, sign
from orchestrator.trust.public import PublicKey, Signer

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/reference/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that is attested: a name and its digest (`sha256:<hex>`)."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A document about the subjects: its file name, digest and media type."""

    name: str
    digest: str
    media_type: str


def statement(subjects: Iterable[Subject], references: Iterable[Reference]) -> bytes:
    """Return the statement as canonical JSON: the same subjects and documents give the same bytes."""
    return canonical_json(
        {
            "_type": STATEMENT,
            "subject": [
                {"name": each.name, "digest": {"sha256": hex_of(each.digest)}}
                for each in sorted(set(subjects), key=lambda each: (each.name, each.digest))
            ],
            "predicateType": PREDICATE,
            "predicate": {
                "attester": {"id": f"pkg:generic/pycontainer@{orchestrator.__version__}"},
                "references": [
                    {
                        "downloadLocation": f"file:{each.name}",
                        "name": each.name,
                        "digest": {"sha256": hex_of(each.digest)},
                        "mediaType": each.media_type,
                    }
                    for each in sorted(set(references), key=lambda each: (each.name, each.digest))
                ],
            },
        }
    )


def attest(subjects: Iterable[Subject], references: Iterable[Reference], signers: Sequence[Signer]) -> bytes:
    """Return the signed envelope; raises TrustError when there is no signer or nothing to sign."""
    payload = statement(subjects, references)
    if not signers:
        raise TrustError("nobody to sign", "no key was given", "'pycontainer key' makes the first one")
    if len(payload) > LIMIT:
        raise TrustError("too much to attest", f"the statement has {len(payload)} bytes, the limit is {LIMIT}")
    return sign(payload, PAYLOAD_TYPE, signers).to_bytes()


@dataclass(frozen=True)
class Attested:
    """A verified statement: whose keys signed it, what it is about, and the documents it points at."""

    keyids: tuple[str, ...]
    subjects: tuple[Subject, ...]
    references: tuple[Reference, ...]

    def names(self, digest: str) -> bool:
        """Tell whether a digest is one of the subjects."""
        return any(each.digest == digest for each in self.subjects)

    def covers(self, digest: str) -> bool:
        """Tell whether a document with that digest is referred to."""
        return any(each.digest == digest for each in self.references)


def verify(
    data: bytes,
    keys: Sequence[PublicKey],
    threshold: int,
    *,
    subjects: Iterable[Subject] = (),
    references: Iterable[Reference] = (),
) -> Attested:
    """Return the statement of an envelope that `threshold` of the keys signed.

    Every given subject and document must be in it with its digest. Raises TrustError when too few signed or it is
    something else, VerificationError when something given is not in it.
    """
    envelope = Envelope.from_bytes(data, payload_limit=LIMIT)
    keyids = envelope.verify(keys, threshold=threshold, payload_type=PAYLOAD_TYPE)
    found = _read(envelope.payload, tuple(keyids))
    for subject in subjects:
        if not found.names(subject.digest):
            raise VerificationError(f"{subject.name} is not attested", f"{subject.digest} is no subject", _HINT)
    for reference in references:
        if not found.covers(reference.digest):
            raise VerificationError(
                f"the document {reference.name} is not the attested one",
                f"{reference.digest} is not referred to",
                _HINT,
            )
    return found


_HINT = "something changed after it was attested: build and attest again, or restore what was attested"


def _read(payload: bytes, keyids: tuple[str, ...]) -> Attested:
    value = load_json(payload, "the attestation", limit=LIMIT, error=TrustError)
    try:
        if value["_type"] != STATEMENT or value["predicateType"] != PREDICATE:
            raise TrustError("the attestation is of another kind", f"{value['predicateType']!r:.120}")
        subjects = tuple(Subject(str(each["name"]), _digest(each)) for each in value["subject"])
        references = tuple(
            Reference(str(each.get("name", "")), _digest(each), str(each["mediaType"]))
            for each in value["predicate"]["references"]
        )
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise TrustError("the attestation does not have the right form", str(problem)[:200]) from problem
    return Attested(keyids, subjects, references)


def _digest(entry: dict[str, Any]) -> str:
    digest = f"sha256:{entry['digest']['sha256']}"
    hex_of(digest)
    return digest
