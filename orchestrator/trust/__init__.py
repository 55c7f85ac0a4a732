# SPDX-License-Identifier: MIT
"""Keys and signatures: who may say what a device runs.

    keys = product_keys("demo")             # made on first use; .folder, .keys, .threshold, .public_keys()
    sign_revision(store, revision, keys.signers())          # DSSE envelope, attached; a second signer's is merged in
    report = verify_revision(store, revision, keys.public_keys(), keys.threshold)   # UnverifiedError: exit code 7
    sign_release(store, release, keys.signers()); verify_release(store, release.id, keys.public_keys(), keys.threshold)
    envelope = revision_envelope(store, revision, keys.public_keys())    # the device's envelope blob
    product_facts(product, machine, keys.facts_keys(), threshold=keys.threshold)    # orchestrator.revision
    new_key(product, name), add_public_key(product, name, PublicKey.from_pem(data)), set_threshold(product, k),
    load_keys(product)                      # changes nothing; key.public.pem is what `key export` prints

    role = keys.role("channel")             # .keys, .threshold
    pointer = next_pointer(store, revision, "main", now=now())      # version + 1, floor kept; nothing is written
    issue(store, pointer, keys.signers("channel"))                  # signed, attached, tagged: pointer_tag(...)
    accept_pointer(store, digest, role, product=..., machine=..., channel="main")   # what was fetched; or was pushed
    publish_roots(store, keys.chain)        # tags root/<N>: the root documents travel with the store
    accept_roots(store, digests, product, keyid=...)    # fetched ones: verified, tagged, kept with the keys
    registry_tag("main", machine)           # the pointer's tag in a registry; in a store pointer_tag("main", machine)

Private keys never leave their folder ($PYCONTAINER_KEYS/<product>/ or ~/.local/share/pycontainer/keys/<product>/);
anything with `public` and `sign(message)` is a `Signer`, so a token or an agent fits in the place of a file.
"""

from __future__ import annotations

from orchestrator.trust.changing import add_public_key, new_key, set_threshold
from orchestrator.trust.channel import (
    DEFAULT_CHANNEL,
    POINTER_PAYLOAD,
    POINTER_TYPE,
    Pointer,
    SignedPointer,
    check_channel,
    issue,
    next_pointer,
    pointer_tag,
    pointers,
    read_pointer,
    registry_tag,
    seen_tag,
    tagged_pointer,
)
from orchestrator.trust.dsse import ENVELOPE_TYPE, Envelope, Signature, pae
from orchestrator.trust.following import accept_pointer, check_revision, known_pointer, time_floor, verify_pointer
from orchestrator.trust.keyfiles import keys_folder
from orchestrator.trust.keys import NamedKey, ProductKeys, load_keys, product_keys
from orchestrator.trust.private import PrivateKey
from orchestrator.trust.public import PublicKey, Signer
from orchestrator.trust.published import (
    ROOT_TYPE,
    accept_roots,
    publish_roots,
    read_root,
    read_roots,
    registry_root_tag,
    root_entries,
    root_tag,
)
from orchestrator.trust.releases import RELEASE_PAYLOAD, release_envelope, sign_release, verify_release
from orchestrator.trust.report import Step, UnverifiedError, VerificationReport
from orchestrator.trust.role import ROLES, Role, RoleName
from orchestrator.trust.root import ROOT_PAYLOAD, Chain, Root, SignedRoot
from orchestrator.trust.rootchange import Proposal, propose, sign_root, take_roots
from orchestrator.trust.rotation import drop, rotate
from orchestrator.trust.sign import (
    PAYLOAD_TYPE,
    SIGNATURE_TYPE,
    merged_envelope,
    revision_envelope,
    sign_revision,
    signed_payload,
    trusted_envelope,
    verify_revision,
)

__all__ = [
    "DEFAULT_CHANNEL",
    "ENVELOPE_TYPE",
    "PAYLOAD_TYPE",
    "POINTER_PAYLOAD",
    "POINTER_TYPE",
    "RELEASE_PAYLOAD",
    "ROLES",
    "ROOT_PAYLOAD",
    "ROOT_TYPE",
    "SIGNATURE_TYPE",
    "Chain",
    "Envelope",
    "NamedKey",
    "Pointer",
    "PrivateKey",
    "ProductKeys",
    "Proposal",
    "PublicKey",
    "Role",
    "RoleName",
    "Root",
    "Signature",
    "SignedPointer",
    "SignedRoot",
    "Signer",
    "Step",
    "UnverifiedError",
    "VerificationReport",
    "accept_pointer",
    "accept_roots",
    "add_public_key",
    "check_channel",
    "check_revision",
    "drop",
    "issue",
    "keys_folder",
    "known_pointer",
    "load_keys",
    "merged_envelope",
    "new_key",
    "next_pointer",
    "pae",
    "pointer_tag",
    "pointers",
    "product_keys",
    "propose",
    "publish_roots",
    "read_pointer",
    "read_root",
    "read_roots",
    "registry_root_tag",
    "registry_tag",
    "release_envelope",
    "revision_envelope",
    "root_entries",
    "root_tag",
    "rotate",
    "seen_tag",
    "set_threshold",
    "sign_release",
    "sign_revision",
    "sign_root",
    "signed_payload",
    "tagged_pointer",
    "take_roots",
    "time_floor",
    "trusted_envelope",
    "verify_pointer",
    "verify_release",
    "verify_revision",
]
