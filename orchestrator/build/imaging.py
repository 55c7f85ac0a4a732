# SPDX-License-Identifier: MIT
"""A revision of the store as an image: what goes into it, and with whose programs it is made."""

from __future__ import annotations

from pathlib import Path

from orchestrator.build.base import PLATFORM
from orchestrator.build.workspace import Workspace
from orchestrator.deploy import Deploy
from orchestrator.image.board import Board, read_board
from orchestrator.image.writer import ImageRequest, ImageResult, write_image
from orchestrator.oci import Store
from orchestrator.product.model import Product
from orchestrator.product.units import parse_size
from orchestrator.revision import Revision
from orchestrator.run import Tools
from orchestrator.trust import ProductKeys, revision_envelope


def tools_of(deploy: Deploy) -> Tools:
    """Return the programs of a deploy folder: its native tools tree, or the host's when it has none."""
    tools = deploy.manifest.tools
    return Tools(deploy.resolve(tools.path) / "bin" if tools else None)


def image_of(
    store: Store, revision: Revision, product: Product, place: Workspace, deploy: Deploy, keys: ProductKeys, out: Path
) -> ImageResult:
    """Write the flashable image of a revision in the store to `out`; see `write_image` for what it raises."""
    request = image_request(store, revision, product, deploy, keys)
    return write_image(request, out, tools_of(deploy), deploy.manifest.source_date_epoch, place.logs / "image.log")


def image_request(
    store: Store, revision: Revision, product: Product, deploy: Deploy, keys: ProductKeys
) -> ImageRequest:
    """Return what goes into the image of a revision; raises TrustError when none of the product's keys signed it."""
    envelope = revision_envelope(store, revision, keys.device_keys())
    config = revision.manifest.config.digest
    platform = {
        role: digest
        for layer in revision.config.layers
        if layer.kind in PLATFORM
        for role, digest in layer.blobs.items()
    }
    digests = {revision.id, config, envelope.digest, *(blob.digest for blob in revision.blobs())}
    return ImageRequest(
        product=revision.config.product,
        machine=revision.config.machine,
        revision=revision.id,
        blobs={digest: store.blob_path(digest) for digest in sorted(digests)},
        links={
            "signature": envelope.digest,
            **{role: platform[role] for role in ("kernel", "initramfs", "boot-env")},
            **({"dtb": platform["dtb"]} if "dtb" in platform else {}),
        },
        efi=store.blob_path(platform["efi"]),
        storage_size=parse_size(product.image.storage),
        efi_name=deploy.efi_name(),
        board=read_board(store.blob_path(platform["board"])) if "board" in platform else Board(),
    )
