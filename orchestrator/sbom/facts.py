# SPDX-License-Identifier: MIT
"""The SPDX 2.3 document that a BitBake base deploys beside a layer: the facts it had in hand, read strictly.

Licences are not decided here; see `resolver`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from orchestrator.canonical import read_limited
from orchestrator.errors import BuildError
from orchestrator.sbom.model import Checksum, Contact

_LIMIT = 64 * 1024 * 1024
_MAX_PACKAGES = 50_000
_SUPPLIER = re.compile(r"(Person|Organization): ?(.+?)(?: \(([^()]*)\))?\Z")
_SOURCE = re.compile(r"built from source package: (\S+) (\S+)\Z")
_HEX_LENGTH = {"SHA256": 64, "SHA512": 128}

COMPLETE = "dependencies=complete"
"""The comment of a layer whose base states all dependencies among its packages, were it none."""

ElementId = Annotated[str, msgspec.Meta(pattern=r"^SPDXRef-[A-Za-z0-9.-]{1,500}$")]
Line = Annotated[str, msgspec.Meta(max_length=4096, pattern=r"^[^\x00-\x1f]*$")]


class _Checksum(msgspec.Struct, frozen=True, rename="camel"):
    algorithm: str
    checksum_value: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32,128}$")]


class _Reference(msgspec.Struct, frozen=True, rename="camel"):
    reference_type: str
    reference_locator: Line


class _Package(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    id: ElementId = msgspec.field(name="SPDXID")
    name: Annotated[Line, msgspec.Meta(min_length=1)]
    version_info: Line = ""
    supplier: Line = "NOASSERTION"
    package_file_name: Line = ""
    source_info: str = ""
    homepage: Line = "NOASSERTION"
    license_declared: str = "NOASSERTION"
    comment: str = ""
    checksums: list[_Checksum] = []
    external_refs: list[_Reference] = []


class _Relationship(msgspec.Struct, frozen=True, rename="camel"):
    element: str = msgspec.field(name="spdxElementId")
    kind: str = msgspec.field(name="relationshipType")
    related: str = msgspec.field(name="relatedSpdxElement")


class _Extracted(msgspec.Struct, frozen=True, rename="camel"):
    license_id: Annotated[str, msgspec.Meta(pattern=r"^LicenseRef-[A-Za-z0-9.-]+$")]
    extracted_text: str


class _Document(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    spdx_version: Literal["SPDX-2.3"]
    packages: Annotated[list[_Package], msgspec.Meta(max_length=_MAX_PACKAGES)]
    relationships: list[_Relationship] = []
    document_describes: list[str] = []
    has_extracted_licensing_infos: list[_Extracted] = []


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One package as the base knows it; `declared` is the recipe's licence, empty when the base names none."""

    id: str
    name: str
    version: str
    supplier: Contact | None
    purl: str
    file_name: str
    checksums: tuple[Checksum, ...]
    source_name: str
    source_version: str
    homepage: str
    declared: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The packages of a layer, which of them need which (pairs of ids), which have whose code in them, and texts of
    LicenseRefs. `complete` tells whether the base stated dependencies at all."""

    packages: tuple[Fact, ...]
    depends: tuple[tuple[str, str], ...]
    linked: tuple[tuple[str, str], ...]
    complete: bool
    texts: dict[str, str]


def read(path: Path) -> Facts:
    """Read a base's document. Raises BuildError, naming the place, for anything that does not follow the contract."""
    try:
        data = read_limited(path, _LIMIT)
        if len(data) > _LIMIT:
            raise _refuse(path, f"the limit is {_LIMIT} bytes")
        document = msgspec.json.decode(data, type=_Document)
    except (OSError, msgspec.MsgspecError) as problem:
        raise _refuse(path, str(problem)) from problem
    by_id = {package.id: package for package in document.packages}
    if len(by_id) != len(document.packages):
        raise _refuse(path, "two packages have one SPDXID")
    roots = set(document.document_describes)
    contained, depends, linked = set(), set(), set()
    for relation in document.relationships:
        ends = (relation.element, relation.related)
        for end in ends:
            if end not in by_id and end != "SPDXRef-DOCUMENT":
                raise _refuse(path, f"a relationship names {end!r}, which is not in the document")
        if relation.kind == "DESCRIBES" and relation.element == "SPDXRef-DOCUMENT":
            roots.add(relation.related)
        elif relation.kind == "CONTAINS":
            contained.add(ends)
        elif relation.kind == "DEPENDS_ON":
            depends.add(ends)
        elif relation.kind == "STATIC_LINK":
            linked.add(ends)
        else:
            raise _refuse(path, f"unknown relationship type {relation.kind!r}")
    if len(roots) != 1:
        raise _refuse(path, f"it describes {len(roots)} elements, a layer is one")
    root = roots.pop()
    members = [package for package in document.packages if package.id != root]
    orphans = [package.id for package in members if (root, package.id) not in contained]
    if orphans:
        raise _refuse(path, f"the layer does not contain {orphans[0]!r}")
    return Facts(
        packages=tuple(_fact(path, package) for package in members),
        depends=tuple(sorted(pair for pair in depends if root not in pair)),
        linked=tuple(sorted(pair for pair in linked if root not in pair)),
        complete=bool(depends) or (root in by_id and by_id[root].comment == COMPLETE),
        texts={entry.license_id: entry.extracted_text for entry in document.has_extracted_licensing_infos},
    )


def _fact(path: Path, package: _Package) -> Fact:
    checksums = []
    for entry in package.checksums:
        if entry.algorithm not in _HEX_LENGTH:
            continue  # the base may hash with more than the two that documents carry
        if len(entry.checksum_value) != _HEX_LENGTH[entry.algorithm]:
            raise _refuse(path, f"{package.name}: a {entry.algorithm} of {len(entry.checksum_value)} digits")
        algorithm: Literal["SHA256", "SHA512"] = "SHA256" if entry.algorithm == "SHA256" else "SHA512"
        checksums.append(Checksum(algorithm, entry.checksum_value))
    purls = [ref.reference_locator for ref in package.external_refs if ref.reference_type == "purl"]
    source = _SOURCE.match(package.source_info)
    return Fact(
        id=package.id,
        name=package.name,
        version=package.version_info,
        supplier=_contact(path, package),
        purl=purls[0] if purls else "",
        file_name=package.package_file_name,
        checksums=tuple(sorted(checksums, key=lambda checksum: checksum.algorithm)),
        source_name=source[1] if source else "",
        source_version=source[2] if source else "",
        homepage="" if package.homepage in ("NOASSERTION", "NONE") else package.homepage,
        declared="" if package.license_declared in ("NOASSERTION", "NONE") else package.license_declared,
    )


def _contact(path: Path, package: _Package) -> Contact | None:
    if package.supplier == "NOASSERTION":
        return None
    match = _SUPPLIER.match(package.supplier)
    if match is None:
        raise _refuse(path, f"{package.name}: not a supplier: {package.supplier!r}")
    return Contact("Person" if match[1] == "Person" else "Organization", match[2], match[3] or "")


def _refuse(path: Path, why: str) -> BuildError:
    return BuildError(
        f"the base's SPDX document {path} does not follow the deploy contract",
        why,
        "base and orchestrator must be of one release",
    )
