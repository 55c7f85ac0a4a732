# SPDX-License-Identifier: MIT
"""Node packages by the package.json of every folder in a node_modules (npm's documentation, "package.json")."""

from __future__ import annotations

import json
import posixpath
import re
from typing import Any

from orchestrator.sbom.declared import npm_statement, resolve_declared
from orchestrator.sbom.files import read as read_file
from orchestrator.sbom.files import text
from orchestrator.sbom.inventory import Inventory
from orchestrator.sbom.model import Contact, Dependency, LicenceFinding
from orchestrator.sbom.packages import Database, Package, purl

_MANIFEST = re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/@.][^/]*/package\.json\Z")
_PERSON = re.compile(r"\s*([^<(]*?)\s*(?:<([^<>]*)>)?\s*(?:\(([^()]*)\))?\s*\Z")
_NAME = re.compile(r"(?:@[A-Za-z0-9._~-]+/)?[A-Za-z0-9._~-]+\Z")
_LIMIT = 4 * 1024 * 1024


def read(inventory: Inventory) -> Database:
    """Read every Node package of a layer."""
    packages: dict[str, Package] = {}
    needs: dict[str, list[str]] = {}
    for entry in inventory.entries:
        if "node_modules/" not in entry.path or entry.size > _LIMIT or not _MANIFEST.match(entry.path):
            continue
        try:
            value = json.loads(read_file(inventory.tree, entry.path) or b"")
        except (ValueError, RecursionError):
            continue
        folder = posixpath.dirname(entry.path)
        package = _package(inventory, folder, value) if isinstance(value, dict) else None
        if package is not None:
            packages[folder] = package
            wanted = value.get("dependencies")
            needs[folder] = sorted(map(str, wanted)) if isinstance(wanted, dict) else []
    edges = {
        Dependency(packages[folder].key, packages[found].key)
        for folder, names in needs.items()
        for name in names
        if (found := _resolve(packages, folder, name)) is not None
    }
    return Database(
        ecosystem="npm",
        found=tuple(sorted(f"{folder}/package.json" for folder in packages)),
        packages=tuple(packages[folder] for folder in sorted(packages)),
        edges=tuple(sorted(edges, key=lambda edge: (edge.dependent, edge.needed))),
    )


def _resolve(packages: dict[str, Package], folder: str, name: str) -> str | None:
    """Return the folder that `require(name)` finds: the nearest node_modules on the way up (Node's documentation)."""
    while True:
        if posixpath.basename(folder) != "node_modules":
            place = posixpath.join(folder, "node_modules", name)
            if place in packages:
                return place
        if not folder:
            return None
        folder = posixpath.dirname(folder)


def _package(inventory: Inventory, folder: str, value: dict[str, Any]) -> Package | None:
    name, version = value.get("name"), value.get("version")
    if not isinstance(name, str) or not isinstance(version, str) or not _NAME.match(name) or not version:
        return None
    scope, _, plain = name.rpartition("/")
    url = purl("npm", scope, plain, version)
    nested = f"{folder}/node_modules/"
    return Package(
        key=f"{url}#{folder}",
        name=name,
        version=version,
        supplier=_person(value.get("author")) or _person(next(iter(_list(value.get("maintainers"))), None)),
        purl=url,
        homepage=value["homepage"] if isinstance(value.get("homepage"), str) else "",
        description=value["description"] if isinstance(value.get("description"), str) else "",
        licence=_licence(inventory, folder, value),
        evidence=f"{folder}/package.json",
        files=tuple(entry.path for entry in inventory.under(folder) if not entry.path.startswith(nested)),
        kind="library",
        dependencies="complete",
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _licence(inventory: Inventory, folder: str, value: dict[str, Any]) -> LicenceFinding:
    def text_of(name: str) -> str:
        place = posixpath.normpath(posixpath.join(folder, name))
        known = inventory.by_path.get(place) if place.startswith(f"{folder}/") else None
        return text(inventory.tree, place) or "" if known and known.size <= _LIMIT else ""

    return resolve_declared(npm_statement(value.get("license") or value.get("licenses")), "npm", text_of)


def _person(value: Any) -> Contact | None:
    if isinstance(value, str) and (match := _PERSON.match(value)):
        name, address, url = match[1], match[2] or "", match[3] or ""
    elif isinstance(value, dict):
        name, address, url = (
            value.get(key) if isinstance(value.get(key), str) else "" for key in ("name", "email", "url")
        )
    else:
        return None
    return Contact("Person", name or address, address or url) if name or address else None
