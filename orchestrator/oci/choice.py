# SPDX-License-Identifier: MIT
"""One platform's image out of an index (image-spec, image-index.md), the same wherever the index lies."""

from __future__ import annotations

from typing import Protocol

from orchestrator.errors import ConfigError, PyContainerError
from orchestrator.oci.image import INDEX_TYPES, ImageDescriptor, ImageManifest, Index, candidates
from orchestrator.oci.platform import Platform, best

_NESTED_MAX = 3
_IMAGES_MAX = 1000
_HINT = "name an image with fewer, by its digest"


class Documents(Protocol):
    """Where an index's documents are read: a layout, an archive, a registry."""

    @property
    def shown(self) -> str:
        """What is read from, for messages."""

    @property
    def refusal(self) -> type[PyContainerError]:
        """What is raised for an index that is out of bounds."""

    def document(self, entry: ImageDescriptor) -> Index | ImageManifest:
        """Return what an entry of an index leads to, its digest checked."""

    def platform(self, manifest: ImageManifest) -> Platform:
        """Return what an image runs on, as its configuration says."""


def choose_image(documents: Documents, entries: tuple[ImageDescriptor, ...], platform: Platform) -> ImageDescriptor:
    """Return the entry of the image that suits a platform best, of an index and those nested in it.

    An index with a single image is not asked for its platform: whoever reads the image compares its configuration.
    Raises ConfigError, saying what there is, when nothing suits, and `refusal` for too many.
    """
    found = _flat(documents, entries, 0, set())
    if not found:
        raise ConfigError(f"{documents.shown} has no image", "its index names none", "check what the reference names")
    if len(found) == 1:
        return found[0]
    offered = [entry.runs_on or _platform(documents, entry) for entry in found]
    place = best(platform, offered)
    if place is None:
        there = ", ".join(sorted(set(map(str, offered))))
        raise ConfigError(
            f"{documents.shown} has no image for {platform}", f"it has: {there[:300]}", "choose one with 'platform'"
        )
    return found[place]


def _platform(documents: Documents, entry: ImageDescriptor) -> Platform:
    document = documents.document(entry)
    if isinstance(document, Index):
        raise documents.refusal(
            f"{documents.shown} is refused", "an entry of its index is an index, announced as an image", _HINT
        )
    return documents.platform(document)


def _flat(
    documents: Documents, entries: tuple[ImageDescriptor, ...], depth: int, seen: set[str]
) -> list[ImageDescriptor]:
    """Return the images of an index and of those nested in it, each index looked into once."""
    found: list[ImageDescriptor] = []
    for entry in entries:
        if entry.media_type not in INDEX_TYPES:
            found.append(entry)
            continue
        if entry.digest in seen:
            continue
        seen.add(entry.digest)
        document = documents.document(entry)
        if depth == _NESTED_MAX or not isinstance(document, Index):
            raise documents.refusal(f"{documents.shown} is refused", "its indexes are nested too deeply", _HINT)
        found += _flat(documents, candidates(document.entries), depth + 1, seen)
        if len(found) > _IMAGES_MAX:
            raise documents.refusal(f"{documents.shown} is refused", f"it has more than {_IMAGES_MAX} images", _HINT)
    return found
