# SPDX-License-Identifier: MIT
"""Signing releases and verifying them: the keys that sign a product's revisions sign what groups them.

A release says which revisions belong together, and is no promise that they are the newest: that is what a channel's
signed, numbered pointers say.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.canonical import canonical_json
from orchestrator.errors import TrustError, VerificationError
from orchestrator.oci.descriptor import INDEX_TYPE
from orchestrator.oci.layout import Layout
from orchestrator.oci.store import Store
from orchestrator.revision import Release, check_release, read_release
from orchestrator.trust.public import PublicKey, Signer
from orchestrator.trust.report import VerificationReport
from orchestrator.trust.statement import Statement, attach_signatures, check_signatures, failed, trusted_envelope_of

RELEASE_PAYLOAD = "application/vnd.pycontainer.release.signature.v1+json"


def release_statement(release: Release) -> Statement:
    """Return what a signature of a release signs: its digest, media type, product and size."""
    payload = canonical_json(
        {
            "digest": release.id,
            "mediaType": INDEX_TYPE,
            "product": release.product,
            "size": release.descriptor.size,
        }
    )
    return Statement(f"release {release.short}", release.descriptor, payload, RELEASE_PAYLOAD)


def sign_release(store: Store, release: Release, signers: Sequence[Signer]) -> str:
    """Sign a release and attach the signatures to its index, as `sign_revision` does; returns the referrer's digest."""
    return attach_signatures(store, release_statement(release), signers)


def release_envelope(layout: Layout, release: Release, public_keys: Sequence[PublicKey]) -> bytes:
    """Return one envelope with all signatures of a release by `public_keys`, as `trusted_envelope` does."""
    return trusted_envelope_of(layout, release_statement(release), public_keys)


def verify_release(
    layout: Layout,
    digest: str,
    keys: Sequence[PublicKey],
    threshold: int,
    *,
    product: str | None = None,
    revisions: bool = True,
) -> VerificationReport:
    """Verify a release of a store by its id and return what was checked, step by step; works offline.

    At least `threshold` different ones of `keys` must have signed it. With `revisions`, each of its revisions must be
    here and be what the release says of it; their own signatures are asked by `verify_revision`. Raises
    UnverifiedError (a TrustError, exit code 7) with the same report when a step fails.
    """
    report = VerificationReport(digest)
    name = f"release {digest.removeprefix('sha256:')[:12]}"
    try:
        release = read_release(layout, digest)
    except VerificationError as problem:
        report.note("release", False, f"{problem.what}: {problem.why}")
        raise failed(name, report, problem) from problem
    what = " ".join(filter(None, (release.product, release.version)))
    report.note("release", True, f"{what} for {', '.join(release.machines)}, canonical")
    if product is not None and not report.note("product", release.product == product, f"it is for {release.product!r}"):
        why = f"it is for {release.product!r}, not for {product!r}"
        raise failed(name, report, TrustError("wrong product", why))
    check_signatures(layout, release_statement(release), keys, threshold, report)
    if revisions:
        try:
            found = check_release(layout, release)
        except VerificationError as problem:
            report.note("revisions", False, f"{problem.what}: {problem.why}")
            raise failed(name, report, problem) from problem
        report.note("revisions", True, f"{len(found)}, each what the release says of it")
    return report
