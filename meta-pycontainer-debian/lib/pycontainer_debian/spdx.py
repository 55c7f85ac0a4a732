# SPDX-License-Identifier: MIT
"""SPDX 2.3 facts of a layer: one package for each .deb that it has files of, with the digests that were in hand."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from .deb import Deb
from .lock import PinnedFile
from .relation import parse_relations

ROOT = "SPDXRef-layer"
_TOOL = "Tool: pycontainer-debian-0.1"
_MAINTAINER = re.compile(r"(?P<name>.*?)\s*<(?P<mail>[^<>]+)>\s*\Z")
_ORGANISATION = re.compile(r"\b(maintainers|team|group|packagers|project|developers|list)\b", re.IGNORECASE)
_ID = re.compile(r"[^A-Za-z0-9.-]")


@dataclass(frozen=True)
class Component:
    """What a layer holds beside Debian packages: built by a recipe from its own sources."""

    name: str
    version: str
    license: str


@dataclass(frozen=True)
class Facts:
    """What an SPDX document says of one layer."""

    name: str
    version: str
    epoch: int
    distro: str
    debs: list[tuple[PinnedFile, Deb]]
    components: list[Component] = field(default_factory=list)
    carried: list[dict[str, Any]] = field(default_factory=list)
    """Packages as another layer's document has them: files of theirs came here by way of that layer."""
    static: dict[str, list[str]] = field(default_factory=dict)
    """Components whose programs have the code of packages in them: a component's name to the packages' names."""


def supplier(maintainer: str) -> str:
    """Return a Maintainer field in SPDX's words: `Organization: N (mail)` or `Person: N (mail)`."""
    match = _MAINTAINER.match(maintainer)
    name, mail = (match["name"].strip('" '), match["mail"]) if match else (maintainer.strip(), "")
    lists = "lists." in mail or "@packages." in mail or mail.startswith("team")
    kind = "Organization" if lists or _ORGANISATION.search(name) else "Person"
    return f"{kind}: {name} ({mail})" if mail else f"{kind}: {name or 'unknown'}"


def source_of(deb: Deb) -> tuple[str, str]:
    """Return name and version of the source package, from the Source field (Policy 5.6.1).

    The source of a signed kernel or boot loader holds signatures only; what was signed, and what a licence asks for, is
    the one source that its field Built-Using names (Policy 7.8).
    """
    match = re.match(r"(\S+)(?:\s+\(([^)]+)\))?", deb.control.get("Source", deb.name))
    if match and "-signed" in match[1]:
        signed = re.fullmatch(r"\s*(\S+)\s+\(=\s*([^)\s]+)\)\s*", deb.control.get("Built-Using", ""))
        if signed:
            return signed[1], signed[2]
    return (match[1], match[2] or deb.version) if match else (deb.name, deb.version)


def purl(name: str, version: str, architecture: str, distro: str) -> str:
    """Return the package URL of a Debian binary package (purl-spec, type deb)."""
    return f"pkg:deb/debian/{quote(name, safe='')}@{quote(version, safe=':~')}?arch={architecture}&distro={distro}"


def _package(pinned: PinnedFile, deb: Deb, distro: str) -> dict[str, Any]:
    source, source_version = source_of(deb)
    value = {
        "SPDXID": _deb_id(deb),
        "name": deb.name,
        "versionInfo": deb.version,
        "supplier": supplier(deb.control.get("Maintainer", "")),
        "packageFileName": pinned.locked.filename.rpartition("/")[2],
        "checksums": [
            {"algorithm": "SHA256", "checksumValue": pinned.digests.sha256},
            {"algorithm": "SHA512", "checksumValue": pinned.digests.sha512},
        ],
        "sourceInfo": f"built from source package: {source} {source_version}",
        "downloadLocation": "NOASSERTION",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "filesAnalyzed": False,
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": purl(deb.name, deb.version, deb.control["Architecture"], distro),
            }
        ],
    }
    if homepage := deb.control.get("Homepage"):
        value["homepage"] = homepage
    return value


