# SPDX-License-Identifier: MIT
"""A small whole revision for tests."""

from __future__ import annotations

from orchestrator.oci import Store
from orchestrator.revision import (
    ContainerLayer,
    LayerBlob,
    PlatformLayer,
    Revision,
    RevisionConfig,
    Volume,
    assemble,
    created_at,
    media_type,
)

SPDX = "sha256:" + "5" * 64
FSVERITY = "sha256:" + "f" * 64
CONTENT = {
    ("bootloader", "efi"): b"efi",
    ("bsp", "kernel"): b"kernel",
    ("bsp", "modules"): b"modules",
    ("host", "initramfs"): b"initramfs",
    ("host", "boot-env"): b"boot-env",
    ("rootfs", "rootfs"): b"rootfs squashfs",
    ("rootfs", "run-config"): b'{"root":1}',
    ("web", "rootfs"): b"web squashfs",
    ("web", "run-config"): b'{"web":1}',
}


def store_blobs(store: Store) -> list[LayerBlob]:
    """Put the sample's blobs into a store."""
    found = []
    for (layer, role), data in CONTENT.items():
        blob = store.put_blob(data, media_type=media_type(role))
        found.append(LayerBlob(layer, role, blob.digest, blob.size, FSVERITY))
    return found


def sample_config(blobs: list[LayerBlob], **changes: object) -> RevisionConfig:
    """Return the configuration of a demo product over `blobs`."""

    def of(layer: str) -> dict[str, str]:
        return {blob.role: blob.digest for blob in blobs if blob.layer == layer}

    layers = [
        PlatformLayer(name="bootloader", kind="bootloader", version="2.12", blobs=of("bootloader"), spdx=SPDX),
        PlatformLayer(name="bsp", kind="bsp", version="6.12", blobs=of("bsp"), spdx=SPDX),
        PlatformLayer(name="host", kind="host", version="1", blobs=of("host"), spdx=SPDX),
        ContainerLayer(name="rootfs", kind="rootfs", version="13", blobs=of("rootfs"), spdx=SPDX, start_group=0),
        ContainerLayer(
            name="web",
            kind="app",
            version="1.26",
            blobs=of("web"),
            spdx=SPDX,
            after=["rootfs"],
            volumes=[Volume(name="data", kind="permanent", destination="/var/lib/data")],
        ),
    ]
    values: dict[str, object] = {
        "product": "demo",
        "version": "1.0.0",
        "machine": "qemu-amd64",
        "architecture": "amd64",
        "created": created_at(1767225600),
        "layers": layers,
    }
    return RevisionConfig(**(values | changes))  # type: ignore[arg-type]


def sample_revision(store: Store, **changes: object) -> Revision:
    """Assemble the sample in a store."""
    blobs = store_blobs(store)
    return assemble(store, sample_config(blobs, **changes), blobs)
