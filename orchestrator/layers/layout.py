# SPDX-License-Identifier: MIT
"""One image out of an OCI image layout: by name, by digest, and by platform where there are several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.canonical import DIGEST
from orchestrator.errors import ConfigError, PyContainerError, VerificationError
from orchestrator.layers.imagefiles import HINT, ImageFiles, find_blob, small_blob, small_file
from orchestrator.layers.nodes import FileContent
from orchestrator.oci.choice import choose_image
from orchestrator.oci.descriptor import MANIFEST_LIMIT, REF_NAME
from orchestrator.oci.image import (
    CONFIG_LIMIT,
    ImageDescriptor,
    ImageDocument,
    ImageManifest,
    Index,
    LayerCompression,
    candidates,
    compression_of,
    read_config,
    read_document,
)
from orchestrator.oci.layout import LAYOUT_LIMIT
from orchestrator.oci.platform import Platform, suitability
from orchestrator.oci.strict import load_json

_FULL_NAME = "io.containerd.image.name"
_BASE_NAME = "org.opencontainers.image.base.name"
_BASE_DIGEST = "org.opencontainers.image.base.digest"
_BASE_MAX = 512


@dataclass(frozen=True)
class OciLayer:
    """One OCI layer: where its bytes are, their digest (None: only that of the uncompressed tar is known), how they
    are compressed (None: their first bytes tell), and the digest of the uncompressed tar."""

    content: FileContent
    digest: str | None
    compression: LayerCompression | None
    diff_id: str


@dataclass(frozen=True)
class ImageIdentity:
    """Which image it is: the digests of its manifest (empty where a form has none) and of its configuration, and what
    its maker says that it was built on (OCI image specification, annotations.md: `base.name`, `base.digest`)."""

    manifest: str
    config: str
    base_name: str = ""
    base_digest: str = ""


@dataclass(frozen=True)
class FoundImage:
    """An image whose documents are checked and whose OCI layers, the lowest first, are not yet."""

    shown: str
    config: dict[str, Any]
    layers: tuple[OciLayer, ...]
    identity: ImageIdentity


def check_layout(files: ImageFiles) -> None:
    """Check that an OCI image layout announces itself as one; raises VerificationError."""
    data = small_file(files, "oci-layout", LAYOUT_LIMIT)
    value = load_json(data, f"oci-layout of {files.shown}", limit=LAYOUT_LIMIT)
    if not isinstance(value, dict) or value.get("imageLayoutVersion") != "1.0.0":
        raise VerificationError(f"{files.shown} is no OCI image layout 1.0.0", repr(value)[:80], HINT)


def select_manifest(files: ImageFiles, name: str, platform: Platform) -> str:
    """Return the digest of the manifest that a layout's index has under `name` for a platform.

    `name` may be empty when there is only one image. Raises ConfigError, saying what there is, when the choice is not
    clear; VerificationError for what is malformed.
    """
    index = read_document(small_file(files, "index.json", MANIFEST_LIMIT), f"index.json of {files.shown}")
    if not isinstance(index, Index):
        raise VerificationError(f"index.json of {files.shown} is no index", "it is an image's manifest", HINT)
    named = [entry for entry in index.entries if name in (entry.named(REF_NAME), entry.named(_FULL_NAME))]
    if name and not named:
        there = ", ".join(sorted(filter(None, {entry.named(REF_NAME) for entry in index.entries})))
        raise ConfigError(
            f"{files.shown} has no image {name!r}", f"it has: {there or 'images without names'}", "name one of these"
        )
    entries = candidates(tuple(named) if name else index.entries)
    if not name and len(names := sorted({entry.named(REF_NAME) for entry in entries})) > 1:
        raise ConfigError(
            f"{files.shown} has several images", ", ".join(filter(None, names)), "name one: put it behind a colon"
        )
    chosen = choose_image(_Layout(files), entries, platform)
    _document(files, chosen.digest, chosen)  # what the index says of it holds
    return chosen.digest


def read_image(files: ImageFiles, manifest: str, platform: Platform) -> FoundImage:
    """Return the image of a manifest (or of what an index has for `platform`), its documents checked.

    Raises VerificationError for what is missing, damaged or contradictory; ConfigError for an image of another
    platform, or for what is no image.
    """
    document = _document(files, manifest)
    if isinstance(document, Index):
        chosen = choose_image(_Layout(files), candidates(document.entries), platform)
        manifest = chosen.digest
        document = _document(files, chosen.digest, chosen)
    if isinstance(document, Index):
        raise VerificationError(f"{files.shown} is refused", "its indexes are nested in each other", HINT)
    config = _config(files, document)
    check_platform(config, platform, files.shown)
    if len(config.diff_ids) != len(document.layers):
        raise VerificationError(
            f"{files.shown} is refused",
            f"its manifest has {len(document.layers)} OCI layers, its configuration {len(config.diff_ids)}",
            HINT,
        )
    layers = [
        OciLayer(find_blob(files, entry.digest, entry.size), entry.digest, compression_of(entry), diff_id)
        for entry, diff_id in zip(document.layers, config.diff_ids, strict=True)
    ]
    stated = document.annotations
    digest = stated.get(_BASE_DIGEST, "")
    base = stated.get(_BASE_NAME, "")[:_BASE_MAX], digest if DIGEST.match(digest) else ""
    identity = ImageIdentity(manifest, document.config.digest, *base)
    return FoundImage(files.shown, config.config, tuple(layers), identity)


def check_platform(config: ImageDocument, platform: Platform, shown: str) -> None:
    """Refuse an image that does not run on `platform`; raises ConfigError."""
    if suitability(platform, config.platform) is None:
        raise ConfigError(
            f"{shown} is for {config.platform}",
            f"the layer needs {platform}",
            "name an image for it, or another 'platform' of the layer if the machine runs it",
        )


def _document(files: ImageFiles, digest: str, entry: ImageDescriptor | None = None) -> Index | ImageManifest:
    data = small_blob(files, digest, MANIFEST_LIMIT, entry.size if entry else None)
    return read_document(data, f"manifest {digest} of {files.shown}", entry.media_type if entry else None)


def _config(files: ImageFiles, manifest: ImageManifest) -> ImageDocument:
    data = small_blob(files, manifest.config.digest, CONFIG_LIMIT, manifest.config.size)
    return read_config(data, f"the configuration of {files.shown}")


@dataclass(frozen=True)
class _Layout:
    """The documents of a layout, for the choice of an image."""

    files: ImageFiles

    @property
    def shown(self) -> str:
        return self.files.shown

    @property
    def refusal(self) -> type[PyContainerError]:
        return VerificationError

    def document(self, entry: ImageDescriptor) -> Index | ImageManifest:
        return _document(self.files, entry.digest, entry)

    def platform(self, manifest: ImageManifest) -> Platform:
        return _config(self.files, manifest).platform
