# SPDX-License-Identifier: MIT
"""From a bill's components to packages as databases name them (OSV's ecosystems; Debian's source packages)."""

from __future__ import annotations

from urllib.parse import unquote

from orchestrator.compliance.bill import Bill, purl_parts
from orchestrator.cve.model import Package

_ECOSYSTEMS = {"pypi": "PyPI", "npm": "npm", "golang": "Go", "cargo": "crates.io", "gem": "RubyGems"}
_OF_SOURCE = ("deb", "apk", "rpm")


def packages(bill: Bill) -> tuple[list[Package], list[str]]:
    """Return the packages that can be looked for, and the names of the components that cannot (no package URL).

    What was built from the same source as a package of its layer, as a kernel's modules, is looked for with that.
    """
    found: list[Package] = []
    left: list[tuple[str, str, str]] = []
    for component in bill.components:
        layer = bill.layer_of.get(component.id, "")
        kind, name, version, qualifiers = purl_parts(component.purl)
        name, version = unquote(name), unquote(version) or component.version
        distro = unquote(qualifiers.get("distro", ""))
        if kind in _OF_SOURCE:
            ecosystem, release = _distribution(kind, name, distro)
            name = name.rpartition("/")[2]
            known = component.properties
            if known.get("sourcename"):
                name, version = known["sourcename"], known.get("sourceversion") or version
        elif kind in _ECOSYSTEMS:
            ecosystem, release = _ECOSYSTEMS[kind], ""
        else:
            left.append((layer, component.properties.get("sourcename", ""), component.name))
            continue
        found.append(
            Package(ecosystem, release, name, version, component.name, component.version, layer, component.purl)
        )
    known_sources = {(package.layer, package.name) for package in found}
    return found, [name for layer, source, name in left if (layer, source) not in known_sources]


def _distribution(kind: str, name: str, distro: str) -> tuple[str, str]:
    vendor = name.partition("/")[0]
    release = distro.partition("-")[2] if "-" in distro else distro
    if kind == "apk":
        return "Alpine", "v" + ".".join(release.split(".")[:2]) if release else ""
    if kind == "deb":
        return ("Ubuntu", release) if vendor == "ubuntu" else ("Debian", release.partition(".")[0])
    return {"fedora": "Fedora", "rocky": "Rocky Linux", "almalinux": "AlmaLinux"}.get(vendor, vendor.title()), release


def fold(ecosystem: str, name: str) -> str:
    """Return a name as it is compared: PyPI's without case and with one kind of hyphen (PEP 503)."""
    if ecosystem == "PyPI":
        return "-".join(part for part in name.lower().replace("_", "-").replace(".", "-").split("-") if part)
    return name
