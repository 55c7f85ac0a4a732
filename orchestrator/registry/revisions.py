# SPDX-License-Identifier: MIT
"""Revisions between a store and a registry: blobs first, then the manifest, then what is attached to it, tags last.

So whoever sees a tag, here or there, can have all that it leads to, whatever instant a transfer is cut.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from orchestrator.delta import Plan, Seeds, attach_chunks, indexes_of, make_plan, read_index
from orchestrator.errors import FetchError, VerificationError
from orchestrator.oci import Descriptor, ImageIndex, Manifest, Store
from orchestrator.oci.descriptor import MANIFEST_LIMIT, blobs_of
from orchestrator.oci.layout import SUBJECT
from orchestrator.oci.partial import forget_old
from orchestrator.registry.errors import NotFoundError
from orchestrator.registry.manifests import Held, family_of, for_machine, held, kind_of, manifest_of, whole
from orchestrator.registry.places import Places
from orchestrator.registry.reference import Reference, Repository
from orchestrator.registry.remote import Remote
from orchestrator.registry.session import Session
from orchestrator.registry.sources import Sources
from orchestrator.registry.transfer import Meter, in_parallel
from orchestrator.registry.upload import upload
from orchestrator.registry.web import Web

COSIGN_TYPE = "application/vnd.dev.cosign.artifact.sig.v1+json"
"""The artefact type of signatures for cosign, as cosign itself writes it with referrers (sigstore/cosign, pkg/oci)."""

Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Transfer:
    """What a push or pull did: the revision's digest, manifests and blobs in all, bytes that crossed the network."""

    digest: str
    manifests: int
    blobs: int
    moved: int


def immutable_tag(digest: str) -> str:
    """Return the tag that stands for one revision for ever: it keeps a registry from collecting what lost its name."""
    return "revision-" + digest.partition(":")[2]


def cosign_tag(digest: str) -> str:
    """Return the tag where cosign looks for the signatures of a manifest (SIGNATURE_SPEC.md, tag-based discovery)."""
    return digest.replace(":", "-") + ".sig"


def push(
    store: Store,
    digest: str,
    repository: Repository,
    tags: Sequence[str] = (),
    *,
    mount_from: Sequence[str] = (),
    tell: Tell | None = None,
    web: Web | None = None,
    places: Places | None = None,
    immutable: bool = True,
) -> Transfer:
    """Send a revision of `store`, with all that is attached to it, and let its own tag and `tags` stand for it.

    With `immutable` off it gets no tag of its own: it is no revision. Of an index, which a release is, its bytes go and
    what is attached to it: the registry must have its manifests already. `mount_from` are repositories of the same
    registry that may have its blobs. Raises VerificationError when the store lacks something or it is damaged,
    FetchError when the registry refuses, TryAgainError when it is busy.
    """
    with contextlib.nullcontext(web) if web else Web() as around:
        place = (places or Places.load(around.environment)).to_push(repository)
        remote = Remote(Session(around, place, actions="pull,push"))
        if isinstance(held(store.read_blob(digest, limit=MANIFEST_LIMIT), digest).manifest, Manifest):
            attach_chunks(store, digest)  # so that whoever has something like it pulls less
        family = family_of(store, digest)
        absent = [each for each in family if not remote.has_manifest(each.descriptor.digest)]
        blobs = _distinct(part for each in absent for part in blobs_of(each.manifest))
        meter = Meter(sum(blob.size for blob in blobs), tell)
        in_parallel(around, lambda blob: upload(remote.session, store, blob, meter, mount_from), blobs)
        _put_manifests(remote, family, {each.descriptor.digest for each in absent})
        for tag in dict.fromkeys([*([immutable_tag(digest)] if immutable else []), *tags]):
            _tag(remote, tag, family[0])
        for each in family:
            if each.manifest.artifact_type == COSIGN_TYPE and each.manifest.subject is not None:
                _tag(remote, cosign_tag(each.manifest.subject.digest), each)
        return Transfer(digest, len(family), len(blobs), meter.moved)


def _put_manifests(remote: Remote, family: Sequence[Held], absent: set[str]) -> None:
    """Store manifests by their digests, and enter them into their subjects' fallback tags where the registry does not.

    One that is there, but not listed as attached, is stored again: the registry may have learned of referrers since.
    """
    listed: dict[str, set[str]] = {}
    by_tag: dict[str, list[Descriptor]] = {}
    for each in family:
        digest, subject = each.descriptor.digest, each.manifest.subject
        if digest not in absent:
            if subject is None:
                continue
            if subject.digest not in listed:
                listed[subject.digest] = {one.digest for one in remote.referrers(subject.digest)}
            if digest in listed[subject.digest]:
                continue
        known = remote.put_manifest(digest, each.data, each.descriptor.media_type)
        if subject is not None and not known:
            by_tag.setdefault(subject.digest, []).append(_described(each.descriptor, each.manifest))
    for subject_digest, entries in by_tag.items():
        remote.attach_by_tag(subject_digest, entries)


