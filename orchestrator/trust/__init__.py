# SPDX-License-Identifier: MIT
"""Keys and signatures: who may say what a device runs.

    keys = product_keys("demo")             # made on first use; .folder, .keys, .threshold, .public_keys()
    sign_revision(store, revision, keys.signers())          # DSSE envelope, attached; a second signer's is merged in
    report = verify_revision(store, revision, keys.public_keys(), keys.threshold)   # UnverifiedError: exit code 7
    envelope = revision_envelope(store, revision, keys.public_keys())    # the device's envelope blob
    product_facts(product, machine, keys.facts_keys(), threshold=keys.threshold)    # orchestrator.revision
    new_key(product, name), add_public_key(product, name, PublicKey.from_pem(data)), set_threshold(product, k),
    load_keys(product)                      # changes nothing; key.public.pem is what `key export` prints

Private keys never leave their folder ($PYCONTAINER_KEYS/<product>/ or ~/.local/share/pycontainer/keys/<product>/);
anything with `public` and `sign(message)` is a `Signer`, so a token or an agent fits in the place of a file.
"""

from __future__ import annotations

from orchestrator.trust.dsse import ENVELOPE_TYPE, Envelope, Signature, pae
from orchestrator.trust.keys import (
    NamedKey,
    ProductKeys,
    add_public_key,
    keys_folder,
    load_keys,
    new_key,
    product_keys,
    set_threshold,
)
from orchestrator.trust.private import PrivateKey
from orchestrator.trust.public import PublicKey, Signer
from orchestrator.trust.sign import (
    PAYLOAD_TYPE,
    SIGNATURE_TYPE,
    Step,
    UnverifiedError,
    VerificationReport,
    merged_envelope,
    revision_envelope,
    sign_revision,
    signed_payload,
    trusted_envelope,
    verify_revision,
)

__all__ = [
    "ENVELOPE_TYPE",
    "PAYLOAD_TYPE",
    "SIGNATURE_TYPE",
    "Envelope",
    "NamedKey",
    "PrivateKey",
    "ProductKeys",
    "PublicKey",
    "Signature",
    "Signer",
    "Step",
    "UnverifiedError",
    "VerificationReport",
    "add_public_key",
    "keys_folder",
    "load_keys",
    "merged_envelope",
    "new_key",
    "pae",
    "product_keys",
    "revision_envelope",
    "set_threshold",
    "sign_revision",
    "signed_payload",
    "trusted_envelope",
    "verify_revision",
]
