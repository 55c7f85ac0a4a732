# SPDX-License-Identifier: MIT
"""What a package database of any kind says of one package, and which packages need which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from orchestrator.sbom.model import Completeness, ComponentKind, Contact, Dependency, LicenceFinding, Linking, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One installed package as its database has it.

    `licence` is what the database declares, None when its form has no such field. `needs` are names it depends on: one
    entry a requirement, its alternatives inside; `provides` are its own names. `files` are the paths that it claims,
    `evidence` the file that says all this. `parent` is the key of the component that it is part of.
    """

    key: str
    name: str
    version: str
    architecture: str = ""
    supplier: Contact | None = None
    purl: str = ""
    source: Source | None = None
    homepage: str = ""
    description: str = ""
    licence: LicenceFinding | None = None
    evidence: str = ""
    needs: tuple[tuple[str, ...], ...] = ()
    provides: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    kind: ComponentKind = "package"
    linking: Linking = "unknown"
    dependencies: Completeness = "unknown"
    parent: str = ""
    place: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The packages of one ecosystem in a layer. `found` are the database's files, none when there is no such database.

    `edges` are dependencies that the database states by key, beside those by name. `remarks` are for an auditor.
    """

    ecosystem: str
    found: tuple[str, ...] = ()
    packages: tuple[Package, ...] = ()
    edges: tuple[Dependency, ...] = ()
    remarks: tuple[str, ...] = ()


def dependencies(packages: Sequence[Package]) -> tuple[set[Dependency], set[str]]:
    """Return the edges among packages by their names, and the keys of packages of which a need is not met here.

    Every installed provider of a name counts, of every alternative: which one is used is not known.
    """
    providers: dict[str, list[str]] = {}
    for package in packages:
        for name in dict.fromkeys((package.name, *package.provides)):
            providers.setdefault(name, []).append(package.key)
    edges: set[Dependency] = set()
    unmet: set[str] = set()
    for package in packages:
        for alternatives in package.needs:
            found = {key for name in alternatives for key in providers.get(name, ())}
            edges |= {Dependency(package.key, key) for key in found if key != package.key}
            if not found:
                unmet.add(package.key)
    return edges, unmet


def purl(kind: str, namespace: str, name: str, version: str, qualifiers: Iterable[tuple[str, str]] = ()) -> str:
    """Return a package URL (purl specification): parts percent-encoded, qualifiers sorted, empty ones left out."""
    parts = [quote(part, safe="") for part in namespace.split("/") if part]
    url = "/".join([f"pkg:{kind}", *parts, quote(name, safe="")])
    if version:
        url += "@" + quote(version, safe=":~")
    listed = sorted((key, value) for key, value in qualifiers if value)
    if listed:
        url += "?" + "&".join(f"{key}={quote(value, safe=':~-._')}" for key, value in listed)
    return url
