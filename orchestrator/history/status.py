# SPDX-License-Identifier: MIT
"""Where a product stands: its channel's head, the candidate of the last build, and its files as they are now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.errors import VerificationError
from orchestrator.history.compare import Comparison, compare
from orchestrator.history.names import CANDIDATE, Names
from orchestrator.history.packages import Package, PackageChange, licence_changes, package_changes, read_packages
from orchestrator.history.source import SourceList, read_source
from orchestrator.history.worktree import WorkChange, changed_files
from orchestrator.oci import Store
from orchestrator.revision import Revision, candidate_tag


@dataclass
class Status:
    """Head and candidate, None where there is none; `work` are files that changed since the build, None when the build
    kept none; `packages` those of changed layers. `unread` are layers whose documents cannot be read."""

    channel: str
    machine: str
    head: Revision | None = None
    candidate: Revision | None = None
    comparison: Comparison | None = None
    packages: list[PackageChange] = field(default_factory=list)
    new_licences: list[str] = field(default_factory=list)
    gone_licences: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    work: list[WorkChange] | None = None

    @property
    def clean(self) -> bool:
        """Whether there is nothing to build and nothing to commit."""
        committed = self.comparison is not None and self.comparison.before is not None and self.comparison.empty
        return committed and not self.work


def examine(names: Names, now: SourceList) -> Status:
    """Return where a product stands; `now` are its files. Raises VerificationError for a damaged store."""
    store = names.store
    found = Status(names.channel, names.machine)
    if names.head() is not None:
        found.head = names.load("HEAD")
    if store.resolve(candidate_tag(names.machine)) is None:
        return found
    found.candidate = names.load(CANDIDATE)
    found.comparison = compare(found.head, found.candidate)
    changes = documents(store, found.comparison)
    found.unread = changes.unread
    found.packages = changes.packages if found.head is not None else []
    if found.head is not None:
        found.new_licences, found.gone_licences = licences(store, found.head, found.candidate, changes)
    listed = read_source(store, found.candidate.id)
    found.work = None if listed is None else changed_files(listed, now)
    return found


@dataclass
class DocumentChanges:
    """What changed in the documents of the layers that changed: packages, and those before and after by layer."""

    packages: list[PackageChange] = field(default_factory=list)
    before: dict[str, list[Package]] = field(default_factory=dict)
    after: dict[str, list[Package]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


def documents(store: Store, comparison: Comparison, layers: Sequence[str] = ()) -> DocumentChanges:
    """Read the documents of the changed layers (of `layers` only, when given); those that cannot be read are named."""
    result = DocumentChanges()
    for layer in comparison.layers:
        if (layers and layer.name not in layers) or layer.documents[0] == layer.documents[1]:
            continue
        try:
            before, after = (read_packages(store, each) if each else [] for each in layer.documents)
        except VerificationError:
            result.unread.append(layer.name)
            continue
        result.before[layer.name], result.after[layer.name] = before, after
        result.packages += package_changes(layer.name, before, after)
    return result


def licences(store: Store, before: Revision, after: Revision, changes: DocumentChanges) -> tuple[list[str], list[str]]:
    """Return the licences that are new in the whole revision, and those that are gone from it.

    Documents of unchanged layers are only read when a changed layer brings or loses a licence at all.
    """
    new, gone = licence_changes(
        (each for found in changes.before.values() for each in found),
        (each for found in changes.after.values() for each in found),
    )
    if not new and not gone:
        return [], []
    elsewhere: set[str] = set()
    for layer in after.config.layers:
        other = before.config.layer(layer.name)
        if other is not None and other.spdx == layer.spdx:
            try:
                elsewhere.update(package.licence for package in read_packages(store, layer.spdx))
            except VerificationError:
                continue
    return [each for each in new if each not in elsewhere], [each for each in gone if each not in elsewhere]
