# SPDX-License-Identifier: MIT
"""A small store with two signed revisions of one product: the second one changed an app."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.oci import Store
from orchestrator.revision import SPDX_TYPE, Revision, assemble, media_type
from orchestrator.trust import NamedKey, PrivateKey, ProductKeys, sign_revision
from tests.unit.revision.sample import FSVERITY, sample_config, store_blobs

KEY = PrivateKey.from_seed(b"\1" * 32)
OTHER = PrivateKey.from_seed(b"\2" * 32)


def keys_of(*keys: PrivateKey, threshold: int = 1, product: str = "demo") -> ProductKeys:
    named = tuple(NamedKey(f"key{number}", key.public, False) for number, key in enumerate(keys))
    return ProductKeys(product, Path("/nowhere"), named, threshold)


@dataclass(frozen=True)
class Shop:
    """The store, its keys, the first revision and the second, whose web layer is `NEW`."""

    store: Store
    keys: ProductKeys
    first: Revision
    second: Revision


NEW = b"the new web squashfs" * 100


def make_revision(store: Store, version: str, web: bytes | None = None, signer: PrivateKey = KEY) -> Revision:
    blobs = store_blobs(store)
    if web is not None:
        stored = store.put_blob(web, media_type=media_type("rootfs"))
        blobs = [
            type(blob)("web", "rootfs", stored.digest, stored.size, FSVERITY)
            if (blob.layer, blob.role) == ("web", "rootfs")
            else blob
            for blob in blobs
        ]
    texts = {
        name: store.put_blob(b'{"spdx":"%s %s"}' % (name.encode(), (web or b"")[:7]), media_type=SPDX_TYPE)
        if name == "web"
        else store.put_blob(b'{"spdx":"%s"}' % name.encode(), media_type=SPDX_TYPE)
        for name in ("bootloader", "bsp", "host", "rootfs", "web")
    }
    config = sample_config(blobs, version=version)
    layers = [type(layer)(**{**fields(layer), "spdx": texts[layer.name].digest}) for layer in config.layers]
    revision = assemble(store, sample_config(blobs, version=version, layers=layers), blobs)
    for name, document in texts.items():
        store.attach(revision.descriptor, SPDX_TYPE, [document], annotations={"vnd.pycontainer.layer": name})
    sign_revision(store, revision, [signer])
    store.tag(f"v{version}", revision.descriptor)
    return revision


def fields(struct: object) -> dict[str, object]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}  # type: ignore[attr-defined]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    store = Store.open_or_create(tmp_path / "store")
    return Shop(store, keys_of(KEY), make_revision(store, "1.0.0"), make_revision(store, "1.0.1", NEW))
