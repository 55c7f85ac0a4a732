# SPDX-License-Identifier: MIT
"""A product for several machines: each is built, and a release index groups their revisions.

The index is an OCI image index (image-spec, image-index.md): a descriptor a revision, with its platform, its machine
and its version. It is a file of the build; the revisions themselves are in the store, each signed by itself.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.build.pipeline import BuildRequest
from orchestrator.build.pipeline import build as build_one
from orchestrator.build.summary import BuildSummary
from orchestrator.build.workspace import workspace
from orchestrator.canonical import canonical_json, write_atomically
from orchestrator.oci import Store
from orchestrator.oci.descriptor import INDEX_TYPE
from orchestrator.product.load import find_product_file, load_product
from orchestrator.progress import Reporter
from orchestrator.revision import Revision, load_revision

RELEASE_TYPE = "application/vnd.pycontainer.release.v1"
_MACHINE = "org.pycontainer.machine"
_VERSION = "org.opencontainers.image.version"
_VARIANTS = {"arm64": "v8", "arm": "v7"}
"""What Debian's packages are built for, in the image specification's words (image-index.md, platform variants)."""


@dataclass(frozen=True)
class Made:
    """What a build came to: a summary for each machine (named when there are several), and the release index."""

    summaries: tuple[tuple[str | None, BuildSummary], ...]
    index: Path | None = None

    def to_data(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {"machines": [each.to_data() for _, each in self.summaries], "release": str(self.index)}


def build(request: BuildRequest, reporter: Reporter) -> Made:
    """Build a product for the machine that is asked for, or for each of its machines in the file's order.

    Raises what `build_one` raises: the machines before are then built, and the release index is as it was.
    """
    file = find_product_file(request.place)
    product = load_product(file)
    if request.machine is not None or len(product.machines) == 1:
        return Made(((request.machine, build_one(request, reporter)),))
    summaries = []
    for machine in product.machines:
        summaries.append((machine, build_one(dataclasses.replace(request, machine=machine), reporter)))
    place = workspace(file, product)
    store = Store.open(place.store)
    index = place.build / f"{product.product}-{product.version}.index.json"
    write_atomically(index, release_index([load_revision(store, each.revision) for _, each in summaries]))
    return Made(tuple(summaries), index)


def release_index(revisions: list[Revision]) -> bytes:
    """Return the OCI image index that groups revisions of one product and version."""
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "artifactType": RELEASE_TYPE,
            "manifests": [_entry(each) for each in revisions],
            "annotations": {
                "org.opencontainers.image.title": revisions[0].config.product,
                _VERSION: revisions[0].config.version,
            },
        }
    )


def _entry(revision: Revision) -> dict[str, Any]:
    architecture = _OCI.get(revision.config.architecture, revision.config.architecture)
    platform = {"os": "linux", "architecture": architecture}
    if architecture in _VARIANTS:
        platform["variant"] = _VARIANTS[architecture]
    found = revision.descriptor
    return {
        "mediaType": found.media_type,
        "artifactType": found.artifact_type or revision.manifest.artifact_type,
        "digest": found.digest,
        "size": found.size,
        "platform": platform,
        "annotations": {_MACHINE: revision.config.machine, _VERSION: revision.config.version},
    }


_OCI = {"armhf": "arm"}
"""Debian's names of architectures where the image specification has another (GOARCH)."""
