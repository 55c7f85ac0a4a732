# SPDX-License-Identifier: MIT
"""Layers that travel alone: built, signed and published by the team that makes them, taken by products as they are.

layer = assemble_layer(store, LayerConfig(...), {"rootfs": ..., "tree": ..., "document": ...}, fsverity)
sign_layer(store, layer, keys.signers())
send_layer(store, layer, parse_reference("registry.example/team/kiosk:1.2"), root)      # or oci:DIR:TAG
brought = bring_layer(reference, resolve_layer(reference, root), root, store)           # whole, digests checked
check_signers(store, brought.layer, ["<key id>"])                                       # TrustError (7)
"""

from __future__ import annotations

from orchestrator.publish.bringing import Brought, bring_layer, layer_here, look_at, resolve_layer, send_layer
from orchestrator.publish.model import (
    DOCUMENT_LIMIT,
    DOCUMENT_TYPE,
    LAYER_TYPE,
    TREE_LIMIT,
    TREE_TYPE,
    LayerConfig,
    PublishedLayer,
    assemble_layer,
    read_layer,
)
from orchestrator.publish.signing import Signature, check_signers, sign_layer, signatures

__all__ = [
    "DOCUMENT_LIMIT",
    "DOCUMENT_TYPE",
    "LAYER_TYPE",
    "TREE_LIMIT",
    "TREE_TYPE",
    "Brought",
    "LayerConfig",
    "PublishedLayer",
    "Signature",
    "assemble_layer",
    "bring_layer",
    "check_signers",
    "layer_here",
    "look_at",
    "read_layer",
    "resolve_layer",
    "send_layer",
    "sign_layer",
    "signatures",
]
