# SPDX-License-Identifier: MIT
"""One platform's image out of a registry into an OCI image layout, which many images share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ConfigError, FetchError, VerificationError
from orchestrator.oci import Descriptor, Store
from orchestrator.oci.descriptor import MANIFEST_LIMIT
from orchestrator.oci.image import ImageDescriptor, ImageManifest, Index, candidates, read_document
from orchestrator.oci.partial import forget_old
from orchestrator.oci.platform import Platform, best
from orchestrator.registry.places import Places
from orchestrator.registry.reference import Reference
from orchestrator.registry.sources import Sources
from orchestrator.registry.transfer import Meter, in_parallel
from orchestrator.registry.web import Web

SIZE_LIMIT = 16 * 2**30
"""Bytes of one image, as its manifest announces them; more is refused unless the caller allows it."""
_NESTED = 3


@dataclass(frozen=True)
class PulledImage:
    """An image that is whole in the layout `folder`.

    `digest` is what the reference stands for (an index's or a manifest's), `manifest` the digest of the platform's
    manifest; `size` its bytes in all, `moved` those that came over the network this time.
    """

    folder: Path
    digest: str
    manifest: str
    size: int
    moved: int


def resolve_image(reference: Reference, *, web: Web | None = None, places: Places | None = None) -> str:
    """Return the digest that an image's tag stands for now; raises FetchError or TryAgainError."""
    with contextlib.nullcontext(web) if web else Web() as around:
        return Sources(around, reference, places).resolve()


def pull_image(
    reference: Reference,
    platform: Platform,
    folder: Path,
    *,
    tell: Callable[[int, int], None] | None = None,
    web: Web | None = None,
    places: Places | None = None,
    limit: int = SIZE_LIMIT,
) -> PulledImage:
    """Bring manifest, config and OCI layers of an image for `platform` into the layout `folder`, made when missing.

    With a digest nothing is asked of the network when all is there; with a tag, one question. `tell` hears of bytes
    done and in all. Raises ConfigError when there is no image for the platform, FetchError for what is not what its
    digest says or cannot be had, TryAgainError for a busy server or a full disk. The layout then has no more than whole
    blobs, and what came in part, with which the next try goes on.
    """
    store = Store.open_or_create(folder)
    with contextlib.nullcontext(web) if web else Web() as around:
        sources = Sources(around, reference, places)
        digest = sources.resolve()
        manifest, image = _find(sources, store, digest, platform)
        blobs = _blobs(image)
        size = sum(blob.size for blob in blobs)
        if size > limit:
            raise FetchError(f"the image {reference} is too large", f"{size} bytes are announced, the limit is {limit}")
        missing = [blob for blob in blobs if not store.has_blob(blob.digest, blob.size)]
        moved = 0
        if missing:
            forget_old(store.blobs)
            meter = Meter(sum(blob.size for blob in missing), tell)
            in_parallel(around, lambda blob: sources.download(store, blob, meter), missing)
            moved = meter.moved
        return PulledImage(folder, digest, manifest, size, moved)


def _blobs(image: ImageManifest) -> list[Descriptor]:
    """Return what an image is made of, each blob once, the largest first: it decides how long all takes."""
    found: dict[str, Descriptor] = {}
    for each in (image.config, *image.layers):
        blob = Descriptor(media_type=each.media_type, digest=each.digest, size=each.size)
        if found.setdefault(each.digest, blob).size != blob.size:
            raise FetchError("the image's manifest contradicts itself", f"blob {each.digest} has two sizes")
    return sorted(found.values(), key=lambda blob: (-blob.size, blob.digest))


def _find(sources: Sources, store: Store, digest: str, platform: Platform) -> tuple[str, ImageManifest]:
    """Return the digest and the content of the platform's manifest, through indexes; their bytes are stored."""
    what = f"the image {sources.reference}"
    media_type: str | None = None
    for _ in range(_NESTED + 1):
        data = _document(sources, store, digest)
        document = read_document(data, what, media_type)
        if isinstance(document, ImageManifest):
            return digest, document
        chosen = _choose(document, platform, what)
        digest, media_type = chosen.digest, chosen.media_type
    raise FetchError(f"{what} is an index of indexes of indexes", f"more than {_NESTED} within one another")


def _document(sources: Sources, store: Store, digest: str) -> bytes:
    if store.has_blob(digest):
        try:
            return store.read_blob(digest, limit=MANIFEST_LIMIT)
        except VerificationError:
            pass  # damaged on the disk: a new one replaces it
    data = sources.document(digest).data
    store.put_blob(data, expected=digest)
    return data


def _choose(index: Index, platform: Platform, what: str) -> ImageDescriptor:
    entries = candidates(index.entries)
    offered = [entry.runs_on or Platform("", "") for entry in entries]
    place = best(platform, offered)
    if place is None and len(entries) == 1 and entries[0].runs_on is None:
        place = 0  # an index of one that says nothing of platforms: its configuration will be looked at
    if place is None:
        there = ", ".join(sorted({str(each) for each in offered if each.os})) or "nothing with a platform"
        raise ConfigError(
            f"{what} is not there for {platform}", f"it has: {there[:300]}", "choose one of them with 'platform'"
        )
    return entries[place]
