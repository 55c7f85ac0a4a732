# SPDX-License-Identifier: MIT
"""The revision of a build: into the store with documents, source and signature, and the candidate when all is there."""

from __future__ import annotations

from orchestrator.build.aggregate import attach_documents
from orchestrator.build.assemble import Assembled
from orchestrator.build.platform import conditions
from orchestrator.build.source import product_source
from orchestrator.build.workspace import Workspace
from orchestrator.deploy import Deploy
from orchestrator.errors import TrustError, VerificationError
from orchestrator.history.source import attach_source
from orchestrator.oci import Store
from orchestrator.product.model import Product
from orchestrator.revision import LAYER, Revision, RevisionConfig, assemble, created_at, set_candidate
from orchestrator.trust import ProductKeys, UnverifiedError, publish_roots, sign_revision, verify_revision


def check_store(place: Workspace) -> None:
    """Refuse a damaged store now, not after BitBake's minutes."""
    if not (place.store / "oci-layout").exists():
        return
    try:
        Store.open(place.store).index.tags()
    except VerificationError as problem:
        raise VerificationError(
            problem.what,
            problem.why,
            f"restore it from a copy; or remove {place.store} and build again, which makes the last revision anew",
        ) from problem


def commit_candidate(
    store: Store, product: Product, place: Workspace, deploy: Deploy, layers: list[Assembled], keys: ProductKeys
) -> Revision:
    """Write the revision, its SPDX documents and its signature; make it the candidate last, when all is there."""
    for entry in layers:
        for blob in entry.blobs.values():
            store.put_blob(blob.path, expected=blob.digest, adopt=True)
    config = RevisionConfig(
        product=product.product,
        version=product.version,
        machine=place.machine,
        architecture=deploy.manifest.architecture,
        created=created_at(deploy.manifest.source_date_epoch),
        security_version=product.security_version,
        confirm=conditions(product),
        apparmor_required=product.apparmor == "required",
        layers=[entry.layer for entry in layers],
    )
    listed, contents = product_source(product, place)
    with store.together():
        revision = assemble(store, config, [blob for entry in layers for blob in entry.revision_blobs()])
        for entry in layers:
            attach_documents(store, revision, entry.documents.formats(), {LAYER: entry.layer.name})
        attach_source(store, revision, listed, contents)
        sign_revision(store, revision, keys.signers())
        if keys.chain is not None:
            publish_roots(store, keys.chain)
        waits = None
        try:
            verify_revision(store, revision, keys.public_keys(), keys.threshold, product=product.product, blobs=False)
        except UnverifiedError as problem:
            if not problem.lacks_signatures:
                raise
            waits = problem
        set_candidate(store, revision)  # with too few signatures too: the others must be able to find and sign it
        store.pack(revision.id)
    if waits is not None:
        raise TrustError(
            f"revision {revision.short} is built, and waits for signatures",
            waits.report.steps[-1].detail,
            "let the holders of the other keys sign it (pycontainer sign), then build again: it goes on from there",
        ) from waits
    return revision
