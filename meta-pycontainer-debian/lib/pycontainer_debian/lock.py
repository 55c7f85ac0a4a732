# SPDX-License-Identifier: MIT
"""The lock file: which packages, by version and SHA-256, every request of the recipes was resolved to."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .deb import Digests, digests
from .errors import DebianError
from .index import Package, check_package
from .resolve import Request

SCHEMA_VERSION = 1
_LIMIT = 64 * 1024 * 1024
_MEMBERS = ("schemaVersion", "suite", "sourceDateEpoch", "releases", "packages", "requests")
RENEW = "renew it: pycontainer lock --update"


@dataclass(frozen=True)
class Locked:
    """One pinned package file: where the archive keeps it, and what it must be."""

    name: str
    version: str
    architecture: str
    archive: str
    filename: str
    size: int
    sha256: str

    @classmethod
    def of(cls, package: Package) -> Locked:
        """Take the pinned facts of an index entry."""
        return cls(**{key: getattr(package, key) for key in cls.__dataclass_fields__})

    @property
    def label(self) -> str:
        """The package's key within the lock: name, version and architecture."""
        return f"{self.name}_{self.version}_{self.architecture}"


@dataclass(frozen=True)
class PinnedFile:
    """A downloaded package file that is what the lock pins."""

    locked: Locked
    path: Path
    digests: Digests


@dataclass
class Lock:
    """The content of a lock file. `source_date_epoch` is the newest index's date when the lock was begun; `others` are
    members of the file that are not ours, and stay as they are."""

    suite: str
    source_date_epoch: int
    releases: dict[str, str] = field(default_factory=dict)
    packages: dict[str, Locked] = field(default_factory=dict)
    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)

    def find(self, request: Request) -> list[Locked] | None:
        """Return the packages that a request was resolved to, sorted by name, or None when the lock lacks it."""
        entry = self.requests.get(request_key(request))
        return None if entry is None else [self.packages[label] for label in entry["resolved"]]

    def add(self, request: Request, packages: list[Package]) -> None:
        """Record what a request was resolved to."""
        locked = [Locked.of(package) for package in packages]
        self.packages.update({one.label: one for one in locked})
        facts = json.loads(json.dumps(asdict(request)))
        self.requests[request_key(request)] = {**facts, "resolved": [one.label for one in locked]}

    def to_json(self) -> str:
        """Return the file's text: sorted, one fact a line, so that a difference reads well in a review."""
        value = {
            **self.others,
            "schemaVersion": SCHEMA_VERSION,
            "suite": self.suite,
            "sourceDateEpoch": self.source_date_epoch,
            "releases": self.releases,
            "packages": {label: asdict(one) for label, one in self.packages.items()},
            "requests": self.requests,
        }
        return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def request_key(request: Request) -> str:
    """Return the name of a request within the lock: a digest of all that it asks for."""
    return hashlib.sha256(json.dumps(asdict(request), sort_keys=True).encode()).hexdigest()[:32]


def read_lock(path: Path, suite: str) -> Lock | None:
    """Read a lock file; None when there is none. Raises DebianError when it is damaged or another suite's."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_LIMIT + 1)
    except FileNotFoundError:
        return None
    try:
        if len(data) > _LIMIT:
            raise ValueError(f"larger than {_LIMIT} bytes")
        value = json.loads(data)
        if value["schemaVersion"] != SCHEMA_VERSION:
            raise ValueError(f"schemaVersion {value['schemaVersion']!r}, this release writes {SCHEMA_VERSION}")
        lock = Lock(
            str(value["suite"]),
            int(value["sourceDateEpoch"]),
            dict(value["releases"]),
            {label: Locked(**facts) for label, facts in value["packages"].items()},
            dict(value["requests"]),
            {key: part for key, part in value.items() if key not in _MEMBERS},
        )
        _check(lock)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise DebianError(f"the lock file {path} cannot be understood", repr(problem)[:300], RENEW) from problem
    if lock.suite != suite:
        raise DebianError(f"the lock file {path} is for {lock.suite}", f"the build is for {suite}", RENEW)
    return lock


def _check(lock: Lock) -> None:
    for label, one in lock.packages.items():
        check_package(Package(**asdict(one)))
        if one.label != label or one.archive not in ("debian", "debian-security"):
            raise ValueError(f"the entry {label[:200]!r} contradicts itself")
    for entry in lock.requests.values():
        for label in entry["resolved"]:
            if label not in lock.packages:
                raise ValueError(f"a request names {label[:200]!r}, which no entry describes")


def write_lock(path: Path, lock: Lock) -> None:
    """Replace a lock file in one step: temporary name, fsync, rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(lock.to_json())
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder for oneself against other processes: flock(2) on the folder itself, so that no file is left."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def pinned_file(locked: Locked, path: Path) -> PinnedFile:
    """Return a downloaded package with both its digests; raises DebianError unless it is the pinned one."""
    try:
        found = digests(path)
    except OSError as problem:
        raise DebianError(
            f"the package {locked.name} {locked.version} is not in DL_DIR", str(problem), "build again to download it"
        ) from problem
    if found.sha256 != locked.sha256:
        raise DebianError(
            f"{path} is not the package that the lock file pins",
            f"its SHA-256 is {found.sha256}, the lock says {locked.sha256}",
            f"remove {path} and build again to download it anew",
        )
    return PinnedFile(locked, path, found)
