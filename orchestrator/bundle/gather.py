# SPDX-License-Identifier: MIT
"""What goes into a bundle: the revisions with all that belongs to them, the releases that group them, and their names.

A blob that the base of a revision has is left out, unless another revision of the bundle needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from orchestrator.canonical import canonical_json, hex_of, sha256_digest
from orchestrator.errors import ConfigError
from orchestrator.oci.descriptor import EMPTY_BYTES, INDEX_TYPE, MANIFEST_TYPE, REF_NAME, Descriptor, canonical_bytes
from orchestrator.oci.layout import SUBJECT, Layout, referrer
from orchestrator.revision import LAYER, RELEASE_LIMIT, SPDX_TYPE, Release, Revision
from orchestrator.trust import (
    ENVELOPE_TYPE,
    SIGNATURE_TYPE,
    ProductKeys,
    release_envelope,
    trusted_envelope,
    verify_release,
    verify_revision,
)

BASE = "vnd.pycontainer.base"
"""Annotation of a revision's entry in index.json: the id of the revision whose blobs the bundle leaves out."""

_CHANNELS = ("channel/", "channel.pointer/")
"""How the tags of channels' heads and pointers begin in a store."""
_RELEASES = "release/"
"""How the tags of channels' releases begin in a store."""


@dataclass
class Content:
    """What goes into a bundle: small things by value, blobs by their digest and size; `absent` are left to a base."""

    small: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, int] = field(default_factory=dict)
    absent: dict[str, int] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def add(self, data: bytes) -> str:
        """Put something small in, and return its digest."""
        digest = sha256_digest(data)
        self.small[digest] = data
        return digest

    def enter(
        self, digest: str, size: int, kind: str, annotations: dict[str, str], media_type: str = MANIFEST_TYPE
    ) -> None:
        """Give a manifest, or an index, an entry."""
        entry = Descriptor(media_type=media_type, digest=digest, size=size, artifact_type=kind, annotations=annotations)
        self.entries.append(msgspec.to_builtins(entry))

    def name(self, digest: str, tag: str) -> None:
        """Let a tag stand for what has an entry: by another entry of it."""
        entry = next(each for each in self.entries if each["digest"] == digest)
        self.entries.append({**entry, "annotations": {**entry.get("annotations", {}), REF_NAME: tag}})

    def left_out(self) -> dict[str, int]:
        """Return the blobs that are not here, with their sizes."""
        return {digest: size for digest, size in self.absent.items() if digest not in self.blobs}

    def names(self) -> list[tuple[str, str]]:
        """Return file names and the digests of what they hold, sorted by name; "" for what is no blob."""
        blobs = [(f"blobs/sha256/{hex_of(digest)}", digest) for digest in {**self.small, **self.blobs}]
        return sorted([*blobs, ("index.json", ""), ("oci-layout", "")])

    def index(self) -> bytes:
        """Return the bytes of index.json."""
        return canonical_json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": self.entries})


def gather(
    store: Layout,
    revisions: Sequence[Revision],
    releases: Sequence[Release],
    keys: ProductKeys,
    bases: Sequence[Revision],
    also: Sequence[str],
) -> Content:
    """Return what a bundle of revisions and releases holds, all of it verified; see `write.create`."""
    base_of = _bases(revisions, bases)
    content = Content()
    for revision in revisions:
        verify_revision(store, revision, keys.public_keys(), keys.threshold, product=keys.product, blobs=False)
        _collect(store, revision, keys, content, base_of.get(revision.config.machine))
        _collect_more(store, revision, also, content)
    for base in bases:  # so that whoever checks the bundle can tell what it leaves out from what it lacks
        content.add(store.read_blob(base.id))
        content.add(store.read_blob(base.manifest.config.digest))
    for release in releases:
        _collect_release(store, release, keys, content)
    return content


def _bases(revisions: Sequence[Revision], bases: Sequence[Revision]) -> dict[str, Revision]:
    """Return the base of each machine; a machine without one has all of its blobs in the bundle."""
    found: dict[str, Revision] = {}
    for base in bases:
        machine = base.config.machine
        if found.setdefault(machine, base).id != base.id:
            raise ConfigError(
                f"there are two bases for {machine}", f"{found[machine].short} and {base.short}", "name one"
            )
        if machine not in {revision.config.machine for revision in revisions}:
            first = revisions[0]
            raise ConfigError(
                "the base is for another machine", f"{machine}, and revision {first.short} for {first.config.machine}"
            )
    for revision in revisions:
        of = found.get(revision.config.machine)
        if of is None:
            continue
        if revision.id == of.id:
            raise ConfigError("a bundle cannot be based on what it brings", f"revision {revision.short} is both")
        ours, other = revision.config.product, of.config.product
        if ours != other:
            raise ConfigError("the base is for another product", f"{other}, and revision {revision.short} for {ours}")
    return found


