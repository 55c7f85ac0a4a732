# SPDX-License-Identifier: MIT
"""What a store needs: everything that has a name, all that it came from, and all that is attached to any of it."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.errors import VerificationError
from orchestrator.history.graph import Graph
from orchestrator.history.names import channel_of, is_release_entry
from orchestrator.oci import INDEX_TYPE, MANIFEST_TYPE, REF_NAME, Descriptor, Store
from orchestrator.oci.fsck import references
from orchestrator.oci.layout import THINNED, referrers_tag
from orchestrator.revision import REVISION_TYPE, read_release


class Needed:
    """What a store needs: `manifests` and all `blobs` (manifests among them) by digest, and the `thin` revisions.

    A thin revision has its manifest, its configuration and what is attached to it, and lacks the blobs of its layers.
    With `keep`, those are thin which are `keep` or more steps away from every name; revisions that lost blobs so before
    stay thin. Raises VerificationError when something that is needed is missing or damaged.
    """

    def __init__(self, store: Store, keep: int | None = None) -> None:
        self.store = store
        self.graph = Graph(store)
        self.entries = store.entries()
        self.revisions = {entry.digest for entry in self.entries if store.artifact_type(entry) == REVISION_TYPE}
        self.manifests: set[str] = set()
        self.blobs: dict[str, int] = {}
        named = [entry for entry in self.entries if has_name(entry)]
        tips = self._tips(named)
        history = self.graph.reachable(tips)
        self.thin = self._already_thin(history)
        if keep is not None:
            self.thin |= history.keys() - self._near(tips, keep)
        self._attached({*history, *(entry.digest for entry in named), *self._waiting_releases()})
        self._all_blobs()

    def _tips(self, named: Iterable[Descriptor]) -> list[str]:
        """The revisions that have a name, and those that something with a name is attached to: a channel's pointer."""
        found = []
        for entry in named:
            if entry.digest in self.revisions:
                found.append(entry.digest)
            elif is_release_entry(entry):
                found += read_release(self.store, entry.digest).machines.values()
            elif entry.media_type == MANIFEST_TYPE and self._is_revision(subject := self._subject(entry.digest)):
                found.append(subject)
        return list(dict.fromkeys([*found, *self._waiting(found)]))

    def _waiting(self, tips: Iterable[str]) -> list[str]:
        """The revisions that were committed and have no name yet, because signatures of others are missing.

        They follow upon what has a name; once that has moved on they never become a head. A build has no message.
        """
        named = set(tips)
        machines = {channel[1] for entry in self.entries if (channel := channel_of(name_of(entry))) is not None}
        found = []
        for digest in sorted(self.revisions - named):
            if not self.store.has_blob(digest):
                continue
            commit = self.graph.commit(digest)
            first = not commit.parents and commit.machine not in machines
            if commit.message and (first or (commit.parents and set(commit.parents) <= self._heads())):
                found.append(digest)
        return found

    def _waiting_releases(self) -> list[str]:
        """The releases of what channels have now that have no name yet, because signatures of others are missing."""
        found = [entry.digest for entry in self.entries if is_release_entry(entry) and not has_name(entry)]
        heads = self._heads()
        return [each for each in found if set(read_release(self.store, each).machines.values()) <= heads]

    def _heads(self) -> set[str]:
        return {entry.digest for entry in self.entries if channel_of(name_of(entry)) is not None}

    def _is_revision(self, digest: str) -> bool:
        """Whether this is a revision that is here; it may have no entry of its own any more."""
        if not digest or not self.store.has_blob(digest):
            return False
        return self.store.read_manifest(digest).artifact_type == REVISION_TYPE

    def _subject(self, digest: str) -> str:
        subject = self.store.read_manifest(digest).subject
        return subject.digest if subject else ""

    def _already_thin(self, history: Iterable[str]) -> set[str]:
        noted = {entry.digest for entry in self.entries if THINNED in entry.annotations}
        return {digest for digest in history if digest in noted and not self._complete(digest)}

    def _complete(self, digest: str) -> bool:
        """Whether all blobs of a revision's layers are here (again)."""
        return all(self.store.has_blob(part.digest, part.size) for part in self.store.read_manifest(digest).layers)

    def _near(self, tips: Iterable[str], keep: int) -> set[str]:
        near, level = set(tips), list(tips)
        for _ in range(keep - 1):
            parents = [parent for digest in level for parent in self.graph.commit(digest).parents]
            level = [each for each in dict.fromkeys(parents) if each not in near and self.graph.has(each)]
            near.update(level)
        return near

    def _attached(self, roots: set[str]) -> None:
        """Take in what is attached to what is needed, and to that again."""
        subjects: dict[str, list[str]] = {}
        for entry in self.entries:
            if entry.digest in roots or entry.digest in self.revisions or has_name(entry):
                continue
            if entry.media_type == MANIFEST_TYPE and REF_NAME not in entry.annotations:
                if subject := self._subject(entry.digest):
                    subjects.setdefault(subject, []).append(entry.digest)
                else:
                    roots.add(entry.digest)  # somebody else's, without a name: not ours to judge
        waiting = list(roots)
        self.manifests |= roots
        while waiting:
            digest = waiting.pop()
            for each in (*subjects.get(digest, ()), *(entry.digest for entry in self.store.packed(digest) or ())):
                if each not in self.manifests:
                    self.manifests.add(each)
                    waiting.append(each)

    def _all_blobs(self) -> None:
        kinds = {entry.digest: entry.media_type for entry in self.entries}
        waiting = [(digest, kinds.get(digest, MANIFEST_TYPE)) for digest in sorted(self.manifests)]
        for digest in sorted(self.manifests):
            if (listed := self.store.resolve(referrers_tag(digest))) is not None:
                self._take(listed.digest)
        while waiting:
            digest, kind = waiting.pop()
            descriptor = Descriptor(media_type=kind, digest=digest, size=self._take(digest))
            for part in references(self.store, descriptor, layers=digest not in self.thin):
                if part.media_type in (MANIFEST_TYPE, INDEX_TYPE) and part.digest not in self.manifests:
                    self.manifests.add(part.digest)
                    waiting.append((part.digest, part.media_type))
                self.blobs.setdefault(part.digest, part.size)

    def _take(self, digest: str) -> int:
        size = self.store.blobs.size(digest)
        if size is None:
            raise VerificationError(
                f"{digest[:19]} is missing, so nobody can tell what is garbage",
                "something that has a name leads to it",
                "pycontainer fsck says what else is wrong",
            )
        self.blobs[digest] = size
        return size


def name_of(entry: Descriptor) -> str:
    """The tag of an entry of the index, empty without one."""
    return entry.annotations.get(REF_NAME, "")


def has_name(entry: Descriptor) -> bool:
    """Whether an entry of the index has a name of its own: a tag that is not that of an index of referrers."""
    name = entry.annotations.get(REF_NAME)
    return name is not None and not is_referrers(entry)


def is_referrers(entry: Descriptor) -> bool:
    """Whether an entry is the index of some manifest's referrers."""
    return entry.media_type == INDEX_TYPE and entry.annotations.get(REF_NAME, "").startswith("sha256-")
