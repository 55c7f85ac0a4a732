# SPDX-License-Identifier: MIT
"""Signing revisions and verifying them: DSSE envelopes attached as OCI referrers."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.canonical import canonical_json
from orchestrator.errors import TrustError, VerificationError
from orchestrator.oci.descriptor import MANIFEST_TYPE, Descriptor
from orchestrator.oci.layout import Layout
from orchestrator.oci.store import Store
from orchestrator.revision.assemble import Revision, read_revision
from orchestrator.trust.dsse import ENVELOPE_LIMIT, ENVELOPE_TYPE, merge
from orchestrator.trust.public import PublicKey, Signer
from orchestrator.trust.report import VerificationReport
from orchestrator.trust.statement import (
    SIGN_HINT,
    SIGNATURE_TYPE,
    Statement,
    attach_signatures,
    attached_envelopes,
    check_signatures,
    failed,
    trusted_envelope_of,
)

__all__ = [
    "PAYLOAD_TYPE",
    "SIGNATURE_TYPE",
    "merged_envelope",
    "revision_envelope",
    "sign_revision",
    "signed_payload",
    "trusted_envelope",
    "verify_revision",
]

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
    return attach_signatures(store, _statement(revision), signers)


def _statement(revision: Revision) -> Statement:
    return Statement(f"revision {revision.short}", revision.descriptor, signed_payload(revision), PAYLOAD_TYPE)


def revision_envelope(store: Store, revision: Revision, public_keys: Sequence[PublicKey]) -> Descriptor:
    """Store the envelope of `trusted_envelope`, which the device gets, and return its descriptor."""
    data = trusted_envelope(store, revision, public_keys)
    return store.put_blob(data, media_type=ENVELOPE_TYPE, limit=ENVELOPE_LIMIT)


def trusted_envelope(store: Layout, revision: Revision, public_keys: Sequence[PublicKey]) -> bytes:
    """Return one envelope with all signatures of a revision by `public_keys`.

    Signatures that are wrong or by other keys are left out. Raises TrustError when none remains.
    """
    return trusted_envelope_of(store, _statement(revision), public_keys)


def merged_envelope(store: Layout, revision: Revision) -> bytes:
    """Return one envelope with every signature over a revision, whoever made it: whoever gets it verifies it.

    Raises TrustError when there is none.
    """
    envelopes = [envelope for found in attached_envelopes(store, _statement(revision)).values() for envelope in found]
    if not envelopes:
        raise TrustError(f"revision {revision.short} is not signed", "no signature is attached to it", SIGN_HINT)
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
    name = f"revision {identity.removeprefix('sha256:')[:12]}"
    try:
        found = read_revision(store, identity)
    except VerificationError as problem:
        report.note("manifest", False, f"{problem.what}: {problem.why}")
        raise failed(name, report, problem) from problem
    config = found.config
    report.note("manifest", True, f"{found.descriptor.size} bytes with the digest {found.id}")
    report.note("configuration", True, f"{config.product} {config.version} for {config.machine}, canonical")
    if product is not None and not report.note("product", config.product == product, f"it is for {config.product!r}"):
        raise failed(name, report, TrustError("wrong product", f"it is for {config.product!r}, not for {product!r}"))
    check_signatures(store, _statement(found), public_keys, threshold, report)
    if blobs:
        _check_blobs(store, found, report)
    return report


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
            raise failed(f"revision {revision.short}", report, problem) from problem
        done.add(part.digest)
        total += part.size
    report.note("blobs", True, f"{len(done)} blobs, {total} bytes, each with its digest")
