# SPDX-License-Identifier: MIT
"""The documents of the flashable image, and how documents travel with a revision."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orchestrator.build.assemble import Assembled
from orchestrator.build.documents import paths_of, put
from orchestrator.build.workspace import Workspace
from orchestrator.deploy import Deploy
from orchestrator.image.writer import ImageResult
from orchestrator.oci import Store
from orchestrator.product.model import Product
from orchestrator.revision import CYCLONEDX_TYPE, SPDX23_TYPE, SPDX_TYPE, Revision
from orchestrator.sbom import (
    Aggregate,
    ImageFile,
    cyclonedx_aggregate_bytes,
    spdx3_aggregate_bytes,
    spdx23_aggregate_bytes,
)
from orchestrator.sbom import Product as SbomProduct
from orchestrator.sbom.packages import purl


def image_documents(
    product: Product,
    place: Workspace,
    deploy: Deploy,
    revision: Revision,
    image: ImageResult,
    layers: Sequence[Assembled],
) -> dict[str, bytes]:
    """Make, write and return the documents of an image by media type: the union of those of its layers."""
    base = deploy.manifest.distribution
    supplier = product.supplier
    aggregate = Aggregate(
        image=image_file(image.image),
        product=SbomProduct(
            product.product,
            product.version,
            supplier.name if supplier else "",
            supplier.contact if supplier else "",
        ),
        machine=place.machine,
        created=deploy.manifest.source_date_epoch,
        documents=tuple(entry.documents.document for entry in layers),
        base=f"{base.id} {base.version}",
        base_uri=purl("generic", "", base.id, base.version),
        revision=revision.id,
    )
    made = {
        SPDX_TYPE: spdx3_aggregate_bytes(aggregate),
        SPDX23_TYPE: spdx23_aggregate_bytes(aggregate),
        CYCLONEDX_TYPE: cyclonedx_aggregate_bytes(aggregate),
    }
    for path, data in zip(paths_of(place.sbom, place.image.stem), made.values(), strict=True):
        put(path, data)
    return made


def image_file(path: Path) -> ImageFile:
    """Return an image's name, size and hashes, both computed at once."""

    def digest(algorithm: str) -> str:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, algorithm).hexdigest()

    with ThreadPoolExecutor(2) as pool:
        short, long = pool.map(digest, ("sha256", "sha512"))
    return ImageFile(path.name, path.stat().st_size, short, long)


def attach_documents(
    store: Store, revision: Revision, documents: Mapping[str, bytes], annotations: Mapping[str, str]
) -> None:
    """Attach documents, by media type, to a revision as OCI referrers."""
    for kind, data in sorted(documents.items()):
        store.attach(revision.descriptor, kind, [store.put_blob(data, media_type=kind)], annotations=dict(annotations))
