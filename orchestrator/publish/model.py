# SPDX-License-Identifier: MIT
"""A published layer as an OCI artefact: its configuration, and what its blobs are.

artifactType application/vnd.pycontainer.layer.v1. The blobs, each with its role as an annotation:
rootfs    the file system image that the device mounts, unchanged in every revision that takes it
tree      its entries without the contents (but those of passwd and group), a tar compressed by zstd: who wants to run
          it differently needs to know users, folders and programs, and not their bytes
document  what is known of its components, in our own words, out of which a product's SPDX documents are made
SPDX 3, SPDX 2.3 and CycloneDX documents are attached as referrers, and so are signatures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from orchestrator.canonical import canonical_json
from orchestrator.errors import BuildError, PyContainerError, VerificationError
from orchestrator.oci.descriptor import MANIFEST_TYPE, Descriptor, Manifest, canonical_bytes, decode_manifest
from orchestrator.oci.layout import Layout
from orchestrator.oci.store import Store
from orchestrator.oci.strict import decode
from orchestrator.revision import media_type
from orchestrator.revision.assemble import CREATED, FSVERITY, ROLE
from orchestrator.revision.parts import Name, Part, Text, Time

LAYER_TYPE = "application/vnd.pycontainer.layer.v1"
CONFIG_TYPE = "application/vnd.pycontainer.layer.config.v1+json"
TREE_TYPE = "application/vnd.pycontainer.layer.tree.v1.tar+zstd"
DOCUMENT_TYPE = "application/vnd.pycontainer.layer.document.v1+json"
CONFIG_LIMIT = 256 * 1024
TREE_LIMIT = 64 * 1024 * 1024
DOCUMENT_LIMIT = 256 * 1024 * 1024
ROOTFS_LIMIT = 16 * 2**30

_ROLES = {"rootfs": (media_type("rootfs"), ROOTFS_LIMIT), "tree": (TREE_TYPE, TREE_LIMIT),
          "document": (DOCUMENT_TYPE, DOCUMENT_LIMIT)}  # fmt: skip
_DIGEST = r"^sha256:[0-9a-f]{64}\Z"


class LayerConfig(Part, frozen=True, kw_only=True):
    """What a layer says of itself: `image` is the OCI image's own `config` object, `run` what its file says beyond the
    defaults, in the product file's words: what it asks for."""

    schema_version: Literal[1] = 1
    name: Name
    version: Text
    kind: Literal["rootfs", "app"]
    architecture: Name
    created: Time
    supplier: Annotated[str, msgspec.Meta(max_length=200)] = ""
    image: dict[str, Any] = {}
    run: dict[str, Any] = {}

    def to_bytes(self) -> bytes:
        """Return the canonical bytes; raises BuildError when they would be too many."""
        data = canonical_json(msgspec.to_builtins(self))
        if len(data) > CONFIG_LIMIT:
            raise BuildError(
                "the layer's configuration is too large", f"{len(data)} bytes, the limit is {CONFIG_LIMIT}"
            )
        return data


class RootfsNotes(msgspec.Struct, frozen=True):
    """The annotations that the rootfs blob must have."""

    fsverity: Annotated[str, msgspec.Meta(pattern=_DIGEST)]


@dataclass(frozen=True)
class PublishedLayer:
    """A published layer in a store: `id` is its manifest's digest; its parts by role."""

    id: str
    descriptor: Descriptor
    manifest: Manifest
    config: LayerConfig
    parts: dict[str, Descriptor]

    @property
    def short(self) -> str:
        """The id as people see it: 12 hex digits."""
        return self.id.removeprefix("sha256:")[:12]

    @property
    def rootfs(self) -> Descriptor:
        """The file system image."""
        return self.parts["rootfs"]

    @property
    def fsverity(self) -> str:
        """The file system image's fs-verity digest, as sha256:<hex>."""
        return self.rootfs.annotations[FSVERITY]


def assemble_layer(store: Store, config: LayerConfig, parts: dict[str, Descriptor], fsverity: str) -> PublishedLayer:
    """Write a layer's manifest over blobs of a store, by role; the same layer gives the same bytes."""
    marked = []
    for role in sorted(parts):
        notes = {ROLE: role} | ({FSVERITY: fsverity} if role == "rootfs" else {})
        marked.append(msgspec.structs.replace(parts[role], media_type=_ROLES[role][0], annotations=notes))
    manifest = Manifest(
        schema_version=2,
        media_type=MANIFEST_TYPE,
        artifact_type=LAYER_TYPE,
        config=store.put_blob(config.to_bytes(), media_type=CONFIG_TYPE),
        layers=marked,
        annotations={
            CREATED: config.created,
            "org.opencontainers.image.title": config.name,
            "org.opencontainers.image.version": config.version,
        },
    )
    return read_layer(store, store.put_manifest(manifest).digest)


def read_layer(layout: Layout, digest: str, error: type[PyContainerError] = VerificationError) -> PublishedLayer:
    """Return the layer of a manifest, read strictly; its large blobs need not be here.

    Raises `error` for what is no published layer, or one out of form.
    """
    data = layout.read_blob(digest)
    what = f"layer {digest[:19]}"
    manifest = decode_manifest(data, what, error=error)
    if manifest.artifact_type != LAYER_TYPE or manifest.config.media_type != CONFIG_TYPE:
        kind = manifest.artifact_type or manifest.config.media_type
        raise error(
            f"{what} is not a published layer", f"it is {kind}", "it is one when pycontainer layer push sent it"
        )
    if canonical_bytes(manifest) != data:
        raise error(f"{what} is not in its canonical form", "its bytes hold more than a layer has")
    config = decode(
        layout.read_blob(manifest.config.digest, limit=CONFIG_LIMIT), LayerConfig, f"the configuration of {what}",
        limit=CONFIG_LIMIT, canonical=True, error=error,
    )  # fmt: skip
    parts: dict[str, Descriptor] = {}
    for part in manifest.layers:
        role = part.annotations.get(ROLE, "")
        wanted, limit = _ROLES.get(role, ("", 0))
        if role in parts or part.media_type != wanted or not 1 <= part.size <= limit:
            raise error(f"{what} has a part out of form", f"{role or 'one without a role'}, {part.size} bytes")
        parts[role] = part
    if lacking := sorted(set(_ROLES) - set(parts)):
        raise error(f"{what} lacks its {lacking[0]}", "a published layer has a rootfs, a tree and a document")
    try:
        msgspec.convert({"fsverity": parts["rootfs"].annotations.get(FSVERITY)}, RootfsNotes)
    except msgspec.ValidationError as problem:
        raise error(f"{what} has no fs-verity digest", f"annotation {FSVERITY}") from problem
    if manifest.subject is not None:
        raise error(f"{what} has a subject", manifest.subject.digest)
    descriptor = Descriptor(media_type=MANIFEST_TYPE, digest=digest, size=len(data), artifact_type=LAYER_TYPE)
    return PublishedLayer(digest, descriptor, manifest, config, parts)
