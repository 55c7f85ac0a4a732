# SPDX-License-Identifier: MIT
"""OCI descriptors and manifests as typed values (image-spec v1.1: descriptor.md, manifest.md, image-index.md)."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from orchestrator.canonical import canonical_json
from orchestrator.errors import PyContainerError, VerificationError
from orchestrator.oci.strict import convert, decode, load_json

MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
"""The media type of the two bytes `{}`, where a manifest needs a config but has none (manifest.md)."""
EMPTY_BYTES = b"{}"
REF_NAME = "org.opencontainers.image.ref.name"
MACHINE = "vnd.pycontainer.machine"
"""Annotation of an index's entry: the machine that its manifest is for. Machines may have the same platform."""

MANIFEST_LIMIT = 4 * 1024 * 1024
"""Bytes of one manifest that are read at most; registries refuse larger ones (distribution-spec, pushing manifests)."""

Digest = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
_WORD = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
MediaType = Annotated[str, msgspec.Meta(pattern=rf"^{_WORD}/{_WORD}\Z")]
Size = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Descriptor(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """A reference to bytes: what they are, their digest, their number. Members that we do not know are ignored."""

    media_type: MediaType
    digest: Digest
    size: Size
    artifact_type: MediaType | None = None
    annotations: dict[str, str] = {}

    def plain(self, **annotations: str) -> Descriptor:
        """Return the same reference with `annotations` in place of its own."""
        return msgspec.structs.replace(self, annotations=annotations)


class Manifest(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """An OCI image manifest, which also carries artefacts (`artifact_type`) and attachments (`subject`)."""

    schema_version: Literal[2]
    media_type: Literal["application/vnd.oci.image.manifest.v1+json"]
    config: Descriptor
    layers: list[Descriptor]
    artifact_type: MediaType | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}


class ImageIndex(msgspec.Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """An OCI image index: manifests of several platforms, or the referrers of one subject."""

    schema_version: Literal[2]
    manifests: list[Descriptor]
    media_type: Literal["application/vnd.oci.image.index.v1+json"] | None = None
    artifact_type: MediaType | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] = {}


def to_json(value: msgspec.Struct) -> Any:
    """Return a struct as plain JSON values."""
    return msgspec.to_builtins(value)


def canonical_bytes(value: msgspec.Struct) -> bytes:
    """Return a struct as canonical JSON: the bytes whose digest names it."""
    return canonical_json(to_json(value))


def decode_manifest(
    data: bytes, what: str = "the manifest", *, error: type[PyContainerError] = VerificationError
) -> Manifest:
    """Return a manifest from foreign bytes; raises `error` unless it is an OCI image manifest within the limits."""
    return decode(data, Manifest, what, limit=MANIFEST_LIMIT, error=error)


def decode_document(
    data: bytes, what: str = "the manifest", *, error: type[PyContainerError] = VerificationError
) -> Manifest | ImageIndex:
    """Return a manifest or an index from foreign bytes, whichever its mediaType says; raises as `decode_manifest`."""
    value = load_json(data, what, limit=MANIFEST_LIMIT, error=error)
    if isinstance(value, dict) and value.get("mediaType") == INDEX_TYPE:
        return convert(value, ImageIndex, what, error=error)
    return convert(value, Manifest, what, error=error)


def blobs_of(document: Manifest | ImageIndex) -> list[Descriptor]:
    """Return the blobs that a manifest names; an index names none: its manifests travel by themselves."""
    return [document.config, *document.layers] if isinstance(document, Manifest) else []


def decode_index(data: bytes, what: str = "the index") -> ImageIndex:
    """Return an image index from foreign bytes; raises VerificationError unless it is one within the limits."""
    return decode(data, ImageIndex, what, limit=MANIFEST_LIMIT)
