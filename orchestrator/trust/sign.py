# SPDX-License-Identifier: MIT
"""Signing revisions and verifying them: DSSE envelopes attached as OCI referrers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.canonical import canonical_json
from orchestrator.errors import PyContainerError, TrustError, VerificationError
from orchestrator.oci.descriptor import MANIFEST_TYPE, Descriptor
from orchestrator.oci.layout import Layout
from orchestrator.oci.store import Store
from orchestrator.revision.assemble import Revision, read_revision
from orchestrator.trust.dsse import ENVELOPE_LIMIT, ENVELOPE_TYPE, Envelope, merge, pae, sign
from orchestrator.trust.public import PublicKey, Signer
from orchestrator.trust.report import THRESHOLD, UnverifiedError, VerificationReport

SIGNATURE_TYPE = "application/vnd.pycontainer.signature.v1"
PAYLOAD_TYPE = "application/vnd.pycontainer.revision.signature.v1+json"


def signed_payload(revision: Revision) -> bytes:
    """Return what a signature of this revision signs: its digest, media type, product and size."""
    return canonical_json(
        {
            "digest": revision.id,
            "mediaType": MANIFEST_TYPE,
            "product": revision.config.product,
            "size": revision.descriptor.size,
        }
    )


def sign_revision(store: Store, revision: Revision, signers: Sequence[Signer]) -> str:
    """Sign a revision and attach the signatures; returns the digest of the referrer manifest.

    Signatures that are there already are kept, in one envelope with the new ones, so that signers may sign one after
    the other; two who sign at once wait for each other. The same keys give the same bytes. Raises TrustError when
    there is no signer.
    """
    if not signers:
        raise TrustError("nobody to sign", "no key was given", "'pycontainer key' makes the first one and lists them")
    made = sign(signed_payload(revision), PAYLOAD_TYPE, signers)
    own = {one.keyid for one in made.signatures}
    with store.locked():
        before = _signatures(store, revision)
        others = [
            replace(envelope, signatures=tuple(one for one in envelope.signatures if one.keyid not in own))
            for envelopes in before.values()
            for envelope in envelopes
        ]
        blob = store.put_blob(merge([made, *others]).to_bytes(), media_type=ENVELOPE_TYPE, limit=ENVELOPE_LIMIT)
        attached = store.attach(revision.descriptor, SIGNATURE_TYPE, [blob], instead_of=list(before))
    return attached.digest


def revision_envelope(store: Store, revision: Revision, public_keys: Sequence[PublicKey]) -> Descriptor:
    """Store the envelope of `trusted_envelope`, which the device gets, and return its descriptor."""
    data = trusted_envelope(store, revision, public_keys)
    return store.put_blob(data, media_type=ENVELOPE_TYPE, limit=ENVELOPE_LIMIT)


def trusted_envelope(store: Layout, revision: Revision, public_keys: Sequence[PublicKey]) -> bytes:
    """Return one envelope with all signatures of a revision by `public_keys`.

    Signatures that are wrong or by other keys are left out. Raises TrustError when none remains.
    """
    envelopes = [envelope for found in _signatures(store, revision).values() for envelope in found]
    message = pae(PAYLOAD_TYPE, signed_payload(revision))
    known = {key.keyid: key for key in public_keys}
    valid = {
        one.keyid: one
        for envelope in envelopes
        for one in envelope.signatures
        if one.keyid in known and known[one.keyid].verifies(one.sig, message)
    }
    if not valid:
        raise TrustError(f"revision {revision.short} is not signed", "no valid signature by a trusted key", _SIGN)
    return Envelope(signed_payload(revision), PAYLOAD_TYPE, tuple(valid[keyid] for keyid in sorted(valid))).to_bytes()


def merged_envelope(store: Layout, revision: Revision) -> bytes:
    """Return one envelope with every signature over a revision, whoever made it: whoever gets it verifies it.

    Raises TrustError when there is none.
    """
    envelopes = [envelope for found in _signatures(store, revision).values() for envelope in found]
    if not envelopes:
        raise TrustError(f"revision {revision.short} is not signed", "no signature is attached to it", _SIGN)
    return merge(envelopes).to_bytes()


def verify_revision(
    store: Layout,
    revision: Revision | str,
    public_keys: Sequence[PublicKey],
    threshold: int,
    *,
    product: str | None = None,
    blobs: bool = True,
) -> VerificationReport:
    """Verify a revision of the store (itself, or by its id) and return what was checked, step by step.

    At least `threshold` different ones of `public_keys` must have signed it. `product`, when given, is the product
    that it must be for. With `blobs`, every blob of it is read and compared with its digest. Works offline.
    Raises UnverifiedError (a TrustError, exit code 7) with the same report when a step fails.
    """
    identity = revision if isinstance(revision, str) else revision.id
    report = VerificationReport(identity)
    try:
        found = read_revision(store, identity)
    except VerificationError as problem:
        report.note("manifest", False, f"{problem.what}: {problem.why}")
        raise _failed(report, problem) from problem
    config = found.config
    report.note("manifest", True, f"{found.descriptor.size} bytes with the digest {found.id}")
    report.note("configuration", True, f"{config.product} {config.version} for {config.machine}, canonical")
    if product is not None and not report.note("product", config.product == product, f"it is for {config.product!r}"):
        raise _failed(report, TrustError("wrong product", f"it is for {config.product!r}, not for {product!r}"))
    _check_signatures(store, found, public_keys, threshold, report)
    if blobs:
        _check_blobs(store, found, report)
    return report


_SIGN = "sign it where the keys are that must: pycontainer sign REVISION; 'pycontainer key' tells which are here"


def _check_signatures(
    store: Layout, revision: Revision, keys: Sequence[PublicKey], threshold: int, report: VerificationReport
) -> None:
    payload = signed_payload(revision)
    trusted = {key.keyid for key in keys}
    referrers = store.referrers(revision.id, SIGNATURE_TYPE)
    valid: set[str] = set()
    for descriptor in referrers:
        name = f"signature {descriptor.digest[7:19]}"
        try:
            envelopes = _envelopes(store, descriptor)
        except PyContainerError as problem:
            # A bad envelope must not hide a good one: anybody may attach one. It only counts for nothing.
            report.ignore(name, f"{problem.what}: {problem.why}")
            continue
        for envelope in envelopes:
            if envelope.payload_type != PAYLOAD_TYPE or envelope.payload != payload:
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
        raise _failed(report, TrustError("not signed as required", detail, _SIGN))


def _check_blobs(store: Layout, revision: Revision, report: VerificationReport) -> None:
    done: set[str] = set()
    total = 0
    for part in revision.manifest.layers:
        if part.digest in done:
            continue
        try:
            store.verify_blob(part.digest, part.size)
        except VerificationError as problem:
            report.note("blobs", False, f"{problem.what}: {problem.why}")
            raise _failed(report, problem) from problem
        done.add(part.digest)
        total += part.size
    report.note("blobs", True, f"{len(done)} blobs, {total} bytes, each with its digest")


def _signatures(store: Layout, revision: Revision) -> dict[str, list[Envelope]]:
    """Return the readable envelopes over this revision, by the digest of the referrer that holds them."""
    payload = signed_payload(revision)
    found: dict[str, list[Envelope]] = {}
    for descriptor in store.referrers(revision.id, SIGNATURE_TYPE):
        try:
            envelopes = _envelopes(store, descriptor)
        except PyContainerError:
            continue
        if envelopes and all((one.payload, one.payload_type) == (payload, PAYLOAD_TYPE) for one in envelopes):
            found[descriptor.digest] = envelopes
    return found


def _envelopes(store: Layout, descriptor: Descriptor) -> list[Envelope]:
    parts = [part for part in store.read_manifest(descriptor.digest).layers if part.media_type == ENVELOPE_TYPE]
    return [Envelope.from_bytes(store.read_blob(part.digest, limit=ENVELOPE_LIMIT)) for part in parts]


def _failed(report: VerificationReport, problem: PyContainerError) -> UnverifiedError:
    return UnverifiedError(
        f"revision {report.revision.removeprefix('sha256:')[:12]} does not verify",
        f"{problem.what}: {problem.why}" if problem.why else problem.what,
        problem.hint or "fetch or build it again, and check which keys are trusted: pycontainer key",
        report,
    )
