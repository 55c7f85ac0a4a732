# SPDX-License-Identifier: MIT
"""Where a layer that was a container image came from, in words and as package URLs.

Sources: the purl specification, types `oci` (the version is the manifest's digest, `repository_url` and `tag` are
qualifiers) and `docker` (the version is the image id, which is the digest of the configuration).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.layers.layout import ImageIdentity
from orchestrator.product.reference import ImageReference
from orchestrator.sbom.packages import purl

_NAMED = re.compile(r"(?P<place>[^@]+?)(?::(?P<tag>\w[\w.-]{0,127}))?(?:@sha256:[0-9a-f]{64})?\Z", re.ASCII)


@dataclass(frozen=True)
class Origin:
    """Where a layer came from: a sentence, a package URL, and that of the image it was built on; empty: not known."""

    words: str
    uri: str = ""
    base: str = ""


def origin_of(reference: ImageReference, identity: ImageIdentity, architecture: str) -> Origin:
    """Return the origin of an image's files; `architecture` is what the layer runs on, in OCI's words."""
    if reference.transport == "docker":
        place, tag = reference.place, reference.tag
    else:  # a file: the name inside it, else the file's own, which is in no registry
        place, tag = _split(reference.tag) if reference.tag else (reference.place.rpartition("/")[2], "")
    if identity.manifest:
        uri, what = _oci(place, tag, identity.manifest, architecture), f"manifest {identity.manifest}"
    else:
        uri = purl("docker", "", _name(place), identity.config, [("tag", tag)])
        what = f"image id {identity.config}"
    base = ""
    if identity.base_name or identity.base_digest:
        named, base_tag = _split(identity.base_name)
        base = _oci(named or "base", base_tag, identity.base_digest, "")
    return Origin(f"image {reference}, {what}", uri, base)


def _oci(place: str, tag: str, digest: str, architecture: str) -> str:
    host, slash, _ = place.partition("/")
    in_registry = slash and ("." in host or ":" in host or host == "localhost")
    qualifiers = [("repository_url", place if in_registry else ""), ("tag", tag), ("arch", architecture)]
    return purl("oci", "", _name(place), digest, qualifiers)


def _name(place: str) -> str:
    return place.rpartition("/")[2].lower() or "image"


def _split(name: str) -> tuple[str, str]:
    match = _NAMED.match(name)
    return (match["place"], match["tag"] or "") if match else (name, "")
