# SPDX-License-Identifier: MIT
"""Checking a whole store: every blob that can be reached is there, and is what its name says."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from orchestrator.canonical import DIGEST
from orchestrator.errors import VerificationError
from orchestrator.oci.descriptor import INDEX_TYPE, MANIFEST_LIMIT, MANIFEST_TYPE, Descriptor
from orchestrator.oci.layout import THINNED
from orchestrator.oci.store import Store
from orchestrator.oci.strict import decode

_DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_WALKED = {MANIFEST_TYPE, INDEX_TYPE, _DOCKER_MANIFEST, _DOCKER_LIST}


class _References(msgspec.Struct, frozen=True):
    """What any manifest or index refers to, whoever made it."""

    config: Descriptor | None = None
    layers: list[Descriptor] = []
    manifests: list[Descriptor] = []


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: the blob's digest, and what is wrong with it."""

    digest: str
    what: str


@dataclass
class FsckReport:
    """The outcome of `fsck`; `unreachable` blobs and `leftovers` are no damage.

    `thinned` is the number of manifests whose layers were given up on purpose.
    """

    checked: int = 0
    bytes: int = 0
    problems: list[Problem] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    leftovers: list[Path] = field(default_factory=list)
    thinned: int = 0

    @property
    def whole(self) -> bool:
        """True when nothing that can be reached is missing or damaged."""
        return not self.problems


def fsck(store: Store) -> FsckReport:
    """Read every blob that the index leads to and compare it with its digest and announced size.

    Lists what is wrong, entries that cannot be checked (other digest algorithms), blobs that nothing leads to, and
    temporary files of killed writers. Changes nothing. Raises VerificationError only when `index.json` is unreadable.
    """
    malformed = store.index.malformed()
    report = FsckReport(
        problems=[Problem(each, "the index has an entry that is no descriptor") for each in malformed],
        unknown=[each for each in store.index.unknown() if each not in malformed],
        leftovers=store.blobs.leftovers(),
    )
    seen: set[str] = set()
    waiting = list(reversed(store.entries()))
    thin = {each.digest for each in waiting if THINNED in each.annotations}  # an index may lead to one first
    while waiting:
        descriptor = waiting.pop()
        if descriptor.digest in seen:
            continue
        seen.add(descriptor.digest)
        try:
            store.verify_blob(descriptor.digest, descriptor.size)
            report.checked += 1
            report.bytes += descriptor.size
            report.thinned += descriptor.digest in thin
            if descriptor.media_type in _WALKED:
                waiting.extend(reversed(references(store, descriptor, layers=descriptor.digest not in thin)))
        except VerificationError as problem:
            report.problems.append(Problem(descriptor.digest, f"{problem.what}: {problem.why}"))
    for path in sorted(store.blobs.folder.iterdir()) if store.blobs.folder.is_dir() else []:
        digest = f"sha256:{path.name}"
        if DIGEST.match(digest) and digest not in seen:
            report.unreachable.append(digest)
    return report


def references(store: Store, descriptor: Descriptor, *, layers: bool = True) -> list[Descriptor]:
    """Return what a manifest or index of the store names; without `layers` all but those. Raises VerificationError."""
    data = store.read_blob(descriptor.digest, limit=MANIFEST_LIMIT)
    found = decode(data, _References, f"manifest {descriptor.digest}", limit=MANIFEST_LIMIT)
    return [*([found.config] if found.config else []), *(found.layers if layers else ()), *found.manifests]
