# SPDX-License-Identifier: MIT
"""Signatures over a manifest or an index: DSSE envelopes in OCI artefacts whose subject it is.

What is signed is a statement of the digest, kind and size, under a payload type of its own for each kind of thing, so
that no signature over one counts for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.errors import PyContainerError, TrustError
from orchestrator.oci.descriptor import Descriptor
from orchestrator.oci.layout import Layout
from orchestrator.oci.store import Store
from orchestrator.trust.dsse import ENVELOPE_LIMIT, ENVELOPE_TYPE, Envelope, merge, pae, sign
from orchestrator.trust.public import PublicKey, Signer
from orchestrator.trust.report import THRESHOLD, UnverifiedError, VerificationReport

SIGNATURE_TYPE = "application/vnd.pycontainer.signature.v1"
"""The artefact type of the manifests that hold envelopes."""


@dataclass(frozen=True)
class Statement:
    """What a signature signs: `payload`, of a type, about `subject`; `name` is how messages call that."""

    name: str
    subject: Descriptor
    payload: bytes
    payload_type: str

    def is_in(self, envelope: Envelope) -> bool:
        """Whether an envelope is over this statement."""
        return (envelope.payload, envelope.payload_type) == (self.payload, self.payload_type)


def attach_signatures(store: Store, statement: Statement, signers: Sequence[Signer]) -> str:
    """Sign a statement and attach the signatures to its subject; returns the digest of the referrer manifest.

    Signatures that are there already are kept, in one envelope with the new ones, so that signers may sign one after
    the other; two who sign at once wait for each other. The same keys give the same bytes. Raises TrustError when
    there is no signer.
    """
    if not signers:
        raise TrustError("nobody to sign", "no key was given", "'pycontainer key' makes the first one and lists them")
    made = sign(statement.payload, statement.payload_type, signers)
    own = {one.keyid for one in made.signatures}
    with store.locked():
        before = attached_envelopes(store, statement)
        others = [
            replace(envelope, signatures=tuple(one for one in envelope.signatures if one.keyid not in own))
            for envelopes in before.values()
            for envelope in envelopes
        ]
        blob = store.put_blob(merge([made, *others]).to_bytes(), media_type=ENVELOPE_TYPE, limit=ENVELOPE_LIMIT)
        attached = store.attach(statement.subject, SIGNATURE_TYPE, [blob], instead_of=list(before))
    return attached.digest


def attached_envelopes(layout: Layout, statement: Statement) -> dict[str, list[Envelope]]:
    """Return the readable envelopes over a statement, by the digest of the referrer that holds them."""
    found: dict[str, list[Envelope]] = {}
    for descriptor in layout.referrers(statement.subject.digest, SIGNATURE_TYPE):
        try:
            envelopes = _envelopes(layout, descriptor)
        except PyContainerError:
            continue
        if envelopes and all(statement.is_in(one) for one in envelopes):
            found[descriptor.digest] = envelopes
    return found


def check_signatures(
    layout: Layout, statement: Statement, keys: Sequence[PublicKey], threshold: int, report: VerificationReport
) -> None:
    """Count which of `keys` signed a statement and note each step; at least `threshold` different ones must have.

    Raises UnverifiedError, with the report, when they are too few.
    """
    trusted = {key.keyid for key in keys}
    valid: set[str] = set()
    for descriptor in layout.referrers(statement.subject.digest, SIGNATURE_TYPE):
        name = f"signature {descriptor.digest[7:19]}"
        try:
            envelopes = _envelopes(layout, descriptor)
        except PyContainerError as problem:
            # A bad envelope must not hide a good one: anybody may attach one. It only counts for nothing.
            report.ignore(name, f"{problem.what}: {problem.why}")
            continue
        for envelope in envelopes:
            if not statement.is_in(envelope):
                report.ignore(name, "it signs something else")
                continue
            good = set(envelope.valid_keys(keys))
            valid |= good
            for keyid in sorted({one.keyid for one in envelope.signatures}):
                key = f"key {keyid[:12] or '(unnamed)'}"
                if keyid in good:
                    report.note(name, True, f"{key}: valid")
                else:
                    report.ignore(name, f"{key}: {'wrong signature' if keyid in trusted else 'not a trusted key'}")
    report.keyids = sorted(valid)
    detail = f"{len(valid)} of the {len(trusted)} trusted keys signed it; {threshold} must"
    if not report.note(THRESHOLD, threshold >= 1 and len(valid) >= threshold, detail):
        raise failed(statement.name, report, TrustError("not signed as required", detail, SIGN_HINT))


def trusted_envelope_of(layout: Layout, statement: Statement, keys: Sequence[PublicKey]) -> bytes:
    """Return one envelope with all signatures of a statement by `keys`.

    Signatures that are wrong or by other keys are left out. Raises TrustError when none remains.
    """
    envelopes = [envelope for found in attached_envelopes(layout, statement).values() for envelope in found]
    message = pae(statement.payload_type, statement.payload)
    known = {key.keyid: key for key in keys}
    valid = {
        one.keyid: one
        for envelope in envelopes
        for one in envelope.signatures
        if one.keyid in known and known[one.keyid].verifies(one.sig, message)
    }
    if not valid:
        raise TrustError(f"{statement.name} is not signed", "no valid signature by a trusted key", SIGN_HINT)
    signatures = tuple(valid[keyid] for keyid in sorted(valid))
    return Envelope(statement.payload, statement.payload_type, signatures).to_bytes()


SIGN_HINT = "sign it where the keys are that must: pycontainer sign REVISION; 'pycontainer key' tells which are here"


def failed(name: str, report: VerificationReport, problem: PyContainerError) -> UnverifiedError:
    """Return the error for what does not verify, with the report."""
    return UnverifiedError(
        f"{name} does not verify",
        f"{problem.what}: {problem.why}" if problem.why else problem.what,
        problem.hint or "fetch or build it again, and check which keys are trusted: pycontainer key",
        report,
    )


def _envelopes(layout: Layout, descriptor: Descriptor) -> list[Envelope]:
    parts = [part for part in layout.read_manifest(descriptor.digest).layers if part.media_type == ENVELOPE_TYPE]
    return [Envelope.from_bytes(layout.read_blob(part.digest, limit=ENVELOPE_LIMIT)) for part in parts]