def _deb_id(deb: Deb) -> str:
    return _identifier(f"{deb.name}-{deb.version}-{deb.control['Architecture']}")


def _component(component: Component) -> dict[str, Any]:
    name, version = quote(component.name, safe=""), quote(component.version, safe="~")
    return {
        "SPDXID": _identifier(f"{component.name}-{component.version}"),
        "name": component.name,
        "versionInfo": component.version,
        "supplier": "Organization: PyContainer",
        "sourceInfo": f"built from source package: {component.name} {component.version}",
        "downloadLocation": "NOASSERTION",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": component.license,
        "copyrightText": "NOASSERTION",
        "filesAnalyzed": False,
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": f"pkg:generic/{name}@{version}",
            }
        ],
    }


def _identifier(text: str) -> str:
    # Two names may differ only in characters that an SPDX identifier cannot have: libstdc++6, libstdc--6.
    plain = _ID.sub("-", text)
    return f"SPDXRef-{plain}" + ("" if plain == text else "-" + hashlib.sha256(text.encode()).hexdigest()[:8])


def needed(debs: list[Deb]) -> list[tuple[Deb, Deb]]:
    """Return which packages need which (Policy 7.2: Depends and Pre-Depends), both among `debs`.

    All providers of a name count, and of alternatives all that are here: which one is used is not known.
    """
    providers: dict[str, list[Deb]] = {}
    for deb in debs:
        provided = [atom.name for group in parse_relations(deb.control.get("Provides", "")) for atom in group]
        for name in dict.fromkeys((deb.name, *provided)):
            providers.setdefault(name, []).append(deb)
    edges: dict[tuple[str, str], tuple[Deb, Deb]] = {}
    for deb in debs:
        for text in (deb.control.get("Pre-Depends", ""), deb.control.get("Depends", "")):
            for atom in (atom for group in parse_relations(text) for atom in group):
                for provider in providers.get(atom.name, ()):
                    if provider is not deb:
                        edges[deb.name, provider.name] = deb, provider
    return [edges[key] for key in sorted(edges)]


def packages_of(data: bytes) -> list[dict[str, Any]]:
    """Return the packages that a layer's document lists, without the layer itself."""
    return [package for package in json.loads(data)["packages"] if package["SPDXID"] != ROOT]


def document(facts: Facts) -> bytes:
    """Return the SPDX 2.3 JSON document of a layer; equal facts give equal bytes."""
    packages = [_package(pinned, deb, facts.distro) for pinned, deb in facts.debs]
    packages += [_component(component) for component in facts.components]
    known = {package["SPDXID"] for package in packages}
    packages += [package for package in facts.carried if package["SPDXID"] not in known]
    packages.sort(key=lambda package: str(package["SPDXID"]))
    root = {
        "SPDXID": ROOT,
        "name": facts.name,
        "versionInfo": facts.version,
        "supplier": "NOASSERTION",
        "downloadLocation": "NOASSERTION",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "filesAnalyzed": False,
        "comment": "dependencies=complete",
    }
    digest = hashlib.sha256(json.dumps([root, packages, facts.epoch], sort_keys=True).encode()).hexdigest()
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", ROOT)]
    relations += [(ROOT, "CONTAINS", str(package["SPDXID"])) for package in packages]
    debs = [deb for _, deb in facts.debs]
    relations += [(_deb_id(one), "DEPENDS_ON", _deb_id(other)) for one, other in needed(debs)]
    ids = {str(package["name"]): str(package["SPDXID"]) for package in packages}
    relations += [
        (ids[name], "STATIC_LINK", ids[part])
        for name, parts in sorted(facts.static.items())
        for part in sorted(parts)
        if name in ids and part in ids
    ]
    value = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": facts.name,
        "documentNamespace": f"urn:pycontainer:spdx:{facts.name}:{digest}",
        "creationInfo": {
            "created": datetime.fromtimestamp(facts.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": [_TOOL],
        },
        "packages": [root, *packages],
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": two} for one, kind, two in relations
        ],
    }
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"
