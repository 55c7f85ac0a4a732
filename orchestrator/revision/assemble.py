# SPDX-License-Identifier: MIT
"""Making a revision out of a configuration and the blobs that the layers gave, and reading one back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.canonical import DIGEST
from orchestrator.errors import BuildError, ConfigError, VerificationError
from orchestrator.oci.descriptor import MANIFEST_TYPE, Descriptor, Manifest, canonical_bytes, decode_manifest
from orchestrator.oci.layout import Layout
from orchestrator.oci.store import Store
from orchestrator.revision.model import CONFIG_LIMIT, CONFIG_TYPE, REVISION_TYPE, RevisionConfig
from orchestrator.revision.parts import BLOB_SIZE_LIMIT, BLOBS_LIMIT

LAYER = "vnd.pycontainer.layer"
ROLE = "vnd.pycontainer.role"
FSVERITY = "vnd.pycontainer.fsverity"
PRODUCT = "vnd.pycontainer.product"
CREATED = "org.opencontainers.image.created"

_SHORTEST_PREFIX = 4


@dataclass(frozen=True)
class LayerBlob:
    """A blob that serves a layer in a role; `fsverity` is its fs-verity file digest, as sha256:<hex>."""

    layer: str
    role: str
    digest: str
    size: int
    fsverity: str


@dataclass(frozen=True)
class Revision:
    """A revision in a store: `id` is the digest of the manifest's bytes, `descriptor` refers to them."""

    id: str
    manifest: Manifest
    config: RevisionConfig
    descriptor: Descriptor

    @property
    def hex(self) -> str:
        """The id without its algorithm: 64 hex digits."""
        return self.id.removeprefix("sha256:")

    @property
    def short(self) -> str:
        """The id as people see it: 12 hex digits."""
        return self.hex[:12]

    def blobs(self) -> list[LayerBlob]:
        """Return the revision's blobs in the manifest's order."""
        return [_layer_blob(descriptor) for descriptor in self.manifest.layers]


def assemble(store: Store, config: RevisionConfig, blobs: Sequence[LayerBlob]) -> Revision:
    """Write the configuration and manifest of a revision to the store and return it.

    `blobs` are those that the configuration names, one for each layer and role, all in the store already. The
    manifest has no tag yet: attach SPDX documents and signatures, then call `set_candidate`, so that an interrupted
    build leaves nothing behind that could be taken for a revision. Raises BuildError when configuration and blobs
    do not agree, TryAgainError on a full disk.
    """
    given = {(blob.layer, blob.role): blob for blob in blobs}
    wanted = {(layer.name, role): digest for layer in config.layers for role, digest in layer.blobs.items()}
    if len(given) != len(blobs) or set(given) != set(wanted):
        odd = sorted(set(given) ^ set(wanted)) or [("", "given twice")]
        raise BuildError("the revision's blobs and its configuration differ", f"layer and role: {' '.join(odd[0])}")
    ordered = [given[layer.name, role] for layer in config.layers for role in sorted(layer.blobs)]
    for blob in ordered:
        if blob.digest != wanted[blob.layer, blob.role]:
            raise BuildError(
                f"layer {blob.layer!r} has two digests for its {blob.role}",
                f"{blob.digest} as a blob, {wanted[blob.layer, blob.role]} in the configuration",
            )
    manifest = Manifest(
        schema_version=2,
        media_type=MANIFEST_TYPE,
        artifact_type=REVISION_TYPE,
        config=store.put_blob(config.to_bytes(), media_type=CONFIG_TYPE, limit=CONFIG_LIMIT),
        layers=[_descriptor(blob, config.media_type(blob.layer, blob.role)) for blob in ordered],
        annotations={CREATED: config.created, PRODUCT: config.product},
    )
    check_manifest(manifest, config)
    descriptor = store.put_manifest(manifest)
    return Revision(descriptor.digest, manifest, config, descriptor)


def candidate_tag(machine: str) -> str:
    """Return the tag of a machine's newest build in a product's store: `candidate/<machine>`."""
    return f"candidate/{machine}"


def set_candidate(store: Store, revision: Revision) -> str:
    """Make a revision the candidate of its machine, in place of the one before; returns the tag.

    The last step of a build: it makes the revision visible.
    """
    name = candidate_tag(revision.config.machine)
    store.tag(name, revision.descriptor)
    return name


