# SPDX-License-Identifier: MIT
"""Whether a build has anything to do: the digest of its inputs, and what the last one left."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.build.base import fingerprint as base_fingerprint
from orchestrator.build.documents import paths_of
from orchestrator.build.source import layer_paths, product_source
from orchestrator.build.stamp import combine, file_state, tree_fingerprint
from orchestrator.build.summary import BuildSummary, from_data
from orchestrator.build.workspace import Workspace
from orchestrator.deploy import MANIFEST_NAME, Deploy
from orchestrator.errors import PyContainerError
from orchestrator.history.source import attach_source, read_source
from orchestrator.oci import Store
from orchestrator.product.model import Product
from orchestrator.revision import candidate_tag, load_revision, read_revision
from orchestrator.sbom import sourcehashes
from orchestrator.sbom.curation import CURATION_FILE
from orchestrator.sbom.curation import load as load_curations
from orchestrator.sbom.handmade import read as read_handmade
from orchestrator.trust import ProductKeys


def product_fingerprint(
    product: Product, place: Workspace, keys: ProductKeys, pins: Mapping[str, str] | None = None
) -> str:
    """Return the digest of what the orchestrator's own steps depend on, beside the base; `pins` are those of images.

    Raises ConfigError when a file that the product file names is missing.
    """
    return combine(
        {
            "product": msgspec.to_builtins(product),
            "machine": place.machine,
            "sources": tree_fingerprint(place.root / path for path in layer_paths(product)),
            "images": dict(pins or {}),
            "components": [
                msgspec.to_builtins(each) for path in product.components for each in read_handmade(place.root / path)
            ],
            "curations": msgspec.to_builtins(load_curations(place.root / CURATION_FILE)),
            "sourceHashes": msgspec.to_builtins(sourcehashes.load(place.root / sourcehashes.SOURCES_FILE)),
            "keys": keys.facts_keys(),
            "threshold": keys.threshold,
            "code": code_fingerprint(),
        }
    )


@functools.cache
def code_fingerprint() -> str:
    """Return the digest of the orchestrator itself: another release may assemble differently."""
    return tree_fingerprint([Path(__file__).resolve().parents[1]])


def output_states(place: Workspace) -> dict[str, list[int]]:
    return {path.name: file_state(path) for path in (place.image, place.bmap)}


def unchanged(product: Product, place: Workspace, last: dict[str, Any], inputs: str) -> BuildSummary | None:
    """Return the last summary when inputs, base and outputs are those of the last build."""
    if last.get("inputs") != inputs or last.get("files") != output_states(place) or not place.image.exists():
        return None
    summary = from_data(last.get("summary"))
    if summary is None:
        return None
    names = [*(layer.name for layer in summary.layers), place.image.stem]
    if not all(path.exists() for name in names for path in paths_of(place.sbom, name)):
        return None
    try:
        store = Store.open(place.store)
        revision = read_revision(store, summary.revision)
        if load_revision(store, candidate_tag(place.machine)).id != revision.id:
            return None
    except PyContainerError:
        return None
    if not all(store.has_blob(blob.digest, blob.size) for blob in revision.blobs()):
        return None
    if not (place.deploy / MANIFEST_NAME).exists() or not Deploy(place.deploy).intact():
        return None
    return summary if last.get("base") == base_fingerprint(product, place) else None


def renew_source(product: Product, place: Workspace, revision: str) -> None:
    """Take in what changes a product's files and no layer: a comment, say. So what lies here is what was built."""
    store = Store.open(place.store)
    listed, contents = product_source(product, place)
    with store.together():
        if read_source(store, revision) != listed:
            attach_source(store, read_revision(store, revision), listed, contents)
