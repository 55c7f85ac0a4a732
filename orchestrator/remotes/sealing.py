# SPDX-License-Identifier: MIT
"""Sources of a revision are attached to it, and its own signature does not cover them: so they are signed themselves.

A DSSE envelope over digest, media type and size of the artefact, attached to it. What is made here is signed before it
travels; what came from elsewhere is kept only when it is signed. So whoever can write to a registry cannot slip a
product file in.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from orchestrator.canonical import canonical_json
from orchestrator.errors import PyContainerError
from orchestrator.history.source import SOURCE_TYPE
from orchestrator.oci import MANIFEST_TYPE, Descriptor, Store
from orchestrator.oci.layout import Layout
from orchestrator.trust import ENVELOPE_TYPE, SIGNATURE_TYPE, Envelope, PublicKey, Signer
from orchestrator.trust.dsse import ENVELOPE_LIMIT, sign

PAYLOAD_TYPE = "application/vnd.pycontainer.source.signature.v1+json"
_SIGNATURES = 32


def seal_sources(store: Store, revisions: Iterable[str], signers: Sequence[Signer], keys: Sequence[PublicKey]) -> None:
    """Sign the sources of revisions that none of `keys` has signed yet; without a signer they stay as they are."""
    if not signers:
        return
    for digest in revisions:
        for entry in store.referrers(digest, SOURCE_TYPE):
            if not sealed(store, entry, keys):
                envelope = sign(_payload(entry), PAYLOAD_TYPE, signers)
                with store.locked():
                    blob = store.put_blob(envelope.to_bytes(), media_type=ENVELOPE_TYPE, limit=ENVELOPE_LIMIT)
                    store.attach(entry, SIGNATURE_TYPE, [blob])


def drop_unsealed(store: Store, revisions: Iterable[str], keys: Sequence[PublicKey], own: Container[str]) -> int:
    """Take sources that none of `keys` signed out of the index, before they are packed; returns how many those were.

    `own` are those that were here before: what is made here is signed when it travels.
    """
    found = [
        entry.digest
        for digest in revisions
        for entry in store.referrers(digest, SOURCE_TYPE)
        if entry.digest not in own and not sealed(store, entry, keys)
    ]
    store.index.drop(found)
    return len(found)


def sealed(layout: Layout, source: Descriptor, keys: Sequence[PublicKey]) -> bool:
    """Whether one of `keys` signed a source."""
    payload = _payload(source)
    for entry in layout.referrers(source.digest, SIGNATURE_TYPE)[:_SIGNATURES]:
        try:
            for part in layout.read_manifest(entry.digest).layers:
                envelope = Envelope.from_bytes(layout.read_blob(part.digest, limit=ENVELOPE_LIMIT))
                if (envelope.payload, envelope.payload_type) == (payload, PAYLOAD_TYPE) and envelope.valid_keys(keys):
                    return True
        except PyContainerError:
            continue  # anybody may attach anything; it only counts for nothing
    return False


def _payload(source: Descriptor) -> bytes:
    return canonical_json({"digest": source.digest, "mediaType": MANIFEST_TYPE, "size": source.size})
