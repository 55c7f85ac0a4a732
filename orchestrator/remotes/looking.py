# SPDX-License-Identifier: MIT
"""Looking at a revision of a remote before its large blobs come: manifest, configuration, and who signed it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.errors import FetchError, TrustError
from orchestrator.history.source import SOURCE_TYPE
from orchestrator.oci import Store, decode_manifest
from orchestrator.oci.layout import SUBJECT, size_of_parts
from orchestrator.remotes.ancestry import Parents, parents_in, parents_of
from orchestrator.remotes.peer import Peer
from orchestrator.revision import Revision, read_revision
from orchestrator.revision.model import CONFIG_LIMIT, REVISION_TYPE
from orchestrator.trust import SIGNATURE_TYPE

_SIGNATURES = 64
_SMALL = 1 << 20
"""Bytes of a signature, a pointer or a root document at most, with all that its manifest names."""


def glimpse(peer: Peer, store: Store, digest: str) -> Revision:
    """Bring a revision's manifest, configuration and signatures into `store`, and none of its layers.

    Nothing in the index says that it is here. Raises VerificationError or FetchError for what is no revision.
    """
    data = peer.document(digest)
    manifest = decode_manifest(data, f"revision {digest[:19]}", error=FetchError)
    if manifest.artifact_type != REVISION_TYPE:
        kind = manifest.artifact_type or manifest.config.media_type
        raise FetchError(f"{digest[:19]} is not a revision", f"it is {kind}", "check the name and the tag")
    if manifest.config.size > CONFIG_LIMIT:
        raise FetchError(f"revision {digest[:19]} is refused", "its configuration is too large")
    store.put_blob(peer.small(manifest.config.digest, manifest.config.size), expected=manifest.config.digest)
    store.put_blob(data, expected=digest)
    bring_signatures(peer, store, digest)
    return read_revision(store, digest)


def bring_signatures(peer: Peer, store: Store, digest: str) -> None:
    """Bring the signatures that a remote has of a manifest or an index into `store`; nothing of them is verified."""
    for signature in peer.referrers(digest, SIGNATURE_TYPE)[:_SIGNATURES]:
        if _is(peer, store, signature, SIGNATURE_TYPE, of=digest):
            peer.bring(signature, store, lambda done, total: None)


def bring_as(peer: Peer, store: Store, digest: str, artifact_type: str) -> None:
    """Bring what a name of the remote stands for, when it is what the name promises; else raises TrustError.

    What comes is attached to whatever it says itself: a source, under the name of a pointer, to a revision of ours.
    """
    if not _is(peer, store, digest, artifact_type):
        raise TrustError(
            f"{digest[:19]} of the remote is not what its name says",
            f"it is no {artifact_type}",
            "do not use it; ask whoever keeps the remote",
        )
    peer.bring(digest, store, lambda done, total: None)


def _is(peer: Peer, store: Store, digest: str, artifact_type: str, *, of: str | None = None) -> bool:
    """Whether a manifest of the remote is of a kind, small, and attached to `of`: a list of referrers is anybody's."""
    data = peer.document(digest)
    manifest = decode_manifest(data, f"manifest {digest[:19]}", error=FetchError)
    subject = manifest.subject.digest if manifest.subject else None
    if manifest.artifact_type != artifact_type or of not in (None, subject) or size_of_parts(manifest) > _SMALL:
        return False
    store.put_blob(data, expected=digest)  # so that it is not asked for again
    return True


def known_parents(peer: Peer, store: Store) -> Parents:
    """Return what looks up a revision's parents: in the store, else at the remote, whose word its digest checks."""
    here = parents_in(store)

    def parents(digest: str) -> list[str] | None:
        if (found := here(digest)) is not None:
            return found
        if not peer.has(digest):
            return None
        manifest = decode_manifest(peer.document(digest), f"revision {digest[:19]}", error=FetchError)
        if manifest.config.size > CONFIG_LIMIT:
            raise FetchError(f"revision {digest[:19]} is refused", "its configuration is too large")
        return parents_of(manifest, peer.small(manifest.config.digest, manifest.config.size))

    return parents


@contextmanager
def forgotten_on_failure(store: Store) -> Iterator[None]:
    """Take back the index entries that the block added, should it fail: what was not verified is not listed.

    Entries that have got a name by then stay, and what another command attached to what is listed; but no source, which
    may be the remote's and not looked at yet. Blobs stay too: nothing leads to them, and the next try finds them.
    """
    before = {entry.digest for entry in store.entries()}
    try:
        yield
    except BaseException:
        named = {entry.digest for entry in store.tags().values()}

        def change(entries: list[dict[str, object]]) -> list[dict[str, object]]:
            kept = before | named
            return [
                raw
                for raw in entries
                if raw.get("digest") in kept or (_subject(raw) in kept and raw.get("artifactType") != SOURCE_TYPE)
            ]

        store.index.update(change)
        raise


def _subject(raw: dict[str, object]) -> object:
    notes = raw.get("annotations")
    return notes.get(SUBJECT) if isinstance(notes, dict) else None
