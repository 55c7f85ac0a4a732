# SPDX-License-Identifier: MIT
"""Collecting garbage: what nothing with a name leads to (`reach.Needed`), and what killed commands left behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from orchestrator.canonical import DIGEST
from orchestrator.errors import VerificationError
from orchestrator.history.names import is_release_entry
from orchestrator.history.reach import Needed, is_referrers
from orchestrator.oci import MANIFEST_TYPE, REF_NAME, Descriptor, Store
from orchestrator.oci.files import explained
from orchestrator.oci.index import descriptor_of
from orchestrator.oci.layout import SUBJECT, THINNED
from orchestrator.oci.partial import forget_old

WAIT_SECONDS = 10.0
"""How long a collector waits for those who write."""


@dataclass
class Collected:
    """What was removed, or would be: revisions by id, the number of attachments, blobs and their bytes, temporary
    files; `thinned` are revisions whose layers' blobs were given up. And what was kept."""

    revisions: list[str] = field(default_factory=list)
    attachments: int = 0
    thinned: list[str] = field(default_factory=list)
    blobs: int = 0
    bytes: int = 0
    temporary: int = 0
    kept_revisions: int = 0
    kept_blobs: int = 0
    kept_bytes: int = 0


def collect(store: Store, *, keep: int | None = None, dry_run: bool = False, wait: float = WAIT_SECONDS) -> Collected:
    """Remove what nothing leads to; with `dry_run` only say what would be removed.

    With `keep`, revisions further back than the newest `keep` of every name give up the blobs of their layers: the
    history can still be read and compared, but they can no longer be installed. Waits for those who write to the store,
    and keeps them out meanwhile. First the index loses what leads nowhere, then the blobs go: killed at any instant,
    the store is whole, and the next run goes on. Raises TryAgainError when others write for longer than `wait` seconds;
    VerificationError, having removed nothing, when the store is damaged: then nobody can tell what is needed.
    """
    if malformed := store.index.malformed():
        raise VerificationError(
            f"{store.index.path} is damaged",
            f"an entry is no descriptor ({malformed[0]}), and nobody can tell what it led to",
            "nothing was removed; restore the file from a copy, or clone the product again",
        )
    if not dry_run:
        _pack(store)
    with store.writers.alone(timeout=wait), store.index.locked():
        needed = Needed(store, keep)
        result = Collected()
        garbage = _garbage(store, needed, result)
        _count(needed, result)
        if dry_run:
            result.temporary = len(store.blobs.leftovers())
            return result
        store.index.update(lambda entries: [raw for each in entries if (raw := _kept(each, needed)) is not None])
        with explained("collect garbage", store.blobs.folder):
            for digest in garbage:
                store.blobs.files.unlink(store.blobs.path(digest))
            if garbage:
                store.blobs.files.sync_folder(store.blobs.folder)
        result.temporary = len(store.blobs.sweep())
        forget_old(store.blobs)
        return result


def _pack(store: Store) -> None:
    """Give every manifest that much is attached to an index of its own; see `Store.pack`."""
    with store.together():
        loose: dict[str, int] = {}
        for entry in store.entries():
            if (subject := entry.annotations.get(SUBJECT)) is not None and REF_NAME not in entry.annotations:
                loose[subject] = loose.get(subject, 0) + 1
        for subject in sorted(subject for subject, count in loose.items() if count > 1):
            store.pack(subject)


def _garbage(store: Store, needed: Needed, result: Collected) -> list[str]:
    """Return the blobs that are not needed, and count both kinds."""
    found = []
    for path in sorted(store.blobs.folder.iterdir()):
        digest = f"sha256:{path.name}"
        if not DIGEST.match(digest):
            continue
        size = path.stat().st_size
        if digest in needed.blobs:
            result.kept_blobs += 1
            result.kept_bytes += size
        else:
            found.append(digest)
            result.blobs += 1
            result.bytes += size
    return found


def _count(needed: Needed, result: Collected) -> None:
    before = {entry.digest for entry in needed.entries if THINNED in entry.annotations}
    dropped = [entry for entry in needed.entries if not _stays(entry, needed)]
    subjects = {subject for entry in dropped if (subject := _subject(entry))}
    # The last candidate but one has lost its entry: what was attached to it still tells of it.
    known = needed.revisions | {each for each in subjects if needed.store.has_blob(each)}
    result.revisions = sorted(known - needed.manifests)
    result.kept_revisions = len(needed.revisions & needed.manifests)
    result.thinned = sorted(needed.thin - before)
    attached = {entry.digest for entry in dropped if entry.media_type == MANIFEST_TYPE} - needed.revisions
    for subject in subjects:
        attached.update(entry.digest for entry in needed.store.packed(subject) or ())
    result.attachments = len(attached)


def _subject(entry: Descriptor) -> str:
    """What an entry of the index is attached to, or lists the attachments of; empty for neither."""
    if is_referrers(entry):
        return entry.annotations[REF_NAME].replace("-", ":", 1)
    return entry.annotations.get(SUBJECT, "")


def _stays(entry: Descriptor, needed: Needed) -> bool:
    """Whether an entry of the index leads to something that is needed; unknown kinds stay as they are."""
    if is_referrers(entry):
        return _subject(entry) in needed.manifests
    if is_release_entry(entry):
        return entry.digest in needed.manifests
    return entry.media_type != MANIFEST_TYPE or REF_NAME in entry.annotations or entry.digest in needed.manifests


def _kept(raw: dict[str, Any], needed: Needed) -> dict[str, Any] | None:
    """Return an entry of the index as it stays, or None for one that leads nowhere; unknown kinds stay as they are."""
    entry = descriptor_of(raw)
    if entry is None:
        return raw
    if not _stays(entry, needed):
        return None
    notes = raw.get("annotations", {})
    if entry.digest in needed.thin:
        return {**raw, "annotations": {**notes, THINNED: "true"}}
    if THINNED in notes:
        return {**raw, "annotations": {key: each for key, each in notes.items() if key != THINNED}}
    return raw
