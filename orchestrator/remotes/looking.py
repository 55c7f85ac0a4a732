# SPDX-License-Identifier: MIT
"""Looking at a revision of a remote before its large blobs come: manifest, configuration, and who signed it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.errors import FetchError
from orchestrator.oci import Store, decode_manifest
from orchestrator.oci.layout import SUBJECT
from orchestrator.remotes.ancestry import Parents, parents_in, parents_of
from orchestrator.remotes.peer import Peer
from orchestrator.revision import Revision, read_revision
from orchestrator.revision.model import CONFIG_LIMIT, REVISION_TYPE
from orchestrator.trust import SIGNATURE_TYPE

_SIGNATURES = 64


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
    for signature in peer.referrers(digest, SIGNATURE_TYPE)[:_SIGNATURES]:
        peer.bring(signature, store, lambda done, total: None)
    return read_revision(store, digest)


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

    Entries that have got a name by then stay. Blobs stay too: nothing leads to them, and the next try finds them.
    """
    before = {entry.digest for entry in store.entries()}
    try:
        yield
    except BaseException:
        named = {entry.digest for entry in store.tags().values()}

        def change(entries: list[dict[str, object]]) -> list[dict[str, object]]:
            kept = before | named
            return [raw for raw in entries if raw.get("digest") in kept or _subject(raw) in kept]

        store.index.update(change)
        raise


def _subject(raw: dict[str, object]) -> object:
    notes = raw.get("annotations")
    return notes.get(SUBJECT) if isinstance(notes, dict) else None
