# SPDX-License-Identifier: MIT
"""Software bills of materials: one document a layer, from facts and evidence, in formats that auditors' tools read."""

from orchestrator.sbom.check import Finding, check_spdx23
from orchestrator.sbom.cyclonedx import cyclonedx_aggregate_bytes, cyclonedx_bytes
from orchestrator.sbom.layer import LayerFacts, layer_document
from orchestrator.sbom.model import Aggregate, Blob, Component, Document, ImageFile, LicenceFinding, Product
from orchestrator.sbom.spdx3 import spdx3_aggregate_bytes, spdx3_bytes
from orchestrator.sbom.spdx23 import spdx23_aggregate_bytes, spdx23_bytes
from orchestrator.sbom.summary import Summary, summarise

__all__ = [
    "Aggregate",
    "Blob",
    "Component",
    "Document",
    "Finding",
    "ImageFile",
    "LayerFacts",
    "LicenceFinding",
    "Product",
    "Summary",
    "check_spdx23",
    "cyclonedx_aggregate_bytes",
    "cyclonedx_bytes",
    "layer_document",
    "spdx3_aggregate_bytes",
    "spdx3_bytes",
    "spdx23_aggregate_bytes",
    "spdx23_bytes",
    "summarise",
]
