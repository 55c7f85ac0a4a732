# SPDX-License-Identifier: MIT
"""Where a layer of a product comes from, in the product file's words."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from orchestrator.product.fields import FieldError, within
from orchestrator.product.reference import ImageReference, parse_reference
from orchestrator.product.words import PLATFORM, RECIPE, SIGNER


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """Where a layer comes from: exactly one of a BitBake recipe, a container image, a root file system tar, a
    directory, or a layer that a team has published. `platform` chooses among an image's platforms (default: the
    machine's); `signers` are the ids, or the public keys in PEM, of which one must have signed a published layer;
    `spdx` is BitBake's document of the image that a tar or a directory is: of SPDX 3.0.1, or an archive of SPDX 2.2."""

    bitbake: Annotated[str, msgspec.Meta(pattern=RECIPE)] | None = None
    image: str | None = None
    tar: str | None = None
    directory: str | None = None
    layer: str | None = None
    signers: Annotated[list[str], msgspec.Meta(max_length=64)] = []
    platform: Annotated[str, msgspec.Meta(pattern=PLATFORM)] | None = None
    spdx: str | None = None

    def __post_init__(self) -> None:
        given = [word for word in ("bitbake", "image", "tar", "directory", "layer") if getattr(self, word)]
        if len(given) != 1:
            raise FieldError(given[1] if given else (), "name exactly one of bitbake, image, tar, directory, layer")
        self._check_layer()
        if self.image is not None:
            within("image", parse_reference, self.image)
        elif self.platform is not None:
            raise FieldError("platform", "only an image has platforms to choose from", "remove it")
        if self.spdx is not None and self.tar is None and self.directory is None:
            raise FieldError(
                "spdx", "only a tar or a directory can have a document of BitBake's beside it", "remove it"
            )

    def _check_layer(self) -> None:
        if self.layer is None:
            if self.signers:
                raise FieldError("signers", "only a published layer has signers", "remove it")
            return
        if within("layer", parse_reference, self.layer).transport == "docker-archive":
            raise FieldError("layer", "a docker archive holds no published layer", "use oci: or oci-archive:")
        if not self.signers:
            hint = "write signers: [KEY ID], as 'pycontainer layer show' tells it, once you have asked the team"
            raise FieldError("layer", "who must have signed the layer is not said", hint)
        for position, text in enumerate(self.signers):
            if not re.fullmatch(SIGNER, text):
                raise FieldError(
                    ("signers", position), "neither the id of a key (64 hex digits) nor a public key in PEM"
                )

    @property
    def reference(self) -> ImageReference | None:
        """Where the image or the published layer is, or None when the layer is made of something else."""
        named = self.image or self.layer
        return None if named is None else parse_reference(named)
