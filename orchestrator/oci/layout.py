# SPDX-License-Identifier: MIT
"""Reading an OCI image layout, wherever it lies: blobs, manifests, tags, and what is attached to a manifest."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from orchestrator.canonical import sha256_digest
from orchestrator.errors import VerificationError
from orchestrator.oci.descriptor import (
    EMPTY_BYTES,
    EMPTY_TYPE,
    INDEX_TYPE,
    MANIFEST_LIMIT,
    MANIFEST_TYPE,
    Descriptor,
    ImageIndex,
    Manifest,
    blobs_of,
    decode_index,
    decode_manifest,
)
from orchestrator.oci.index import IndexReader
from orchestrator.oci.reading import BlobReader
from orchestrator.oci.strict import load_json

SUBJECT = "vnd.pycontainer.subject"
"""Annotation of an index entry: the digest of its manifest's subject, so that a lookup need not open every manifest."""

THINNED = "vnd.pycontainer.thinned"
"""Annotation of an index entry: the blobs of this manifest's layers were given up, and are not missing."""

ATTACHED_LIMIT = 2 << 30
"""Bytes of all that is attached to a manifest and taken along with it: anybody may attach anything."""

LAYOUT = {"imageLayoutVersion": "1.0.0"}
"""What the file `oci-layout` says."""
LAYOUT_LIMIT = 4096
"""Bytes of `oci-layout` that are read at most."""
EMPTY = Descriptor(media_type=EMPTY_TYPE, digest=sha256_digest(EMPTY_BYTES), size=len(EMPTY_BYTES))
"""The two bytes that are the config of every manifest without one."""


def referrers_tag(digest: str) -> str:
    """Return the tag that stands for the index of a manifest's referrers (distribution-spec, referrers tag schema)."""
    return digest.replace(":", "-")


class _Relation(msgspec.Struct, frozen=True, rename="camel"):
    """The members of a manifest that a search needs; whoever then uses the manifest reads it strictly."""

    artifact_type: str | None = None
    subject: Descriptor | None = None


class Layout:
    """An OCI image layout that can be read."""

    def __init__(self, blobs: BlobReader, index: IndexReader) -> None:
        self.blobs = blobs
        self.index = index
        self._relations: dict[str, _Relation] = {}

    def has_blob(self, digest: str, size: int | None = None) -> bool:
        """True when a blob is here (with that size); its content is not read."""
        return self.blobs.has(digest, size)

    def read_blob(self, digest: str, *, limit: int = MANIFEST_LIMIT) -> bytes:
        """Return a blob of at most `limit` bytes, its digest checked."""
        return self.blobs.read(digest, limit=limit)

    def verify_blob(self, digest: str, size: int | None = None) -> None:
        """Read a blob through; raises VerificationError when it is missing or not what its name says."""
        self.blobs.verify(digest, size)

    def read_manifest(self, digest: str) -> Manifest:
        """Return a manifest of this store."""
        return decode_manifest(self.read_blob(digest), f"manifest {digest}")

    def tags(self) -> dict[str, Descriptor]:
        """Return the tags and what they stand for, sorted by name."""
        return self.index.tags()

    def resolve(self, name: str) -> Descriptor | None:
        """Return what a tag stands for, or None."""
        return self.tags().get(name)

    def entries(self) -> list[Descriptor]:
        """Return the entries of the index, in its order."""
        return self.index.entries()

    def referrers(self, digest: str, artifact_type: str | None = None) -> list[Descriptor]:
        """Return the manifests whose subject is `digest` (of one artefact type), in the index's order.

        Found by the subject of each manifest in the index, and by the fallback tag `sha256-<hex>` of distribution-spec.
        A manifest that is missing or damaged is left out; `fsck` names it.
        """
        fallback = self.resolve(referrers_tag(digest))
        candidates = list(self.entries())
        if fallback is not None and fallback.media_type == INDEX_TYPE:
            with contextlib.suppress(VerificationError):
                candidates += decode_index(self.read_blob(fallback.digest)).manifests
        found: dict[str, Descriptor] = {}
        for entry in candidates:
            known = entry.annotations.get(SUBJECT)
            if entry.media_type != MANIFEST_TYPE or known not in (None, digest) or entry.digest in found:
                continue
            if artifact_type is not None and entry.artifact_type not in (None, artifact_type):
                continue
            relation = self._relation(entry.digest)
            if relation.subject is not None and relation.subject.digest == digest:
                kind = relation.artifact_type
                if artifact_type in (None, kind):
                    found[entry.digest] = Descriptor(
                        media_type=MANIFEST_TYPE, digest=entry.digest, size=entry.size, artifact_type=kind
                    )
        return list(found.values())

    def artifact_type(self, entry: Descriptor) -> str | None:
        """Return what kind of artefact a manifest is; old tools leave it out of the index, so it may be opened."""
        if entry.artifact_type is not None or entry.media_type != MANIFEST_TYPE:
            return entry.artifact_type
        return self._relation(entry.digest).artifact_type

    def _relation(self, digest: str) -> _Relation:
        """Return the part of a manifest that tells what it is and belongs to; nothing when it cannot be read."""
        if digest not in self._relations:
            try:
                self._relations[digest] = msgspec.json.decode(self.read_blob(digest), type=_Relation)
            except (VerificationError, msgspec.MsgspecError, RecursionError):
                return _Relation()
        return self._relations[digest]


class AttachedRoom:
    """How much may still be taken along that is attached to a manifest; what does not fit is left where it is."""

    def __init__(self) -> None:
        self._left = ATTACHED_LIMIT

    def takes(self, manifest: Manifest | ImageIndex) -> bool:
        """Whether what a manifest names fits; then it is counted."""
        size = size_of_parts(manifest)
        if size > self._left:
            return False
        self._left -= size
        return True


def size_of_parts(manifest: Manifest | ImageIndex) -> int:
    """Return the bytes of all blobs that a manifest names."""
    return sum({part.digest: part.size for part in blobs_of(manifest)}.values())


def check_layout(data: bytes, place: Path) -> None:
    """Check the bytes of `oci-layout`; raises VerificationError when they do not announce version 1.0.0."""
    layout = load_json(data, f"{place / 'oci-layout'}", limit=LAYOUT_LIMIT)
    if not isinstance(layout, dict) or layout.get("imageLayoutVersion") != LAYOUT["imageLayoutVersion"]:
        raise VerificationError(f"{place} is no OCI image layout 1.0.0", data.decode(errors="replace")[:80])


def referrer(
    subject: Descriptor,
    artifact_type: str,
    blobs: Sequence[Descriptor],
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """Return the manifest that attaches blobs to a manifest; its config is the empty blob."""
    return Manifest(
        schema_version=2,
        media_type=MANIFEST_TYPE,
        artifact_type=artifact_type,
        config=EMPTY,
        layers=list(blobs),
        subject=Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size),
        annotations=dict(annotations or {}),
    )
