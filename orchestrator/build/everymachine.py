# SPDX-License-Identifier: MIT
"""A product for several machines: each is built, and an index groups the candidates.

The index has the form of a release (`revision.release`) and is a file of the build, for people and tools: what is
signed and travels is the release that a commit makes of what it recorded.
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
from orchestrator.canonical import sha256_digest, write_atomically
from orchestrator.oci import Store
from orchestrator.product.load import find_product_file, load_product
from orchestrator.progress import Reporter
from orchestrator.revision import load_revision, release_bytes


@dataclass(frozen=True)
class Made:
    """What a build came to: a summary for each machine (named when there are several), and the index.

    `index` is the file, `release` the digest of its bytes: the id that the candidates' release has.
    """

    summaries: tuple[tuple[str | None, BuildSummary], ...]
    index: Path | None = None
    release: str | None = None

    def to_data(self) -> dict[str, Any]:
        """Return it as plain values for JSON; `release` is a digest wherever the word stands, `index` is the file."""
        machines = [each.to_data() for _, each in self.summaries]
        return {"machines": machines, "release": self.release, "index": str(self.index)}


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
    data = release_bytes([load_revision(store, each.revision) for _, each in summaries])
    write_atomically(index, data)
    return Made(tuple(summaries), index, sha256_digest(data))
