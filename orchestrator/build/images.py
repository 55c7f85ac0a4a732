# SPDX-License-Identifier: MIT
"""The images of registries that a product is made of: pulled once into the build folder, by their pinned digests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.build.imagelock import key_of
from orchestrator.build.workspace import Workspace
from orchestrator.layers.image import ImageSource
from orchestrator.oci.platform import Platform
from orchestrator.product.reference import ImageReference
from orchestrator.progress import Reporter


@dataclass(frozen=True)
class RegistryImages:
    """Where pulled images are kept, which bytes their tags mean, and who hears of the progress."""

    folder: Path
    pins: Mapping[str, str]
    reporter: Reporter = field(repr=False)

    def source(self, reference: ImageReference, platform: Platform) -> ImageSource:
        """Return a registry's image for a platform; nothing is asked of the network when all of it is here.

        Raises what `orchestrator.registry.pull_image` does.
        """
        from orchestrator.registry import Web, parse_reference, pull_image  # slow to import, and rarely needed

        wanted = parse_reference(key_of(reference)).at(reference.digest or self.pins[key_of(reference)])
        view = self.reporter.view
        with Web(tell=lambda text: view.message("note", text)) as web:
            pulled = pull_image(wanted, platform, self.folder, tell=view.amount, web=web)
        return ImageSource(pulled.folder, pulled.manifest, platform, str(reference))


def registry_images(place: Workspace, pins: Mapping[str, str], reporter: Reporter) -> RegistryImages:
    """Return the registry images of a build folder."""
    return RegistryImages(place.images, pins, reporter)