def _tag(remote: Remote, tag: str, what: Held) -> None:
    """Let a tag stand for a manifest; one that does is left alone: some registries let none be set twice."""
    with contextlib.suppress(NotFoundError):
        if remote.head(tag) == what.descriptor.digest:
            return
    remote.put_manifest(tag, what.data, what.descriptor.media_type)


def tag_manifest(remote: Remote, store: Store, tag: str, digest: str) -> None:
    """Let a tag stand for a manifest of `store` that the registry has already."""
    _tag(remote, tag, held(store.read_blob(digest, limit=MANIFEST_LIMIT), digest))


def _described(each: Descriptor, manifest: Manifest | ImageIndex) -> Descriptor:
    """Return the entry that an index of referrers has for a manifest (distribution-spec, listing referrers)."""
    return Descriptor(
        media_type=each.media_type,
        digest=each.digest,
        size=each.size,
        artifact_type=kind_of(manifest),
        annotations=manifest.annotations,
    )


def _distinct(blobs: Iterable[Descriptor]) -> list[Descriptor]:
    """Return each blob once, the largest first."""
    found = {blob.digest: blob for blob in blobs}
    return sorted(found.values(), key=lambda blob: (-blob.size, blob.digest))


def pull(
    reference: Reference,
    store: Store,
    *,
    artifact_type: str | None = None,
    machine: str | None = None,
    tell: Tell | None = None,
    web: Web | None = None,
    places: Places | None = None,
) -> Transfer:
    """Bring a revision, and all that is attached to it, into `store`; naming it there is the caller's.

    Of an index, which a release is, the revision for `machine` comes, or all of them and then the index itself.
    `artifact_type` is what the manifest of the reference must be, when given. Who made it is not asked here: verify it
    before it is used. Raises FetchError for what cannot be had or is not what its digest says, TryAgainError for a busy
    server or a full disk; the store then has whole blobs only, and nothing in its index that is not complete.
    """
    with store.writing(), contextlib.nullcontext(web) if web else Web() as around:
        sources = Sources(around, reference, places)
        root = manifest_of(sources, store, sources.resolve())
        kind = kind_of(root.manifest)
        if artifact_type is not None and kind != artifact_type:
            raise FetchError(f"{reference} is not what was expected", f"it is {kind}", "check the name and the tag")
        if isinstance(root.manifest, ImageIndex) and machine is not None:
            root = manifest_of(sources, store, for_machine(reference, root.manifest, machine))
        digest, found = root.descriptor.digest, whole(sources, store, root)
        blobs = _distinct(part for each in found for part in blobs_of(each.manifest))
        missing = [blob for blob in blobs if not store.has_blob(blob.digest, blob.size)]
        meter = Meter(sum(blob.size for blob in missing), tell)
        if missing:
            forget_old(store.blobs)
            listed = _indexes(found)
            first = {listed[blob.digest].digest for blob in missing if blob.digest in listed}
            charts = [blob for blob in missing if blob.digest in first]
            in_parallel(around, lambda blob: sources.download(store, blob, meter), charts)
            plans = _plans(store, missing, listed)
            rest = [blob for blob in missing if blob.digest not in first]
            in_parallel(around, lambda blob: sources.download(store, blob, meter, plans.get(blob.digest)), rest)
        with store.together():
            for each in found:
                store.put_blob(each.data, expected=each.descriptor.digest)
                subject = {SUBJECT: each.manifest.subject.digest} if each.manifest.subject else {}
                store.index.add(each.descriptor.plain(**subject))
        return Transfer(digest, len(found), len(blobs), meter.moved)


def _indexes(found: Sequence[Held]) -> dict[str, Descriptor]:
    """Return the chunk indexes that manifests list for the blobs of their subjects."""
    blobs = {each.descriptor.digest: {part.digest for part in blobs_of(each.manifest)} for each in found}
    listed: dict[str, Descriptor] = {}
    for each in found:
        subject = each.manifest.subject
        if isinstance(each.manifest, Manifest) and subject is not None and subject.digest in blobs:
            listed |= {of: entry for of, entry in indexes_of(each.manifest).items() if of in blobs[subject.digest]}
    return listed


def _plans(store: Store, missing: Sequence[Descriptor], listed: dict[str, Descriptor]) -> dict[str, Plan]:
    """Return how to make the missing blobs out of what is here, where that saves something."""
    charted = [blob for blob in missing if blob.digest in listed]
    plans: dict[str, Plan] = {}
    if not charted:
        return plans
    seeds = Seeds(store)
    for blob in charted:
        with contextlib.suppress(VerificationError):  # an index that is none: the whole blob comes
            plan = make_plan(read_index(store, listed[blob.digest], blob), seeds.of(blob))
            if plan.worth:
                plans[blob.digest] = plan
    return plans
