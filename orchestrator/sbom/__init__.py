# SPDX-License-Identifier: MIT
"""Software bills of materials: one document a layer, from facts and evidence, in formats that auditors' tools read."""

from orchestrator.sbom.check import Finding, check_spdx23
from orchestrator.sbom.layer import LayerFacts, layer_document
from orchestrator.sbom.model import Component, Document, LicenceFinding, Product
from orchestrator.sbom.spdx23 import spdx23_bytes
from orchestrator.sbom.summary import Summary, summarise

__all__ = [
    "Component",
    "Document",
    "Finding",
    "LayerFacts",
    "LicenceFinding",
    "Product",
    "Summary",
    "check_spdx23",
    "layer_document",
    "spdx23_bytes",
    "summarise",
]
