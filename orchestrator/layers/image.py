# SPDX-License-Identifier: MIT
"""A container image as the input of a layer, wherever it came from: an OCI image layout and a manifest's digest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.canonical import canonical_json, sha256_digest
from orchestrator.errors import ConfigError
from orchestrator.layers.inputs import Loaded
from orchestrator.layers.tree import Limits
from orchestrator.oci.platform import Platform


@dataclass(frozen=True)
class ImageSource:
    """One image of a layout.

    `folder` is an OCI image layout (only its `blobs/sha256/` is looked at, so that the cache of pulled images needs no
    index), `manifest` the digest of the image's manifest, or of an index out of which `platform` chooses. `shown` is
    the reference in the user's words, for messages.
    """

    folder: Path
    manifest: str
    platform: Platform
    shown: str = ""

    def describe(self) -> str:
        return f"image {self.shown or self.manifest}"

    def digest(self) -> str:
        return sha256_digest(canonical_json(["image", self.manifest, str(self.platform)]))

    def load(self, workspace: Path, limits: Limits, mtime: int) -> Loaded:
        raise ConfigError(f"{self.describe()} cannot be read yet", "", "give the layer as a tar")
