# SPDX-License-Identifier: MIT
"""Who made a layer: DSSE envelopes attached to it, with the public keys that verify them.

A key's id is the SHA-256 of its bytes, so the keys may come from anywhere: whom one believes is said by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.canonical import canonical_json
from orchestrator.errors import PyContainerError, TrustError
from orchestrator.oci.descriptor import MANIFEST_TYPE
from orchestrator.oci.layout import Layout
from orchestrator.oci.store import Store
from orchestrator.publish.model import PublishedLayer
from orchestrator.trust import ENVELOPE_TYPE, SIGNATURE_TYPE, Envelope, PublicKey, Signer
from orchestrator.trust.dsse import ENVELOPE_LIMIT, sign

PAYLOAD_TYPE = "application/vnd.pycontainer.layer.signature.v1+json"
KEY_TYPE = "application/vnd.pycontainer.public-key.v1+pem"
_KEY_LIMIT = 1024
_SIGNATURES = 64


@dataclass(frozen=True)
class Signature:
    """A signature that is attached: by which key, and whether it is right; nothing says that one knows the key."""

    keyid: str
    valid: bool


def signed_payload(layer: PublishedLayer) -> bytes:
    """Return what a signature of a layer signs: its digest, media type, name, version and size."""
    return canonical_json(
        {
            "digest": layer.id,
            "mediaType": MANIFEST_TYPE,
            "name": layer.config.name,
            "size": layer.descriptor.size,
            "version": layer.config.version,
        }
    )


def sign_layer(store: Store, layer: PublishedLayer, signers: Sequence[Signer]) -> str:
    """Sign a layer and attach signatures and public keys; returns the referrer's digest. Another's stay beside it."""
    if not signers:
        raise TrustError("nobody to sign", "no key was given", "'pycontainer key' makes the first one and lists them")
    envelope = sign(signed_payload(layer), PAYLOAD_TYPE, signers)
    blobs = [store.put_blob(envelope.to_bytes(), media_type=ENVELOPE_TYPE, limit=ENVELOPE_LIMIT)]
    for signer in sorted(signers, key=lambda each: each.public.keyid):
        blobs.append(store.put_blob(signer.public.pem, media_type=KEY_TYPE))
    return store.attach(layer.descriptor, SIGNATURE_TYPE, blobs).digest


def signatures(layout: Layout, layer: PublishedLayer) -> list[Signature]:
    """Return the signatures that are attached to a layer, by key id; what cannot be read counts for nothing."""
    payload = signed_payload(layer)
    found: dict[str, bool] = {}
    for entry in layout.referrers(layer.id, SIGNATURE_TYPE)[:_SIGNATURES]:
        try:
            envelopes, keys = [], []
            for part in layout.read_manifest(entry.digest).layers:
                if part.media_type == ENVELOPE_TYPE:
                    envelopes.append(Envelope.from_bytes(layout.read_blob(part.digest, limit=ENVELOPE_LIMIT)))
                elif part.media_type == KEY_TYPE:
                    keys.append(PublicKey.from_pem(layout.read_blob(part.digest, limit=_KEY_LIMIT)))
        except PyContainerError:
            continue
        for envelope in envelopes:
            right = envelope.payload_type == PAYLOAD_TYPE and envelope.payload == payload
            valid = set(envelope.valid_keys(keys)) if right else set()
            for one in envelope.signatures:
                found[one.keyid] = found.get(one.keyid, False) or one.keyid in valid
    return [Signature(keyid, valid) for keyid, valid in sorted(found.items())]


def check_signers(layout: Layout, layer: PublishedLayer, allowed: Sequence[str]) -> list[str]:
    """Return which of `allowed`, key ids or public keys in PEM, signed a layer; raises TrustError when none did."""
    wanted = {PublicKey.from_pem(text.encode()).keyid if text.startswith("-") else text for text in allowed}
    made = signatures(layout, layer)
    if good := [one.keyid for one in made if one.valid and one.keyid in wanted]:
        return good
    by = ", ".join(f"{one.keyid[:16]}{'' if one.valid else ' (wrong)'}" for one in made)
    raise TrustError(
        f"layer {layer.config.name} {layer.config.version} is not signed by who may sign it",
        f"it is signed by {by}; allowed are {', '.join(sorted(each[:16] for each in wanted))}"
        if by
        else "nobody signed it",
        "ask the team that makes it; its key's id belongs into 'signers' of the layer in the product file",
    )
