# SPDX-License-Identifier: MIT
"""Manifests and indexes with their bytes, and all that is attached to them: out of a store, and out of a registry."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.errors import ConfigError, FetchError, PyContainerError, VerificationError
from orchestrator.oci import MANIFEST_TYPE, Descriptor, ImageIndex, Manifest, Store
from orchestrator.oci.copying import described
from orchestrator.oci.descriptor import MACHINE, MANIFEST_LIMIT, decode_document
from orchestrator.oci.layout import AttachedRoom
from orchestrator.registry.reference import Reference
from orchestrator.registry.sources import Sources

_DEPTH = 3
"""Attachments of attachments: a signature of a document of a revision."""

_MANIFESTS = 2000
_INDEX = 256
"""Manifests of an index that are brought at most: a release's limit of machines."""


@dataclass(frozen=True)
class Held:
    """A manifest, or an index, with its bytes."""

    descriptor: Descriptor
    manifest: Manifest | ImageIndex
    data: bytes


def family_of(store: Store, digest: str) -> list[Held]:
    """Return a manifest of the store and all that is attached to it, each after its subject."""
    found = {digest: held(store.read_blob(digest, limit=MANIFEST_LIMIT), digest)}
    level = [digest]
    for _ in range(_DEPTH):
        level = [each.digest for parent in level for each in store.referrers(parent) if each.digest not in found]
        found |= {each: held(store.read_blob(each, limit=MANIFEST_LIMIT), each) for each in level}
    return list(found.values())


def held(data: bytes, digest: str, error: type[PyContainerError] = VerificationError) -> Held:
    """Return what bytes of that digest are; raises `error` for neither a manifest nor an index."""
    document = decode_document(data, f"manifest {digest}", error=error)
    return Held(described(document, digest, len(data)), document, data)


def kind_of(document: Manifest | ImageIndex) -> str | None:
    """Return what a manifest is: of an artefact without a type, its configuration's."""
    if isinstance(document, Manifest):
        return document.artifact_type or document.config.media_type
    return document.artifact_type


def for_machine(reference: Reference, index: ImageIndex, machine: str) -> str:
    """Return the manifest of an index that is for a machine; raises ConfigError, naming what there is."""
    found = [each.digest for each in index.manifests if each.annotations.get(MACHINE) == machine]
    if len(found) != 1:
        there = ", ".join(each.annotations.get(MACHINE, "one without a machine") for each in index.manifests[:20])
        raise ConfigError(f"{reference} has no revision for {machine}", f"it has: {there}", "choose one of them")
    return found[0]


def whole(sources: Sources, store: Store, root: Held) -> list[Held]:
    """Return a manifest and those attached to it; of an index its manifests first, each with what is attached."""
    found: list[Held] = []
    if isinstance(root.manifest, ImageIndex):
        if len(root.manifest.manifests) > _INDEX:
            raise FetchError(f"index {root.descriptor.digest[:19]} is refused", f"more than {_INDEX} manifests")
        for entry in root.manifest.manifests:
            each = manifest_of(sources, store, entry.digest)
            if not isinstance(each.manifest, Manifest):
                raise FetchError(f"index {root.descriptor.digest[:19]} is refused", f"it has the index {entry.digest}")
            found += _all_manifests(sources, store, each)
    return [*found, *_all_manifests(sources, store, root)]


def _all_manifests(sources: Sources, store: Store, root: Held) -> list[Held]:
    """Return a manifest and those attached to it, each after its subject."""
    digest = root.descriptor.digest
    found = {digest: root}
    level = [digest]
    room = AttachedRoom()
    for _ in range(_DEPTH):
        following = []
        for subject in level:
            for each in sources.referrers(subject):
                if each.digest in found or each.media_type != MANIFEST_TYPE:
                    continue
                one = manifest_of(sources, store, each.digest)
                # What a list of referrers says is anybody's word; to what it belongs a manifest must say itself.
                of = one.manifest.subject if isinstance(one.manifest, Manifest) else None
                if of is not None and of.digest == subject and room.takes(one.manifest):
                    found[each.digest] = one
                    following.append(each.digest)
                if len(found) > _MANIFESTS:
                    raise FetchError(f"too much is attached to {digest}", f"more than {_MANIFESTS} manifests")
        level = following
    return list(found.values())


def manifest_of(sources: Sources, store: Store, digest: str) -> Held:
    """Return a manifest or an index that the store has, or else a registry; raises FetchError for what is neither."""
    here = store.has_blob(digest)
    data = store.read_blob(digest, limit=MANIFEST_LIMIT) if here else sources.document(digest).data
    return held(data, digest, FetchError)
