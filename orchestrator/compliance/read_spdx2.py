# SPDX-License-Identifier: MIT
"""SPDX 2.3 JSON as a bill. Source: SPDX 2.3, clauses 6 to 11 and its JSON schema."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.canonical import canonical_json
from orchestrator.compliance import properties
from orchestrator.compliance.bill import UNKNOWN, Agent, Bill, Edge, Element, Flaw, Role
from orchestrator.sbom import spdx23

_ID = re.compile(r"SPDXRef-[A-Za-z0-9.-]+\Z")
_AGENT = re.compile(r"(Person|Organization): ?(.+?)(?: \(([^()]*)\))?\Z", re.DOTALL)
_TOOL = re.compile(r"Tool: (.+?)(?:-(\d\S*))?\Z")
_EVIDENCE = re.compile(r"Declared by tier (\S+?)(?:, from (.+?) \((sha256:[0-9a-f]{64})\))?\.(?: |\Z)")
_SOURCE = re.compile(r"built from source package: (\S+) (\S+)")
_KINDS = {
    "CONTAINS": "contains",
    "DEPENDS_ON": "dependsOn",
    "GENERATED_FROM": "generatedFrom",
    "GENERATES": "generates",
    "DESCENDANT_OF": "descendantOf",
    "STATIC_LINK": "hasStaticLink",
    "DYNAMIC_LINK": "hasDynamicLink",
}
_HERE = "SPDXRef-DOCUMENT"


def read(value: dict[str, Any], size: int) -> Bill:
    """Return the bill of a decoded SPDX 2.3 document. Raises KeyError, TypeError, ValueError or AttributeError when
    parts are missing or of another type; the caller says so."""
    info = value["creationInfo"]
    bill = Bill("SPDX-2.3", size=size)
    bill.name, bill.uri = _text(value, "name"), _text(value, "documentNamespace")
    bill.created, bill.list_version = _text(info, "created"), _text(info, "licenseListVersion")
    bill.data_licence, bill.comment = _text(value, "dataLicense"), _text(value, "comment")
    bill.creators = tuple(_creator(str(entry)) for entry in info.get("creators", []))
    bill.sbom_types = tuple(re.findall(r"SBOM type: (\w+)", _text(info, "comment") + " " + bill.comment))
    bill.expected_uri = spdx23.namespace(canonical_json({**value, "documentNamespace": ""}))
    if value.get("spdxVersion") != "SPDX-2.3" or value.get("SPDXID") != _HERE:
        bill.flaws.append(Flaw("D1", _HERE, "not named as an SPDX 2.3 document"))
    for package in (*value["packages"], *value.get("files", ())):
        _element(bill, package)
    _relations(bill, value)
    for entry in value.get("hasExtractedLicensingInfos", ()):
        identifier = _text(entry, "licenseId")
        bill.texts.setdefault(identifier, []).append(_text(entry, "extractedText"))
        bill.text_names[identifier] = _text(entry, "name")
    _roles(bill)
    return bill


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name, "")
    if not isinstance(found, str):
        raise TypeError(f"{name} is no text")
    return found


def _creator(text: str) -> Agent:
    if tool := _TOOL.match(text):
        return Agent("tool", tool[1], version=tool[2] or "")
    return _agent(text) or Agent("other", text)


def _agent(text: str) -> Agent | None:
    match = _AGENT.match(text)
    if match is None:
        return None if text in UNKNOWN else Agent("other", text)
    return Agent("person" if match[1] == "Person" else "organization", match[2], match[3] or "")


def _element(bill: Bill, package: dict[str, Any]) -> None:
    identifier = _text(package, "SPDXID")
    if not _ID.match(identifier):
        bill.flaws.append(Flaw("D10", identifier, "not a valid id"))
    if identifier in bill.elements:
        bill.flaws.append(Flaw("D10", identifier, "two elements have this id"))
        return
    comment = _text(package, "comment")
    element = Element(
        identifier,
        "component" if "fileName" not in package else "file",
        name=_text(package, "name") or _text(package, "fileName"),
        version=_text(package, "versionInfo"),
        supplier=_agent(_text(package, "supplier")),
        file_name=_text(package, "packageFileName") or _text(package, "fileName"),
        copyright=_text(package, "copyrightText"),
        homepage=_text(package, "homepage"),
        download=_text(package, "downloadLocation"),
        source_info=_text(package, "sourceInfo"),
        comment=comment,
        properties=properties.read(comment),
    )
    for name in ("licenseDeclared", "licenseConcluded"):
        expression = _text(package, name)
        if name not in package and element.role == "component":
            bill.flaws.append(Flaw("C8" if name.endswith("Declared") else "C9", identifier, f"{name} is missing"))
        setattr(element, name[7:].lower(), "" if expression in UNKNOWN else expression)
    if purpose := _text(package, "primaryPackagePurpose"):
        element.purposes = (_camel(purpose),)
    if comments := _text(package, "licenseComments"):
        element.properties.setdefault("licenceevidence", comments)
        if match := _EVIDENCE.match(comments):
            for name, value in zip(("tier", "evidence", "evidencedigest"), match.groups(""), strict=True):
                element.properties.setdefault(name, value)
    element.hashes = tuple(
        (_text(entry, "algorithm").lower(), _text(entry, "checksumValue")) for entry in package.get("checksums", ())
    )
    for entry in package.get("externalRefs", ()):
        if entry["referenceType"] == "purl" and not element.purl:
            element.purl = _text(entry, "referenceLocator")
        if entry["referenceCategory"] == "SECURITY" and entry["referenceType"] in ("advisory", "fix", "url"):
            bill.vulnerabilities.append(identifier)
    for entry in package.get("annotations", ()):
        element.properties |= properties.read(_text(entry, "comment"))
    bill.elements[identifier] = element


def _camel(purpose: str) -> str:
    head, *rest = purpose.lower().split("-" if "-" in purpose else "_")
    return head + "".join(word.title() for word in rest)


def _relations(bill: Bill, value: dict[str, Any]) -> None:
    roots: dict[str, None] = {}
    described = 0
    known = bill.elements.keys() | {_HERE}
    for relation in value["relationships"]:
        kind = _text(relation, "relationshipType")
        source, target = _text(relation, "spdxElementId"), _text(relation, "relatedSpdxElement")
        for end in (source, target):
            if end not in known and end not in UNKNOWN:
                bill.flaws.append(Flaw("D10", end, "a relationship names an element that does not exist"))
        if kind == "DESCRIBES" and source == _HERE:
            roots[target] = None
            described += 1
        elif kind == "GENERATED_FROM":
            bill.edges.append(Edge("generates", target, source))
        elif target not in UNKNOWN:
            noted = properties.read(_text(relation, "comment")).get("completeness", "")
            bill.edges.append(Edge(_KINDS.get(kind, kind.lower()), source, target, noted))
    roots.update(dict.fromkeys(map(str, value.get("documentDescribes", ()))))
    # Said twice is as wrong as two: tools that count would see two.
    bill.roots = tuple(roots) if described <= len(roots) else (*roots, *roots)


def _roles(bill: Bill) -> None:
    generating = {edge.source for edge in bill.edges if edge.kind == "generates"}
    for identifier, element in bill.elements.items():
        role: Role = element.role
        if identifier in bill.roots and "diskImage" in element.purposes:
            role = "image"
        elif "kind" in element.properties and (identifier in bill.roots or "architecture" in element.properties):
            role = "layer"
        elif identifier in bill.roots:
            role = "image" if any(edge.kind == "contains" for edge in bill.below.get(identifier, ())) else "layer"
        elif "source" in element.purposes or identifier in generating:
            role = "source"
        element.role = role
        if role == "component" and (match := _SOURCE.match(element.source_info)):
            element.properties.setdefault("sourcename", match[1])
            element.properties.setdefault("sourceversion", match[2])
