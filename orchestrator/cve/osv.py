# SPDX-License-Identifier: MIT
"""OSV: advisories as JSON, one a file, a list of them, or a zip archive of many. Source: OSV schema 1.6, "affected".

A range over versions is evaluated in the ecosystem's order; one over commits (GIT) cannot be, so only the versions that
its advisory lists count, and it is counted as not judged.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from orchestrator.cve.cvss import base_score, rating
from orchestrator.cve.model import Advisory, Database, Package, Severity
from orchestrator.cve.order import Compare, order_of
from orchestrator.cve.packages import fold
from orchestrator.errors import VerificationError

_ENTRY_LIMIT = 16 * 1024 * 1024
_ENTRIES_LIMIT = 2_000_000
_TOTAL_LIMIT = 4 * 1024 * 1024 * 1024
_WORDS: dict[str, Severity] = {
    "NEGLIGIBLE": "negligible", "LOW": "low", "MODERATE": "medium", "MEDIUM": "medium", "HIGH": "high",
    "CRITICAL": "critical", "UNIMPORTANT": "negligible",
}  # fmt: skip


class _Event(msgspec.Struct, frozen=True):
    introduced: str = ""
    fixed: str = ""
    last_affected: str = ""
    limit: str = ""


class _Range(msgspec.Struct, frozen=True):
    type: str
    events: list[_Event] = []


class _Named(msgspec.Struct, frozen=True):
    ecosystem: str
    name: str


class _Score(msgspec.Struct, frozen=True):
    type: str = ""
    score: str = ""


class _Affected(msgspec.Struct, frozen=True):
    package: _Named | None = None
    ranges: list[_Range] = []
    versions: list[str] = []
    severity: list[_Score] = []
    ecosystem_specific: Any = None


class _Entry(msgspec.Struct, frozen=True):
    id: str
    affected: list[_Affected] = []
    aliases: list[str] = []
    severity: list[_Score] = []
    summary: str = ""
    details: str = ""
    withdrawn: str = ""
    database_specific: Any = None


def database(data: bytes, name: str, digest: str) -> Database:
    """Return OSV bytes as a database; raises VerificationError when they are none."""
    index: dict[tuple[str, str], list[tuple[_Entry, _Affected]]] = {}
    count = 0
    for entry in _entries(data, name):
        count += 1
        if entry.withdrawn:
            continue
        for affected in entry.affected:
            if affected.package is not None:
                ecosystem = affected.package.ecosystem.partition(":")[0]
                key = (ecosystem, fold(ecosystem, affected.package.name))
                index.setdefault(key, []).append((entry, affected))

    def candidates(package: Package) -> Iterator[tuple[_Entry, _Affected]]:
        for entry, affected in index.get((package.ecosystem, fold(package.ecosystem, package.name)), ()):
            assert affected.package is not None
            release = affected.package.ecosystem.partition(":")[2]
            if not release or not package.release or release == package.release:
                yield entry, affected

    def search(package: Package) -> Iterator[Advisory]:
        compare = order_of(package.ecosystem)
        for entry, affected in candidates(package):
            if package.version in affected.versions or _in_ranges(affected, package.version, compare):
                yield Advisory(
                    entry.id,
                    tuple(sorted(entry.aliases)),
                    _severity(entry, affected),
                    _fixed(affected, package.version, compare),
                    (entry.summary or entry.details)[:500],
                    "affected",
                    digest,
                )

    def unjudged(packages: Iterable[Package]) -> int:
        return sum(
            all(each.type == "GIT" for each in affected.ranges) and not affected.versions and bool(affected.ranges)
            for package in packages
            for _, affected in candidates(package)
        )

    return Database(name, digest, "osv", count, search, unjudged)


def _entries(data: bytes, name: str) -> Iterator[_Entry]:
    if data[:4] == b"PK\x03\x04":
        yield from _archived(data, name)
        return
    many = data.lstrip()[:1] == b"["
    decoded = _decoded(data, name, many)
    yield from decoded if isinstance(decoded, list) else [decoded]


def _archived(data: bytes, name: str) -> Iterator[_Entry]:
    total = 0
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".json")]
            if len(members) > _ENTRIES_LIMIT:
                raise VerificationError(f"{name} is too large", f"the limit is {_ENTRIES_LIMIT} entries")
            for member in members:
                total += member.file_size
                if member.file_size > _ENTRY_LIMIT or total > _TOTAL_LIMIT:
                    raise VerificationError(f"{name} is too large", f"at {member.filename[:80]}")
                with archive.open(member) as stream:
                    content = stream.read(_ENTRY_LIMIT + 1)
                entry = _decoded(content, f"{name}: {member.filename[:80]}", False)
                assert isinstance(entry, _Entry)
                yield entry
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as problem:
        raise VerificationError(f"{name} is no OSV archive", str(problem)) from problem


def _decoded(data: bytes, name: str, many: bool) -> _Entry | list[_Entry]:
    try:
        if many:
            return msgspec.json.decode(data, type=list[_Entry])
        return msgspec.json.decode(data, type=_Entry)
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise VerificationError(f"{name} is no OSV advisory", str(problem)[:200]) from problem


def _in_ranges(affected: _Affected, version: str, compare: Compare) -> bool:
    return any(_inside(each, version, compare) for each in affected.ranges if each.type in ("ECOSYSTEM", "SEMVER"))


def _inside(each: _Range, version: str, compare: Compare) -> bool:
    """Walk the events in their order of versions, as the schema's evaluation does."""
    inside = False
    for event in sorted(each.events, key=lambda event: _Sortable(event, compare)):
        if event.introduced:
            if event.introduced == "0" or compare(version, event.introduced) >= 0:
                inside = True
        elif event.fixed:
            if compare(version, event.fixed) >= 0:
                inside = False
        elif event.last_affected and compare(version, event.last_affected) > 0:
            inside = False
    return inside


class _Sortable:
    """An event as it sorts: by version; at one version, what introduces comes after what fixes."""

    def __init__(self, event: _Event, compare: Compare) -> None:
        self.event, self.compare = event, compare
        self.version = event.introduced or event.fixed or event.last_affected or event.limit

    def __lt__(self, other: _Sortable) -> bool:
        zero, others = self.event.introduced == "0", other.event.introduced == "0"
        if zero or others:
            return zero and not others
        order = self.compare(self.version, other.version)
        return order < 0 or (order == 0 and not self.event.introduced and bool(other.event.introduced))


def _fixed(affected: _Affected, version: str, compare: Compare) -> str:
    """The first version after ours that mends it."""
    fixes = [event.fixed for each in affected.ranges if each.type != "GIT" for event in each.events if event.fixed]
    later = [fix for fix in fixes if compare(fix, version) > 0]
    for fix in later:
        if all(compare(fix, other) <= 0 for other in later):
            return fix
    return ""


def _severity(entry: _Entry, affected: _Affected) -> Severity:
    scores = [base_score(each.score) for each in (*affected.severity, *entry.severity)]
    known = [score for score in scores if score is not None]
    if known:
        return rating(max(known))
    for place in (affected.ecosystem_specific, entry.database_specific):
        if isinstance(place, dict):
            for key in ("severity", "urgency"):
                word = place.get(key)
                if isinstance(word, str) and word.upper() in _WORDS:
                    return _WORDS[word.upper()]
    return "unknown"
