# SPDX-License-Identifier: MIT
"""The graph of revisions: who came from whom, read fast.

A walk over thousands of revisions reads of each only what a log shows. The bytes are compared with the digests that
name them, their whole form is not checked; whoever then uses a revision reads it by `read_revision`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator

import msgspec

from orchestrator.errors import VerificationError
from orchestrator.oci import Store
from orchestrator.oci.descriptor import MANIFEST_LIMIT, Digest
from orchestrator.oci.layout import Layout
from orchestrator.revision import REVISION_TYPE, revisions
from orchestrator.revision.model import CONFIG_LIMIT


class _Config(msgspec.Struct, frozen=True):
    digest: Digest


class _Manifest(msgspec.Struct, frozen=True, rename="camel"):
    config: _Config
    artifact_type: str = ""


class _Head(msgspec.Struct, frozen=True):
    product: str
    machine: str
    version: str
    created: str
    message: str = ""
    parents: list[Digest] = []


_manifest = msgspec.json.Decoder(_Manifest)
_head = msgspec.json.Decoder(_Head)


class Commit(msgspec.Struct, frozen=True):
    """What a log shows of a revision; `id` and `parents` are digests, `created` is SOURCE_DATE_EPOCH as a date."""

    id: str
    parents: tuple[str, ...]
    message: str
    created: str
    version: str
    product: str
    machine: str

    @property
    def short(self) -> str:
        """The id as people see it: 12 hex digits."""
        return self.id[7:19]

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.strip().partition("\n")[0]

    @classmethod
    def read(cls, store: Layout, digest: str) -> Commit:
        """Return a revision of a store; raises VerificationError when it is missing, damaged, or no revision."""
        try:
            manifest = _manifest.decode(store.read_blob(digest, limit=MANIFEST_LIMIT))
            if manifest.artifact_type != REVISION_TYPE:
                raise VerificationError(
                    f"{digest[:19]} is not a revision", f"it is {manifest.artifact_type or 'an image'}"
                )
            head = _head.decode(store.read_blob(manifest.config.digest, limit=CONFIG_LIMIT))
        except (msgspec.MsgspecError, RecursionError) as problem:
            raise VerificationError(f"{digest[:19]} is not a revision", str(problem)[:200]) from problem
        return cls(digest, tuple(head.parents), head.message, head.created, head.version, head.product, head.machine)


class Graph:
    """The revisions of a store, each read once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._commits: dict[str, Commit] = {}

    def commit(self, digest: str) -> Commit:
        """Return a revision; see `Commit.read`."""
        if digest not in self._commits:
            self._commits[digest] = Commit.read(self.store, digest)
        return self._commits[digest]

    def subject(self, digest: str) -> str:
        """Return the first line of a revision's message, empty when it cannot be read."""
        try:
            return self.commit(digest).subject
        except VerificationError:
            return ""

    def known(self) -> set[str]:
        """Return the ids of all revisions in the index: every one that was committed, built last, or fetched."""
        return {entry.digest for entry in revisions(self.store)}

    def has(self, digest: str) -> bool:
        """Whether a revision is here; where it is not, the history is shallow."""
        return digest in self._commits or self.store.has_blob(digest)

    def reachable(self, tips: Iterable[str]) -> dict[str, Commit]:
        """Return every revision that the tips lead to, themselves included, in no order; parents not here end it."""
        found: dict[str, Commit] = {}
        waiting = list(tips)
        while waiting:
            digest = waiting.pop()
            if digest not in found and (commit := self._commit_here(digest)) is not None:
                found[digest] = commit
                waiting.extend(commit.parents)
        return found

    def _commit_here(self, digest: str) -> Commit | None:
        """Return a revision, or None when it is not here; raises VerificationError for a damaged one."""
        try:
            return self.commit(digest)
        except VerificationError:
            if self.store.has_blob(digest):
                raise
            return None

    def walk(self, tips: Iterable[str]) -> Iterator[Commit]:
        """Yield what the tips lead to, no revision before all that came from it (git's --topo-order).

        Of several that could be next, one that was just come from goes first, so that lines stay together; then the
        order of `tips`.
        """
        first = list(dict.fromkeys(tips))
        # A line needs no order: who asks for the newest twenty does not wait for the first thousand to be read.
        while len(first) == 1 and (commit := self._commit_here(first[0])) is not None and len(commit.parents) < 2:
            yield commit
            first = list(commit.parents)
        found = self.reachable(first)
        children = dict.fromkeys(found, 0)
        for commit in found.values():
            for parent in set(commit.parents):
                if parent in children:
                    children[parent] += 1
        ready: list[tuple[int, int, str]] = []
        order = 0
        for position, tip in enumerate(first):
            if tip in found and not children[tip]:
                heapq.heappush(ready, (0, position, tip))
        while ready:
            commit = found[heapq.heappop(ready)[2]]
            yield commit
            for position, parent in enumerate(dict.fromkeys(commit.parents)):
                if parent in children:
                    children[parent] -= 1
                    if not children[parent]:
                        order += 1
                        heapq.heappush(ready, (-order, position, parent))

    def nearest(self, tip: str, wanted: Callable[[str], bool]) -> str | None:
        """Return the first revision from `tip` on, itself included, that `wanted` says yes to, or None."""
        return next((commit.id for commit in self.walk([tip]) if wanted(commit.id)), None)

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `newer` came from `older`, or is the same."""
        return older in self.reachable([newer])
