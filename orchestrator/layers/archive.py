# SPDX-License-Identifier: MIT
"""Images in one file: a tar of an OCI image layout, or what `docker save` writes (moby, image/spec)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from orchestrator.canonical import canonical_json, hash_file, sha256_digest
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.layers.compression import sniff
from orchestrator.layers.image import load_image
from orchestrator.layers.imagefiles import HINT, ArchiveFiles, ImageFiles, small_file
from orchestrator.layers.inputs import Loaded, uncompressed
from orchestrator.layers.layout import (
    FoundImage,
    ImageIdentity,
    OciLayer,
    check_layout,
    check_platform,
    read_image,
    select_manifest,
)
from orchestrator.layers.tree import Limits
from orchestrator.oci.descriptor import MANIFEST_LIMIT
from orchestrator.oci.image import CONFIG_LIMIT, LAYERS_MAX, ImageDocument, read_config
from orchestrator.oci.platform import Platform
from orchestrator.oci.strict import convert, load_json

_IMAGES_MAX = 1000

_Member = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class _Entry(msgspec.Struct, frozen=True, rename="pascal", kw_only=True):
    """One image of an archive's manifest.json: names of members, and the names that it goes by."""

    config: _Member
    layers: Annotated[list[_Member], msgspec.Meta(max_length=LAYERS_MAX)] | None = None
    repo_tags: list[str] | None = None


@dataclass(frozen=True)
class ArchiveSource:
    """One image of an archive of the form `oci` or `docker`, plain or compressed.

    `name` may be empty when there is only one image; `shown` is the reference in the user's words, for messages.
    """

    path: Path
    form: Literal["oci", "docker"]
    name: str
    platform: Platform
    shown: str
    own = False

    def describe(self) -> str:
        return f"image {self.shown}"

    def digest(self) -> str:
        """Return the digest of what names the image's content: an archive's own depends on its packing, too."""
        try:
            with self.path.open("rb") as probe:
                compression = sniff(probe.read(6))
            if compression != "none":
                return self._key(f"{hash_file(self.path)} {self.name}")
        except OSError as problem:
            hint = "correct 'image' of the layer, relative to the product file"
            raise ConfigError(f"{self.path} cannot be read", problem.strerror or "", hint) from problem
        files = ArchiveFiles(self.path, self.describe())
        if self.form == "oci":
            check_layout(files)
            return self._key(select_manifest(files, self.name, self.platform))
        data = small_file(files, _select(files, self.name).config, CONFIG_LIMIT)
        return self._key(sha256_digest(data))

    def _key(self, content: str) -> str:
        return sha256_digest(canonical_json(["image", self.form, content, str(self.platform)]))

    def load(self, workspace: Path, limits: Limits, mtime: int) -> Loaded:
        path = uncompressed(self.path, workspace, limits.tar)
        files = ArchiveFiles(path, self.describe())
        if self.form == "oci":
            check_layout(files)
            found = read_image(files, select_manifest(files, self.name, self.platform), self.platform)
        else:
            found = _read_docker(files, self.name, self.platform)
        return load_image(found, workspace, limits, mtime)


def _select(files: ImageFiles, name: str) -> _Entry:
    data = small_file(files, "manifest.json", MANIFEST_LIMIT)
    what = f"manifest.json of {files.shown}"
    entries = convert(load_json(data, what, limit=MANIFEST_LIMIT), list[_Entry], what)
    if not 1 <= len(entries) <= _IMAGES_MAX:
        raise VerificationError(f"{files.shown} is refused", f"it has {len(entries)} images", HINT)
    there = ", ".join(sorted(tag for entry in entries for tag in entry.repo_tags or ())) or "images without names"
    if not name:
        if len(entries) > 1:
            raise ConfigError(f"{files.shown} has several images", there, "name one: put it behind a colon")
        return entries[0]
    # Tools write a name whole, registry and all, even where people leave that out.
    exact = [entry for entry in entries if name in (entry.repo_tags or ())]
    found = exact or [entry for entry in entries if any(tag.endswith("/" + name) for tag in entry.repo_tags or ())]
    if len(found) != 1:
        raise ConfigError(f"{files.shown} has {len(found) or 'no'} images {name!r}", f"it has: {there}", "name one")
    return found[0]


def _read_docker(files: ImageFiles, name: str, platform: Platform) -> FoundImage:
    entry = _select(files, name)
    data = small_file(files, entry.config, CONFIG_LIMIT)
    config: ImageDocument = read_config(data, f"the configuration of {files.shown}")
    check_platform(config, platform, files.shown)
    members = entry.layers or []
    if len(members) != len(config.diff_ids):
        raise VerificationError(
            f"{files.shown} is refused",
            f"its manifest.json names {len(members)} OCI layers, its configuration {len(config.diff_ids)}",
            HINT,
        )
    layers = []
    for member, diff_id in zip(members, config.diff_ids, strict=True):
        content = files.find(member)
        if content is None:
            raise VerificationError(f"{files.shown} is not whole", f"it lacks {member[:200]!r}", HINT)
        layers.append(OciLayer(content, None, None, diff_id))
    return FoundImage(files.shown, config.config, tuple(layers), ImageIdentity("", sha256_digest(data)))