def blobs_of(revision: Revision) -> set[str]:
    """The blobs that whoever has a revision has: those of its layers, and their SPDX documents."""
    return {blob.digest for blob in revision.blobs()} | {layer.spdx for layer in revision.config.layers}


def _collect(store: Layout, revision: Revision, keys: ProductKeys, content: Content, base: Revision | None) -> None:
    owned = blobs_of(base) if base else set()

    def take(part: Descriptor) -> None:
        if part.digest not in content.small:
            (content.absent if part.digest in owned else content.blobs)[part.digest] = part.size

    content.add(store.read_blob(revision.id))
    content.add(store.read_blob(revision.manifest.config.digest))
    content.enter(
        revision.id, revision.descriptor.size, revision.descriptor.artifact_type or "", {BASE: base.id} if base else {}
    )
    for part in revision.manifest.layers:
        take(part)
    _enter_signature(content, revision.descriptor, trusted_envelope(store, revision, keys.device_keys()))
    for found in sorted(store.referrers(revision.id, SPDX_TYPE), key=lambda entry: entry.digest):
        manifest = store.read_manifest(found.digest)
        if base is not None and LAYER not in manifest.annotations:
            continue  # the image's document repeats those of all layers, which the base has
        content.enter(content.add(store.read_blob(found.digest)), found.size, SPDX_TYPE, {SUBJECT: revision.id})
        for part in (manifest.config, *manifest.layers):
            take(part)


def _enter_signature(content: Content, subject: Descriptor, envelope: bytes) -> None:
    part = Descriptor(media_type=ENVELOPE_TYPE, digest=content.add(envelope), size=len(envelope))
    signature = canonical_bytes(referrer(subject, SIGNATURE_TYPE, [part]))
    content.add(EMPTY_BYTES)
    content.enter(content.add(signature), len(signature), SIGNATURE_TYPE, {SUBJECT: subject.digest})


def _collect_release(store: Layout, release: Release, keys: ProductKeys, content: Content) -> None:
    """Add a release, whose revisions are here, its signatures, and the names that stand for it."""
    verify_release(store, release.id, keys.public_keys(), keys.threshold, product=keys.product)
    entered = {entry["digest"] for entry in content.entries}
    lacking = [machine for machine, revision in release.machines.items() if revision not in entered]
    if lacking:
        raise ConfigError(
            f"release {release.short} needs its revisions",
            f"that for {', '.join(lacking)} is not among those of the bundle",
            "make the bundle of the release, or without it",
        )
    found = release.descriptor
    content.add(store.read_blob(release.id, limit=RELEASE_LIMIT))
    content.enter(found.digest, found.size, found.artifact_type or "", {}, INDEX_TYPE)
    _enter_signature(content, found, release_envelope(store, release, keys.device_keys()))
    for name, tagged in store.tags().items():
        if tagged.digest == release.id and (name.startswith(_RELEASES) or "/" not in name):
            content.name(release.id, name)


def _collect_more(store: Layout, revision: Revision, also: Sequence[str], content: Content) -> None:
    """Add what else is attached to a revision, and the channels that stand for it: small, and so never left out."""
    for kind in also:
        for found in sorted(store.referrers(revision.id, kind), key=lambda entry: entry.digest):
            content.enter(content.add(store.read_blob(found.digest)), found.size, kind, {SUBJECT: revision.id})
            manifest = store.read_manifest(found.digest)
            for part in (manifest.config, *manifest.layers):
                if part.digest not in content.small:
                    content.blobs[part.digest] = part.size
            for signed in sorted(store.referrers(found.digest, SIGNATURE_TYPE), key=lambda entry: entry.digest):
                digest = content.add(store.read_blob(signed.digest))
                content.enter(digest, signed.size, SIGNATURE_TYPE, {SUBJECT: found.digest})
                for part in store.read_manifest(signed.digest).layers:
                    content.blobs[part.digest] = part.size
    known = {entry["digest"]: entry for entry in content.entries}
    for name, tagged in store.tags().items() if also else ():
        if name.startswith(_CHANNELS) and tagged.digest in (revision.id, *_attached(known, revision)):
            content.name(tagged.digest, name)


def _attached(known: dict[str, dict[str, Any]], revision: Revision) -> list[str]:
    return [digest for digest, entry in known.items() if entry.get("annotations", {}).get(SUBJECT) == revision.id]
