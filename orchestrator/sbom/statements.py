# SPDX-License-Identifier: MIT
"""What the formats have no field for, as plain values under one set of names: every writer carries the same facts."""

from __future__ import annotations

from typing import Any

from orchestrator.sbom.model import Bucket, Census, Component, Document, Source, Traits
from orchestrator.sbom.resolver import SOURCE_TREE

PURPOSES = {"bootloader": "firmware", "bsp": "operatingSystem", "host": "operatingSystem", "rootfs": "container",
            "app": "container"}  # fmt: skip
"""What a layer of each kind is for, in SPDX 3's words."""


def component(each: Component) -> dict[str, Any]:
    """Return the facts of a component, unknown ones left out."""
    licence = each.licence
    values: dict[str, Any] = {
        "componentKind": each.kind,
        "linking": each.linking,
        "dependencies": each.dependencies,
        "tier": licence.tier,
        "confidence": licence.confidence,
        "evidence": licence.evidence,
        "evidenceDigest": licence.evidence_digest,
        "licenceNotes": list(notes(each)),
        "place": each.place,
        "files": each.files,
        "size": each.size,
        "architecture": each.architecture,
        "remarks": list(each.remarks),
        **traits(each.traits),
    }
    if each.conclusion is not None:
        values["conclusion"] = {
            "author": each.conclusion.author,
            "date": each.conclusion.date,
            "reason": each.conclusion.reason,
        }
    return {key: value for key, value in values.items() if value not in ("", [], None)}


def notes(each: Component) -> tuple[str, ...]:
    """Return what must be said of how the licence was found."""
    from_copyright = each.licence.evidence.endswith("/copyright") and each.licence.tier != "package"
    return (SOURCE_TREE, *each.licence.notes) if from_copyright else each.licence.notes


def traits(each: Traits) -> dict[str, bool]:
    """Return the traits that were looked at."""
    known = {"executable": each.executable, "archive": each.archive, "structured": each.structured}
    return {key: value for key, value in known.items() if value is not None}


def hash_of_source(each: Source) -> str:
    """Return what the hash of a source package is that of, where it is not one archive; empty for others."""
    debian = each.checksums and each.uri.startswith("pkg:deb/")
    return "The hash is that of the .dsc file, which holds those of the source package's other files." if debian else ""


def layer(document: Document) -> dict[str, Any]:
    """Return the facts of a layer, unknown ones left out."""
    each = document.layer
    values: dict[str, Any] = {
        "kind": each.kind,
        "architecture": each.architecture,
        "origin": each.origin,
        "originUri": each.origin_uri,
        "baseImage": each.base_image,
        "completeness": each.completeness,
        "blobs": {blob.role: blob.digest for blob in each.blobs},
        "places": {
            blob.role: {
                key: value
                for key, value in (("partition", blob.partition), ("path", blob.path), ("mount", blob.mount))
                if value
            }
            for blob in each.blobs
            if blob.partition
        },
        "remarks": list(document.remarks),
    }
    values = {key: value for key, value in values.items() if value not in ("", [], {}, None)}
    if document.census is not None:
        values["census"] = census(document.census)
        values["removed"] = _buckets(document.census.removed) | (
            {"paths": list(document.census.removed_paths)} if document.census.removed_paths else {}
        )
    return values


def census(each: Census) -> dict[str, Any]:
    """Return the counts of a census."""
    return {
        "files": each.files,
        "size": each.size,
        "owned": _counts(each.owned),
        "explained": _buckets(each.explained),
        "unowned": _counts(each.unowned_total),
    }


def _counts(bucket: Bucket) -> dict[str, int]:
    return {"files": bucket.files, "size": bucket.size}


def _buckets(buckets: tuple[Bucket, ...]) -> dict[str, Any]:
    return {
        "files": sum(bucket.files for bucket in buckets),
        "size": sum(bucket.size for bucket in buckets),
        "reasons": {bucket.reason: _counts(bucket) for bucket in buckets},
    }
