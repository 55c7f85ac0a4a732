# SPDX-License-Identifier: MIT
"""Signatures in cosign's format, so that `cosign verify --key` accepts a revision or a release in a registry.

The payload is a Simple Signing document, the signature over it an annotation of its descriptor (sigstore/cosign,
specs/SIGNATURE_SPEC.md, sections "OCI Image Manifest V1" and "Simple Signing"). The manifest is a referrer of what
is signed; cosign itself looks for the tag `sha256-<hex>.sig` ("Tag-based Discovery"), which a push sets.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TypeAlias

from orchestrator.canonical import canonical_json, sha256_digest
from orchestrator.errors import PyContainerError, TrustError
from orchestrator.oci.descriptor import Descriptor, Manifest
from orchestrator.oci.layout import Layout
from orchestrator.oci.store import Store
from orchestrator.oci.strict import load_json
from orchestrator.registry.revisions import COSIGN_TYPE
from orchestrator.revision.assemble import Revision
from orchestrator.revision.release import Release
from orchestrator.trust.public import PublicKey, Signer, strict_base64
from orchestrator.trust.report import VerificationReport

PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
"""The annotation with the base64 of a signature."""
_KIND = "cosign container image signature"
_LIMIT = 64 * 1024
Signable: TypeAlias = Revision | Release


def payload(what: Signable) -> bytes:
    """Return the Simple Signing document of a revision or a release; cosign ignores the identity."""
    product = what.product if isinstance(what, Release) else what.config.product
    return canonical_json(
        {
            "critical": {
                "identity": {"docker-reference": product},
                "image": {"docker-manifest-digest": what.id},
                "type": _KIND,
            },
            "optional": None,
        }
    )


def sign_for_cosign(store: Store, what: Signable, signers: Sequence[Signer]) -> Descriptor:
    """Attach signatures of a revision or a release that cosign understands, and return their manifest.

    Right ones by other keys that are there already are kept. Raises TrustError when there is no signer.
    """
    if not signers:
        raise TrustError("nobody to sign", "no key was given", "'pycontainer key' makes the first one and lists them")
    data = payload(what)
    made = {base64.b64encode(signer.sign(data)).decode() for signer in signers}
    own = [signer.public for signer in signers]
    with store.locked():
        before = _manifests(store, what)
        for manifest in before.values():
            for part in manifest.layers:
                text = part.annotations.get(SIGNATURE, "")
                if part.digest == sha256_digest(data) and not any(_signed(key, text, data) for key in own):
                    made.add(text)
        blob = store.put_blob(data, media_type=PAYLOAD_TYPE)
        parts = [blob.plain(**{SIGNATURE: text}) for text in sorted(made)]
        return store.attach(what.descriptor, COSIGN_TYPE, parts, instead_of=list(before))


def check_cosign(store: Layout, what: Signable, keys: Sequence[PublicKey], report: VerificationReport) -> None:
    """Add to a report what the signatures for cosign are worth: a valid one passes, another counts for nothing."""
    for digest, manifest in _manifests(store, what).items():
        name = f"cosign {digest[7:19]}"
        for part in manifest.layers:
            try:
                data = store.read_blob(part.digest, limit=_LIMIT)
                if _subject_of(data) != what.id:
                    report.ignore(name, "it signs something else")
                    continue
            except PyContainerError as problem:
                report.ignore(name, f"{problem.what}: {problem.why}")
                continue
            text = part.annotations.get(SIGNATURE, "")
            by = [key.keyid[:12] for key in keys if _signed(key, text, data)]
            if by:
                report.note(name, True, f"key {by[0]}: valid; 'cosign verify --key' accepts it")
            else:
                report.ignore(name, "not by a trusted key, or wrong")


def _manifests(store: Layout, what: Signable) -> dict[str, Manifest]:
    found = {}
    for entry in store.referrers(what.id, COSIGN_TYPE):
        try:
            found[entry.digest] = store.read_manifest(entry.digest)
        except PyContainerError:
            continue
    return found


def _subject_of(data: bytes) -> str:
    value = load_json(data, "the payload of a signature for cosign", limit=_LIMIT, error=TrustError)
    try:
        critical = value["critical"]
        return str(critical["image"]["docker-manifest-digest"]) if critical["type"] == _KIND else ""
    except (TypeError, KeyError):
        return ""


def _signed(key: PublicKey, text: str, data: bytes) -> bool:
    try:
        return key.verifies(strict_base64(text, "a signature"), data)
    except TrustError:
        return False
