# SPDX-License-Identifier: MIT
"""Packages by Alpine's database `installed` (apk-tools, apk_package(5) and its letters), with the files they own."""

from __future__ import annotations

import re

from orchestrator.sbom.declared import resolve_declared
from orchestrator.sbom.dpkg import contact
from orchestrator.sbom.files import FileTree, Release, release, text
from orchestrator.sbom.model import Source
from orchestrator.sbom.packages import Database, Package, purl

PLACES = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_WORD = re.compile(r"[^<>=~@\s]+")


def read(tree: FileTree) -> Database:
    """Read the apk database of a layer."""
    identity = release(tree)
    found = next((path for path in PLACES if tree.open(path) is not None), None)
    if found is None:
        return Database(ecosystem="apk")
    packages: dict[str, Package] = {}
    for block in re.split(r"\n[ \t]*\n", text(tree, found) or ""):
        package = _package(found, block, identity)
        if package is not None:
            packages[package.key] = package
    return Database(ecosystem="apk", found=(found,), packages=tuple(packages[key] for key in sorted(packages)))


def _package(path: str, block: str, identity: Release) -> Package | None:
    fields: dict[str, str] = {}
    files: list[str] = []
    folder = ""
    for line in block.splitlines():
        letter, colon, value = line.partition(":")
        if not colon or len(letter) != 1:
            continue
        if letter == "F":
            folder = value.strip("/")
        elif letter == "R":
            files.append(f"{folder}/{value}" if folder else value)
        else:
            fields.setdefault(letter, value.strip())
    name, version = fields.get("P", ""), fields.get("V", "")
    if not name or not version:
        return None
    architecture = fields.get("A", "")
    distribution = identity.id or "alpine"
    distro = f"{distribution}-{identity.version}" if identity.version else ""
    url = purl("apk", distribution, name, version, [("arch", architecture), ("distro", distro)])
    origin = fields.get("o", "") or name
    source = purl("apk", distribution, origin, version, [("arch", "source"), ("distro", distro)])
    return Package(
        key=url,
        name=name,
        version=version,
        architecture=architecture,
        supplier=contact(fields.get("m", "")),
        purl=url,
        # The aports commit is the source's exact state: recipe, patches and checksums of what it downloads.
        source=Source(origin, version, source + (f"#{fields['c']}" if fields.get("c") else "")),
        homepage=fields.get("U", ""),
        description=fields.get("T", ""),
        licence=resolve_declared(fields.get("L", ""), "apk"),
        evidence=path,
        needs=tuple((match[0],) for word in fields.get("D", "").split() if (match := _dependency(word))),
        provides=tuple(match[0] for word in fields.get("p", "").split() if (match := _WORD.match(word))),
        files=tuple(files),
        dependencies="complete",
    )


def _dependency(word: str) -> re.Match[str] | None:
    return None if word.startswith("!") else _WORD.match(word)
