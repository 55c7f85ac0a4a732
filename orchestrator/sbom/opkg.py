# SPDX-License-Identifier: MIT
"""Packages by opkg's status file and info folder (OpenWrt, and images that Yocto built with package_ipk)."""

from __future__ import annotations

import re

from orchestrator.sbom import deb822
from orchestrator.sbom.declared import resolve_declared
from orchestrator.sbom.dpkg import contact
from orchestrator.sbom.files import FileTree, Release, release, text
from orchestrator.sbom.model import Source
from orchestrator.sbom.packages import Database, Package, purl

PLACES = ("var/lib/opkg", "usr/lib/opkg")
_WORD = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9+._-]*)")


def read(tree: FileTree) -> Database:
    """Read the opkg database of a layer."""
    identity = release(tree)
    folder = next((place for place in PLACES if tree.open(f"{place}/status") is not None), None)
    if folder is None:
        return Database(ecosystem="opkg")
    packages: dict[str, Package] = {}
    for paragraph in deb822.read(text(tree, f"{folder}/status") or "")[0]:
        package = _package(tree, folder, paragraph, identity)
        if package is not None:
            packages[package.key] = package
    return Database(
        ecosystem="opkg",
        found=(f"{folder}/status",),
        packages=tuple(packages[key] for key in sorted(packages)),
    )


def _package(tree: FileTree, folder: str, status: deb822.Paragraph, identity: Release) -> Package | None:
    name, version = status.value("package"), status.value("version")
    if not name or not version or status.value("status").split()[-1:] in (["not-installed"], ["config-files"]):
        return None
    # The status file is short; licence, maintainer and source stand in the control file that came with the package.
    control = deb822.read(text(tree, f"{folder}/info/{name}.control") or "")[0]
    own = control[0] if control else status

    def value(field: str) -> str:
        return own.value(field) or status.value(field)

    architecture = value("architecture")
    distribution = identity.id or "opkg"
    url = purl("opkg", distribution, name, version, [("arch", architecture)])
    source = value("sourcename") or value("source").split("/")[-1] or name
    needs = ",".join(own.values("depends") or status.values("depends"))
    listed = text(tree, f"{folder}/info/{name}.list") or ""
    return Package(
        key=url,
        name=name,
        version=version,
        architecture=architecture,
        supplier=contact(value("maintainer")),
        purl=url,
        source=Source(source, version),
        homepage=value("homepage") or value("url"),
        description=value("description"),
        licence=resolve_declared(value("license"), "opkg"),
        evidence=f"{folder}/status",
        needs=tuple((match[1],) for part in needs.split(",") if (match := _WORD.match(part))),
        provides=tuple(match[1] for part in value("provides").split(",") if (match := _WORD.match(part))),
        # A line may go on with a tab and the file's mode.
        files=tuple(line.partition("\t")[0].lstrip("/") for line in listed.splitlines() if line.strip()),
        dependencies="complete",
    )
