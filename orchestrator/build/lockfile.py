# SPDX-License-Identifier: MIT
"""`pycontainer lock`: which package versions a product is built from, and what an update would change.

The base resolves; this room only compares and replaces. A base leaves the lock that is in force alone and writes what
it would be today beside it, with the suffix `.new`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.build.base import environment
from orchestrator.build.kas import KasRun, checkout, configuration, run_kas
from orchestrator.build.workspace import LOCK_NAME, Workspace
from orchestrator.canonical import read_limited, write_atomically
from orchestrator.errors import BuildError, ConfigError
from orchestrator.product.model import Product
from orchestrator.progress import Reporter

_LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True)
class Change:
    """A package whose locked version changes; None: it was not there, or no longer is."""

    package: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class LockChanges:
    """What a lock run did: the lock's path, how many packages it pins, what changed, and whether it was written."""

    path: Path
    packages: int
    changes: tuple[Change, ...]
    written: bool

    def to_data(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "lock": str(self.path),
            "packages": self.packages,
            "written": self.written,
            "changes": [{"package": c.package, "before": c.before, "after": c.after} for c in self.changes],
        }


def lock(product: Product, place: Workspace, reporter: Reporter, *, update: bool, held: int) -> LockChanges:
    """Make the product's own lock file, or with `update` renew it; returns what changed.

    Without `update` an existing lock file is only reported. Raises ConfigError for a base without lock file, and what
    `run_kas` raises.
    """
    if product.base != "debian":
        raise ConfigError(
            f"the base {product.base} has no package lock",
            "it builds from source, and the commits of its BitBake layers are what pins it",
            f"pin them: kas lock kas/{product.base}-{place.machine}.yml, and with --update to renew",
        )
    target = place.root / LOCK_NAME
    if target.exists() and not update:
        return LockChanges(target, len(_versions(_read(target))), (), False)
    # Which lock is in force changes as soon as the product has its own: ask once.
    in_force = place.package_lock
    before = _before(in_force, update)
    fresh = _resolved(product, place, reporter, held) if update or not in_force.exists() else in_force
    data = fresh.read_bytes()
    after = _versions(_decode(data, fresh))
    old = before if update else {}
    changes = tuple(
        Change(name, old.get(name), after.get(name))
        for name in sorted(old.keys() | after.keys())
        if old.get(name) != after.get(name)
    )
    write_atomically(target, data)
    if fresh != in_force:
        fresh.unlink(missing_ok=True)
    return LockChanges(target, len(after), changes if old else (), True)


def _before(path: Path, update: bool) -> dict[str, str]:
    """Return what the lock in force pins; one that cannot be read is what an update is there to replace."""
    if not path.exists():
        return {}
    try:
        return _versions(_read(path))
    except ConfigError:
        if update:
            return {}
        raise


def _resolved(product: Product, place: Workspace, reporter: Reporter, held: int) -> Path:
    """Let the base resolve all its package requests anew, without building; returns the file that it wrote."""
    home = checkout()
    fresh = place.package_lock.with_name(place.package_lock.name + ".new")
    fresh.unlink(missing_ok=True)
    run = KasRun(
        home=home,
        config=configuration(home, product.base, place.machine),
        build_dir=place.bitbake,
        targets=(),
        environment=environment(product, place) | {"PYCONTAINER_LOCK": "update"},
        log=place.logs / "lock.log",
        arguments=("-p",),
        held=held,
    )
    with reporter.step("resolve the base's packages"):
        run_kas(run, reporter.view)
    if not fresh.exists():
        raise BuildError("the base wrote no lock file", str(fresh), f"its output is in {run.log}")
    return fresh


def _read(path: Path) -> Mapping[str, Any]:
    try:
        data = read_limited(path, _LIMIT)
    except OSError as problem:
        raise ConfigError(f"the lock file {path} cannot be read", str(problem)) from problem
    return _decode(data, path)


def _decode(data: bytes, path: Path) -> Mapping[str, Any]:
    try:
        if len(data) > _LIMIT:
            raise ValueError(f"larger than {_LIMIT} bytes")
        value = json.loads(data)
        if not isinstance(value, dict):
            raise ValueError("not an object")
    except ValueError as problem:
        raise ConfigError(
            f"the lock file {path} is damaged",
            str(problem),
            "restore it from version control, or: pycontainer lock --update",
        ) from problem
    return value


def _versions(value: Mapping[str, Any]) -> dict[str, str]:
    """Return every locked package with its version, or its versions when requests differ."""
    found: dict[str, set[str]] = {}
    try:
        for package in value["packages"].values():
            found.setdefault(f"{package['name']}:{package['architecture']}", set()).add(str(package["version"]))
    except (KeyError, TypeError, AttributeError) as problem:
        raise ConfigError(
            "the lock file is not one of this release", repr(problem), "renew it: pycontainer lock --update"
        ) from problem
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}