def read_revision(store: Layout, digest: str) -> Revision:
    """Return the revision of that id; raises VerificationError when it is missing, damaged, or no revision."""
    data = store.read_blob(digest)
    what = f"revision {digest[:19]}"
    manifest = decode_manifest(data, what)
    if manifest.artifact_type != REVISION_TYPE:
        raise VerificationError(f"{what} is not a revision", f"its artifact type is {manifest.artifact_type}")
    if canonical_bytes(manifest) != data:
        raise VerificationError(f"{what} is not in its canonical form", "its bytes hold more than a revision has")
    if manifest.config.media_type != CONFIG_TYPE:
        raise VerificationError(f"{what} has no revision configuration", manifest.config.media_type)
    config = RevisionConfig.from_bytes(store.read_blob(manifest.config.digest, limit=CONFIG_LIMIT))
    check_manifest(manifest, config)
    descriptor = Descriptor(media_type=MANIFEST_TYPE, digest=digest, size=len(data), artifact_type=REVISION_TYPE)
    return Revision(digest, manifest, config, descriptor)


def check_manifest(manifest: Manifest, config: RevisionConfig) -> None:
    """Check that a manifest lists exactly its configuration's blobs; raises VerificationError when it does not."""
    wanted = {(layer.name, role): digest for layer in config.layers for role, digest in layer.blobs.items()}
    if len(manifest.layers) > BLOBS_LIMIT:
        raise VerificationError(
            "the revision has too many blobs", f"{len(manifest.layers)}, a device takes {BLOBS_LIMIT}"
        )
    for descriptor in manifest.layers:
        blob = _layer_blob(descriptor)
        place = f"{blob.layer} {blob.role}"
        if wanted.pop((blob.layer, blob.role), None) != blob.digest:
            raise VerificationError("the revision's manifest and configuration differ", f"at the blob of {place}")
        if descriptor.media_type != config.media_type(blob.layer, blob.role):
            raise VerificationError(f"the blob of {place} has the wrong media type", descriptor.media_type)
        if not 1 <= blob.size <= BLOB_SIZE_LIMIT:
            raise VerificationError(f"the blob of {place} is empty or too large", f"{blob.size} bytes")
        if not DIGEST.match(blob.fsverity):
            raise VerificationError(f"the blob of {place} has no fs-verity digest", f"annotation {FSVERITY}")
    if wanted:
        raise VerificationError("the revision's manifest lacks a blob", " ".join(sorted(wanted)[0]))
    if manifest.annotations != {CREATED: config.created, PRODUCT: config.product}:
        raise VerificationError("the revision's manifest and configuration differ", "in the annotations")
    if manifest.subject is not None:
        raise VerificationError("a revision has no subject", manifest.subject.digest)


def revisions(store: Layout) -> list[Descriptor]:
    """Return the revisions in the index of a store or bundle, each once, in its order."""
    found = {entry.digest: entry for entry in store.entries() if store.artifact_type(entry) == REVISION_TYPE}
    return list(found.values())


def load_revision(store: Store, name: str) -> Revision:
    """Return a revision by tag, by id (with or without `sha256:`), or by the first digits (4 or more) of its id.

    A tag comes before an id. Raises ConfigError, naming what there is, for an unknown or ambiguous name.
    """
    tags = store.tags()
    if name in tags:
        return read_revision(store, tags[name].digest)
    prefix = name.removeprefix("sha256:")
    if re.fullmatch(r"[0-9a-f]{64}", prefix) and store.has_blob(f"sha256:{prefix}"):
        return read_revision(store, f"sha256:{prefix}")
    known = revisions(store)
    if re.fullmatch(r"[0-9a-f]{4,63}", prefix):
        matches = sorted(entry.digest for entry in known if entry.digest.startswith(f"sha256:{prefix}"))
        if len(matches) == 1:
            return read_revision(store, matches[0])
        if matches:
            listed = ", ".join(digest.removeprefix("sha256:")[:16] for digest in matches[:4])
            raise ConfigError(f"the name {name!r} is ambiguous", f"it begins {listed}", "give more digits")
    names = [*tags, *(entry.digest.removeprefix("sha256:")[:12] for entry in known)]
    raise ConfigError(
        f"no revision {name!r}",
        f"the store has {', '.join(names[:6])}" if names else f"the store at {store.root} has no revision",
        f"give a tag, or {_SHORTEST_PREFIX} or more digits of an id" if names else "build one: pycontainer build",
    )


def _descriptor(blob: LayerBlob, media_type: str) -> Descriptor:
    return Descriptor(
        media_type=media_type,
        digest=blob.digest,
        size=blob.size,
        annotations={LAYER: blob.layer, ROLE: blob.role, FSVERITY: blob.fsverity},
    )


def _layer_blob(descriptor: Descriptor) -> LayerBlob:
    notes = descriptor.annotations
    return LayerBlob(
        layer=notes.get(LAYER, ""),
        role=notes.get(ROLE, ""),
        digest=descriptor.digest,
        size=descriptor.size,
        fsverity=notes.get(FSVERITY, ""),
    )
