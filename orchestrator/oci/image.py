# SPDX-License-Identifier: MIT
"""Container images of others: indexes, manifests and configurations, OCI's and Docker's, read strictly.

OCI image specification v1.1 (image-index.md, manifest.md, config.md) and Docker's "Image Manifest Version 2, Schema 2",
whose documents have the same members under other media types. Members that we do not know are ignored; `null` counts as
absent, because Go programs write it for empty lists.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from orchestrator.errors import ConfigError, VerificationError
from orchestrator.oci.descriptor import INDEX_TYPE, MANIFEST_LIMIT, MANIFEST_TYPE, Digest, MediaType, Size
from orchestrator.oci.platform import Platform
from orchestrator.oci.strict import convert, load_json

DOCKER_INDEX_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
INDEX_TYPES = (INDEX_TYPE, DOCKER_INDEX_TYPE)
MANIFEST_TYPES = (MANIFEST_TYPE, DOCKER_MANIFEST_TYPE)
CONFIG_TYPES = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")

CONFIG_LIMIT = MANIFEST_LIMIT
"""Bytes of one image configuration that are read at most."""
LAYERS_MAX = 500
"""OCI layers of one image at most; engines stop at 127."""
_ENTRIES_MAX = 1000
_OLD_TYPES = "application/vnd.docker.distribution.manifest.v1"
_ATTESTATION = ("vnd.docker.reference.type", "attestation-manifest")

LayerCompression = Literal["none", "gzip", "zstd"]
_LAYER_TYPE = re.compile(
    r"application/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar)"
    r"(?:[+.](gzip|zstd))?"
)
_COMPRESSIONS: dict[str | None, LayerCompression] = {None: "none", "gzip": "gzip", "zstd": "zstd"}


class _Platform(msgspec.Struct, frozen=True):
    os: str = ""
    architecture: str = ""
    variant: str | None = None


class ImageDescriptor(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A reference to a blob out of an index or manifest."""

    media_type: MediaType
    digest: Digest
    size: Size
    platform: _Platform | None = None
    annotations: dict[str, str] | None = None

    def named(self, key: str) -> str:
        """Return an annotation, or an empty text."""
        return (self.annotations or {}).get(key, "")

    @property
    def runs_on(self) -> Platform | None:
        """The platform that the index says, or None when it says none."""
        found = self.platform
        return Platform(found.os, found.architecture, found.variant or "") if found else None


class _Document(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    schema_version: Literal[2]
    media_type: MediaType | None = None
    manifests: Annotated[list[ImageDescriptor], msgspec.Meta(max_length=_ENTRIES_MAX)] | None = None
    config: ImageDescriptor | None = None
    layers: Annotated[list[ImageDescriptor], msgspec.Meta(max_length=LAYERS_MAX)] | None = None
    annotations: dict[str, str] | None = None


class Index(msgspec.Struct, frozen=True):
    """An image index, or Docker's manifest list."""

    entries: tuple[ImageDescriptor, ...]


class ImageManifest(msgspec.Struct, frozen=True):
    """The manifest of one image for one platform; `layers` the lowest first."""

    config: ImageDescriptor
    layers: tuple[ImageDescriptor, ...]
    annotations: dict[str, str] = {}


class _RootFs(msgspec.Struct, frozen=True):
    type: Literal["layers"]
    diff_ids: Annotated[list[Digest], msgspec.Meta(max_length=LAYERS_MAX)] | None = None


class _Config(msgspec.Struct, frozen=True):
    os: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    architecture: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    rootfs: _RootFs
    variant: str | None = None
    config: dict[str, Any] | None = None


class ImageDocument(msgspec.Struct, frozen=True):
    """An image's configuration: what it runs on, the digests of its uncompressed OCI layers, and its `config` object
    as it is, with whatever members it has."""

    platform: Platform
    diff_ids: tuple[str, ...]
    config: dict[str, Any]


def read_document(data: bytes, what: str, media_type: str | None = None) -> Index | ImageManifest:
    """Return the index or image manifest in foreign bytes; `media_type` is what led here says that they are.

    Raises VerificationError when they are neither, both (which two readers would read in two ways), or something else
    than was said; and ConfigError for what is well-formed but no container image.
    """
    value = load_json(data, what, limit=MANIFEST_LIMIT)
    own = value.get("mediaType") if isinstance(value, dict) else None
    said = own if isinstance(own, str) else media_type or ""
    if said.startswith(_OLD_TYPES) or (isinstance(value, dict) and value.get("schemaVersion") == 1):
        raise ConfigError(
            f"{what} is in Docker's old form, schema 1",
            "it names no configuration that could be checked",
            "copy the image with a tool of today (skopeo copy), and name the copy",
        )
    document = convert(value, _Document, what)
    if media_type and document.media_type and document.media_type != media_type:
        raise VerificationError(f"{what} is of another kind", f"{document.media_type}, announced as {media_type}")
    index, image = document.manifests is not None, document.config is not None or document.layers is not None
    if index and image:
        raise VerificationError(f"{what} is an index and a manifest at once", "only one of them can be meant")
    if index and said not in MANIFEST_TYPES:
        return Index(tuple(document.manifests or ()))
    if document.config is None or said in INDEX_TYPES:
        raise VerificationError(f"{what} is neither an index nor an image's manifest", f"it is announced as {said!r}")
    if document.config.media_type not in CONFIG_TYPES:
        raise ConfigError(
            f"{what} is no container image",
            f"its configuration is of the kind {document.config.media_type}",
            "name an image that was built to run",
        )
    return ImageManifest(document.config, tuple(document.layers or ()), document.annotations or {})


def read_config(data: bytes, what: str) -> ImageDocument:
    """Return an image's configuration; raises VerificationError for what does not have its form."""
    found = convert(load_json(data, what, limit=CONFIG_LIMIT), _Config, what)
    return ImageDocument(
        Platform(found.os, found.architecture, found.variant or ""),
        tuple(found.rootfs.diff_ids or ()),
        found.config or {},
    )


def compression_of(layer: ImageDescriptor) -> LayerCompression:
    """Return how an OCI layer is compressed, by its media type; raises ConfigError for kinds that we cannot read."""
    found = _LAYER_TYPE.fullmatch(layer.media_type)
    if found is None:
        why = "it is encrypted" if "encrypted" in layer.media_type else "it is no tar, or compressed in another way"
        raise ConfigError(
            f"an OCI layer of the kind {layer.media_type} cannot be read",
            why,
            "copy the image with its layers as tar, gzip or zstd: skopeo copy --dest-compress-format gzip",
        )
    return _COMPRESSIONS[found[1]]


def candidates(entries: tuple[ImageDescriptor, ...]) -> tuple[ImageDescriptor, ...]:
    """Return the entries of an index that may be images: no attestations, and nothing of an unknown kind."""
    return tuple(
        entry
        for entry in entries
        if entry.media_type in (*INDEX_TYPES, *MANIFEST_TYPES)
        and entry.named(_ATTESTATION[0]) != _ATTESTATION[1]
        and not (entry.platform and (entry.platform.os, entry.platform.architecture) == ("unknown", "unknown"))
    )
