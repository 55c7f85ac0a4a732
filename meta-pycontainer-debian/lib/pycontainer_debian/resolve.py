# SPDX-License-Identifier: MIT
"""The closure of a package list: Depends and Pre-Depends, alternatives, versioned Provides, Conflicts and Breaks.

A plain, deterministic walk without back-tracking: within a stable suite the first alternative that the archive can
give is the one that its maintainers tested. What cannot be resolved is an error that names the chain.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from .errors import DebianError
from .index import Package
from .relation import Atom, Group, parse_relations


class Universe(Protocol):
    """Where packages come from: at most one version a name, the candidate."""

    def get(self, name: str) -> Package | None:
        """Return the candidate of this name."""

    def providers(self, name: str) -> list[Package]:
        """Return the candidates whose Provides name `name`, the preferred one first."""

    def essential(self) -> list[Package]:
        """Return the packages marked Essential, sorted by name."""


@dataclass(frozen=True)
class Request:
    """What a recipe asks for. Excluded packages count as present: nothing may be lost by their absence."""

    architecture: str
    packages: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    essential: bool = False

    @classmethod
    def of(cls, architecture: str, packages: str, exclude: str = "", essential: bool = False) -> Request:
        """Make a request from whitespace-separated names, as recipes write them; order and repeats do not matter."""
        return cls(architecture, tuple(sorted(set(packages.split()))), tuple(sorted(set(exclude.split()))), essential)


def provided_versions(package: Package, name: str) -> list[str]:
    """Return the versions in which a package offers `name`: its own, and "" for an unversioned Provides."""
    versions = [package.version] if package.name == name else []
    for (atom,) in parse_relations(package.provides):
        if atom.name == name:
            versions.append(atom.version)
    return versions


def fulfils(package: Package, atom: Atom) -> bool:
    """Say whether a package fulfils an atom; an unversioned Provides fulfils no versioned relation (Policy 7.5)."""
    return any(atom.accepts(v) if v else not atom.operator for v in provided_versions(package, atom.name))


class _Walk:
    def __init__(self, universe: Universe, request: Request) -> None:
        self.universe = universe
        self.request = request
        self.excluded = frozenset(request.exclude)
        self.chosen: dict[str, Package] = {}
        self.offers: dict[str, set[str]] = {}
        self.reason: dict[str, str] = {}
        self.queue: deque[Package] = deque()

    def add(self, package: Package, because: str) -> None:
        if package.name in self.chosen:
            return
        self.chosen[package.name] = package
        self.reason[package.name] = because
        for (atom,) in parse_relations(package.provides):
            self.offers.setdefault(atom.name, set()).add(package.name)
        self.queue.append(package)

    def chain(self, name: str) -> str:
        names = [name]
        while self.reason.get(names[-1]):
            names.append(self.reason[names[-1]])
        return " <- ".join(names)

    def have(self, atom: Atom) -> bool:
        names = {atom.name, *self.offers.get(atom.name, ())} & self.chosen.keys()
        return atom.name in self.excluded or any(fulfils(self.chosen[name], atom) for name in sorted(names))

    def candidate(self, atom: Atom) -> Package | None:
        package = self.universe.get(atom.name)
        if package is not None and fulfils(package, atom):
            return package
        for provider in self.universe.providers(atom.name):
            if provider.name not in self.excluded and fulfils(provider, atom):
                return provider
        return None

    def need(self, group: Group, by: Package) -> None:
        if any(self.have(atom) for atom in group):
            return
        found = next((package for atom in group if (package := self.candidate(atom)) is not None), None)
        if found is None:
            wish = " | ".join(map(str, group))
            raise DebianError(
                f"the package {by.name} {by.version} needs {wish}, which the archive does not have",
                f"wanted by: {self.chain(by.name)}",
                "exclude it by DEBIAN_PACKAGES_EXCLUDE if the layer works without, or choose another package",
            )
        self.add(found, by.name)

    def check_conflicts(self) -> None:
        for package in self.chosen.values():
            for field, text in (("conflicts with", package.conflicts), ("breaks", package.breaks)):
                for group in parse_relations(text):
                    for atom in group:
                        self.check_conflict(package, field, atom)

    def check_conflict(self, package: Package, verb: str, atom: Atom) -> None:
        for name in sorted({atom.name, *self.offers.get(atom.name, ())} & self.chosen.keys()):
            if name != package.name and fulfils(self.chosen[name], atom):
                raise DebianError(
                    f"the package {package.name} {package.version} {verb} {name} {self.chosen[name].version}",
                    f"wanted by: {self.chain(package.name)} ; and by: {self.chain(name)}",
                    "name other packages in DEBIAN_PACKAGES, or exclude one by DEBIAN_PACKAGES_EXCLUDE",
                )


def resolve(universe: Universe, request: Request) -> list[Package]:
    """Return the packages that fulfil a request, sorted by name; raises DebianError naming the chain that failed."""
    walk = _Walk(universe, request)
    if request.essential:
        for package in universe.essential():
            if package.name not in walk.excluded:
                walk.add(package, "")
    for name in request.packages:
        # A virtual name in a recipe (awk, c-compiler) is fulfilled by its first provider.
        found = walk.candidate(Atom(name))
        if found is None:
            raise DebianError(
                f"there is no package {name} for {request.architecture} in the archive",
                "neither a package nor a provided name is called so",
                "check the spelling in DEBIAN_PACKAGES; not every package exists for every architecture",
            )
        if found.name not in walk.excluded:
            walk.add(found, "")
    while walk.queue:
        package = walk.queue.popleft()
        for group in _requirements(package):
            walk.need(group, package)
    walk.check_conflicts()
    return [walk.chosen[name] for name in sorted(walk.chosen)]


def _requirements(package: Package) -> Iterable[Group]:
    yield from parse_relations(package.pre_depends)
    yield from parse_relations(package.depends)
