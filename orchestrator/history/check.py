# SPDX-License-Identifier: MIT
"""Checking a store with its history: every byte, every revision of every channel, and who signed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.errors import PyContainerError
from orchestrator.history.graph import Graph
from orchestrator.history.names import channel_of, is_release_entry
from orchestrator.oci import FsckReport, Problem, Store, fsck
from orchestrator.revision import check_release, read_release, read_revision
from orchestrator.trust import PublicKey, verify_release, verify_revision


@dataclass
class Checked:
    """The outcome: what `fsck` of the store found; revisions of channels, `shallow` ones whose parents are elsewhere,
    and those that do not verify, releases among them, each with its reason."""

    store: FsckReport
    revisions: int = 0
    channels: int = 0
    releases: int = 0
    thin: int = 0
    shallow: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unsigned: list[Problem] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is missing or damaged; signatures are another question."""
        return self.store.whole and not self.problems


def check(store: Store, product: str, keys: Sequence[PublicKey], threshold: int) -> Checked:
    """Read every blob of a store, and every revision of its channels; `keys` are those that sign the product's.

    Changes nothing. Raises VerificationError only when `index.json` is unreadable.
    """
    result = Checked(fsck(store))
    result.thin = result.store.thinned
    graph = Graph(store)
    tips = {tag: entry.digest for tag, entry in store.tags().items() if channel_of(tag) is not None}
    result.channels = len(tips)
    done: set[str] = set()
    waiting = list(tips.values())
    while waiting:
        digest = waiting.pop()
        if digest in done:
            continue
        done.add(digest)
        try:
            revision = read_revision(store, digest)
        except PyContainerError as problem:
            result.problems.append(Problem(digest, f"{problem.what}: {problem.why}"))
            continue
        result.revisions += 1
        for parent in revision.config.parents:
            if graph.has(parent):
                waiting.append(parent)
            else:
                result.shallow.append(digest)
        try:
            verify_revision(store, revision, keys, threshold, product=product, blobs=False)
        except PyContainerError as problem:
            result.unsigned.append(Problem(digest, problem.why or problem.what))
    _check_releases(store, product, keys, threshold, result)
    return result


def _check_releases(store: Store, product: str, keys: Sequence[PublicKey], threshold: int, result: Checked) -> None:
    """Verify every release that has a name, and compare it with its revisions."""
    for digest in dict.fromkeys(entry.digest for entry in store.tags().values() if is_release_entry(entry)):
        result.releases += 1
        try:
            check_release(store, read_release(store, digest))
        except PyContainerError as problem:
            result.problems.append(Problem(digest, f"{problem.what}: {problem.why}"))
            continue
        try:
            verify_release(store, digest, keys, threshold, product=product)
        except PyContainerError as problem:
            result.unsigned.append(Problem(digest, f"release: {problem.why or problem.what}"))
