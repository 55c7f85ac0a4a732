# SPDX-License-Identifier: MIT
"""`pycontainer lock`: which package versions and images a product is built from, and what an update would change.

The base resolves; this room only compares and replaces. A base leaves the lock that is in force alone and writes what
it would be today beside it, with the suffix `.new`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.build.base import environment
from orchestrator.build.imagelock import (
    MEMBER,
    ImageChange,
    changes,
    decode_lock,
    image_lock,
    pinned_images,
    pins_of,
    read_lock,
    resolve,
    tagged_images,
    with_pins,
)
from orchestrator.build.kas import KasRun, configuration, run_kas
from orchestrator.build.workspace import LOCK_NAME, Workspace
from orchestrator.canonical import write_atomically
from orchestrator.errors import BuildError, ConfigError
from orchestrator.machines.read import checkout
from orchestrator.product.model import Product
from orchestrator.progress import Reporter


@dataclass(frozen=True)
class Change:
    """A package whose locked version changes; None: it was not there, or no longer is."""

    package: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class LockChanges:
    """What a lock run did: the lock's path, how many packages and images it pins, what changed, and whether it was
    written."""

    path: Path
    packages: int
    changes: tuple[Change, ...]
    written: bool
    images: int = 0
    image_changes: tuple[ImageChange, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "lock": str(self.path),
            "packages": self.packages,
            "written": self.written,
            "changes": [{"package": c.package, "before": c.before, "after": c.after} for c in self.changes],
            "images": self.images,
            "imageChanges": [{"image": c.image, "before": c.before, "after": c.after} for c in self.image_changes],
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
        return _completed(product, place, target, reporter)
    # Which lock is in force changes as soon as the product has its own: ask once.
    in_force = place.package_lock
    before = _before(in_force, update)
    pinned = _pinned(image_lock(place), update)
    # The tags first: that is quick, and fails now and not after the packages.
    wanted = tagged_images(product)
    asked = {key: reference for key, reference in wanted.items() if update or key not in pinned}
    pins = resolve(asked, place.root, reporter)
    pins = {key: pins.get(key) or pinned[key] for key in wanted}
    fresh = _resolved(product, place, reporter, held) if update or not in_force.exists() else in_force
    data = fresh.read_bytes()
    content = decode_lock(data, fresh)
    after = _versions(content)
    old = before if update else {}
    changed = tuple(
        Change(name, old.get(name), after.get(name))
        for name in sorted(old.keys() | after.keys())
        if old.get(name) != after.get(name)
    )
    write_atomically(target, with_pins(content, pins) if pins or MEMBER in content else data)
    if fresh != in_force:
        fresh.unlink(missing_ok=True)
    moved = changes(pinned, pins) if update and pinned else ()
    return LockChanges(target, len(after), changed if old else (), True, len(pins), moved)


def _completed(product: Product, place: Workspace, target: Path, reporter: Reporter) -> LockChanges:
    """Report a lock that is there, once the images that the product has named since are pinned in it too."""
    before = target.read_bytes()
    packages = len(_versions(read_lock(target)))
    pins = pinned_images(product, place, reporter)
    return LockChanges(target, packages, (), target.read_bytes() != before, len(pins))


def _pinned(path: Path, update: bool) -> dict[str, str]:
    """Return the pins of images in force; what cannot be read is what an update is there to replace."""
    try:
        return pins_of(read_lock(path), path)
    except ConfigError:
        if update:
            return {}
        raise


def _before(path: Path, update: bool) -> dict[str, str]:
    """Return what the lock in force pins; one that cannot be read is what an update is there to replace."""
    if not path.exists():
        return {}
    try:
        return _versions(read_lock(path))
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
