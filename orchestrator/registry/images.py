# SPDX-License-Identifier: MIT
"""One platform's image out of a registry into an OCI image layout, which many images share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import FetchError, PyContainerError, VerificationError
from orchestrator.oci import Descriptor, Store
from orchestrator.oci.choice import choose_image
from orchestrator.oci.descriptor import MANIFEST_LIMIT
from orchestrator.oci.image import (
    CONFIG_LIMIT,
    ImageDescriptor,
    ImageManifest,
    Index,
    candidates,
    read_config,
    read_document,
)
from orchestrator.oci.partial import forget_old
from orchestrator.oci.platform import Platform
from orchestrator.registry.places import Places
from orchestrator.registry.reference import Reference
from orchestrator.registry.sources import Sources
from orchestrator.registry.transfer import Meter, in_parallel
from orchestrator.registry.web import Web

SIZE_LIMIT = 16 * 2**30
"""Bytes of one image, as its manifest announces them; more is refused unless the caller allows it."""


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
    registry = _Registry(sources, store)
    document = registry.read(digest)
    if isinstance(document, ImageManifest):
        return digest, document
    chosen = choose_image(registry, candidates(document.entries), platform)
    document = registry.document(chosen)
    if isinstance(document, Index):
        raise FetchError(f"{registry.shown} contradicts itself", "an index is announced as an image")
    return chosen.digest, document


@dataclass(frozen=True)
class _Registry:
    """The documents of an image in a registry; their bytes are stored."""

    sources: Sources
    store: Store

    @property
    def shown(self) -> str:
        return f"the image {self.sources.reference}"

    @property
    def refusal(self) -> type[PyContainerError]:
        return FetchError

    def document(self, entry: ImageDescriptor) -> Index | ImageManifest:
        return self.read(entry.digest, entry.media_type)

    def read(self, digest: str, media_type: str | None = None) -> Index | ImageManifest:
        return read_document(self._bytes(digest), self.shown, media_type)

    def platform(self, manifest: ImageManifest) -> Platform:
        config = manifest.config
        if config.size > CONFIG_LIMIT:
            raise FetchError(f"{self.shown} is refused", f"a configuration of {config.size} bytes")
        if not self.store.has_blob(config.digest, config.size):
            blob = Descriptor(media_type=config.media_type, digest=config.digest, size=config.size)
            self.sources.download(self.store, blob, Meter(config.size))
        what = f"a configuration of {self.shown}"
        return read_config(self.store.read_blob(config.digest, limit=CONFIG_LIMIT), what).platform

    def _bytes(self, digest: str) -> bytes:
        if self.store.has_blob(digest):
            try:
                return self.store.read_blob(digest, limit=MANIFEST_LIMIT)
            except VerificationError:
                pass  # damaged on the disk: a new one replaces it
        data = self.sources.document(digest).data
        self.store.put_blob(data, expected=digest)
        return data
