# SPDX-License-Identifier: MIT
"""SPDX 3.0.1 JSON-LD as a bill. Source: SPDX 3.0.1, Core, Software and SimpleLicensing."""

from __future__ import annotations

import re
from typing import Any

from orchestrator.compliance import properties, spdx3form
from orchestrator.compliance.bill import LAYER_KINDS, Agent, Bill, Edge, Element, Flaw, Role

_TOOL = re.compile(r"(.+?)[-/ ]v?(\d\S*)\Z")
_AGENTS = {"Organization": "organization", "Person": "person", "Tool": "tool", "SoftwareAgent": "tool"}
_COLLECTIONS = ("software_Sbom", "Bom", "Bundle")
_TERMS = "https://spdx.org/rdf/3.0.1/terms/"
_INDIVIDUALS = ("NoAssertionElement", "NoneElement", "SpdxOrganization", "expandedlicensing_NoneLicense",
                "expandedlicensing_NoAssertionLicense")  # fmt: skip
_LICENCE_EDGES = {"hasDeclaredLicense": "declared", "hasConcludedLicense": "concluded"}

Item = dict[str, Any]


def read(value: Item, size: int) -> Bill:
    """Return the bill of a decoded SPDX 3.0.1 document. Raises KeyError, TypeError, ValueError or AttributeError when
    parts are missing or of another type; the caller says so."""
    bill = Bill("SPDX-3.0.1", size=size)
    if value.get("@context") != spdx3form.CONTEXT:
        bill.flaws.append(Flaw("D1", "", "the JSON-LD context is not that of SPDX 3.0.1"))
    return _Reader(bill, [dict(item) for item in value["@graph"]]).whole()


class _Reader:
    def __init__(self, bill: Bill, graph: list[Item]) -> None:
        self.bill = bill
        self.items: dict[str, Item] = {}
        self.by_type: dict[str, list[Item]] = {}
        for position, item in enumerate(graph):
            kind = item["type"]
            if not isinstance(kind, str):
                raise TypeError("type is no text")
            identifier = item.get("spdxId") or item.get("@id") or f"element {position}"
            if not isinstance(identifier, str):
                raise TypeError("an id is no text")
            bill.flaws += [Flaw("D1", identifier, message) for message in spdx3form.flaws(item, kind)]
            if kind != "CreationInfo" and not spdx3form.is_uri(identifier):
                bill.flaws.append(Flaw("D10", identifier, "not a valid id: an absolute URI is wanted"))
            if identifier in self.items:
                bill.flaws.append(Flaw("D10", identifier, "two elements have this id"))
                continue
            self.items[identifier] = item
            self.by_type.setdefault(kind, []).append(item)
            if kind.startswith("security_"):
                bill.vulnerabilities.append(identifier)

    def whole(self) -> Bill:
        self.document()
        for kind, make in (("software_Package", self.package), ("software_File", self.package)):
            for item in self.by_type.get(kind, ()):
                make(item)
        for item in self.by_type.get("Annotation", ()):
            if (subject := self.bill.elements.get(item.get("subject", ""))) is not None:
                subject.properties |= properties.read(_text(item, "statement"))
            self.resolve(item.get("subject", ""))
        self.licences()
        self.relationships()
        self.roles()
        return self.bill

    def resolve(self, identifier: object) -> None:
        """Note an id that names nothing."""
        if not isinstance(identifier, str) or identifier in self.items:
            return
        if identifier.startswith(_TERMS) or identifier in _INDIVIDUALS:
            return
        self.bill.flaws.append(Flaw("D10", identifier, "named, but not in the document"))

    def document(self) -> None:
        bill = self.bill
        documents = self.by_type.get("SpdxDocument", [])
        if len(documents) != 1:
            bill.flaws.append(Flaw("D1", "", f"{len(documents)} elements of type SpdxDocument, there must be one"))
        document = documents[0] if documents else {}
        bill.name, bill.uri = _text(document, "name"), _text(document, "spdxId")
        bill.comment = _text(document, "comment")
        bill.data_licence = self.licence_text(_text(document, "dataLicense"))
        for item in (document, *(item for kind in _COLLECTIONS for item in self.by_type.get(kind, ()))):
            for identifier in (*item.get("rootElement", ()), *item.get("element", ())):
                self.resolve(identifier)
            bill.sbom_types += tuple(item.get("software_sbomType", ()))
            if "security" in item.get("profileConformance", ()):
                bill.vulnerabilities.append(str(item.get("spdxId", "")))
        bill.roots = tuple(self.roots(document))
        for info in self.by_type.get("CreationInfo", ()):
            if info.get("specVersion") != spdx3form.SPEC:
                bill.flaws.append(Flaw("D1", str(info.get("@id")), f"specVersion is not {spdx3form.SPEC}"))
        info = self.items.get(_text(document, "creationInfo"), {})
        bill.created = _text(info, "created")
        makers = (*info.get("createdBy", ()), *info.get("createdUsing", ()))
        bill.creators = tuple(filter(None, map(self.agent, makers)))
        for item in self.items.values():
            if "creationInfo" in item:
                self.resolve(item["creationInfo"])
        for info in self.by_type.get("CreationInfo", ()):
            for identifier in (*info.get("createdBy", ()), *info.get("createdUsing", ())):
                self.resolve(identifier)
        versions = {
            _text(item, "simplelicensing_licenseListVersion")
            for item in self.by_type.get("simplelicensing_LicenseExpression", ())
        }
        bill.list_version = ".".join(versions.pop().split(".")[:2]) if len(versions) == 1 else ""

    def roots(self, document: Item) -> list[str]:
        """The roots of the document, through collections to what they are about; each named once at most."""
        found: list[str] = []
        for identifier in document.get("rootElement", ()):
            item = self.items.get(identifier, {})
            found += item.get("rootElement", ()) if item.get("type") in _COLLECTIONS else [identifier]
        return found

    def licence_text(self, identifier: str) -> str:
        """The expression that an id stands for, empty for none."""
        item = self.items.get(identifier)
        if item is None:
            self.resolve(identifier) if identifier else None
            return identifier.rpartition("/")[2] if "spdx.org/licenses/" in identifier else ""
        return _text(item, "simplelicensing_licenseExpression")

    def agent(self, identifier: str) -> Agent | None:
        item = self.items.get(identifier)
        if item is None:
            return None
        kind = _AGENTS.get(item["type"], "other")
        name = _text(item, "name")
        contacts = [
            _text(entry, "identifier")
            for entry in item.get("externalIdentifier", ())
            if entry.get("externalIdentifierType") in ("email", "urlScheme", "other")
        ]
        contacts += [str(place) for entry in item.get("externalRef", ()) for place in entry.get("locator", ())]
        version = ""
        if kind == "tool" and (match := _TOOL.match(name)):
            name, version = match[1], match[2]
        return Agent(kind, name, contacts[0] if contacts else "", version)  # type: ignore[arg-type]

    def package(self, item: Item) -> None:
        identifier = str(item.get("spdxId", ""))
        comment = _text(item, "comment")
        element = Element(
            identifier,
            "component" if item["type"] == "software_Package" else "file",
            name=_text(item, "name"),
            version=_text(item, "software_packageVersion"),
            purl=_text(item, "software_packageUrl"),
            purposes=tuple(filter(None, (_text(item, "software_primaryPurpose"),)))
            + tuple(item.get("software_additionalPurpose", ())),
            supplier=self.agent(item["suppliedBy"]) if "suppliedBy" in item else None,
            copyright=_text(item, "software_copyrightText"),
            homepage=_text(item, "software_homePage"),
            download=_text(item, "software_downloadLocation") or _located(item),
            source_info=_text(item, "software_sourceInfo"),
            comment=comment,
            properties=properties.read(comment),
        )
        for reference in (item.get("suppliedBy"), *item.get("originatedBy", ())):
            self.resolve(reference)
        for entry in item.get("externalIdentifier", ()):
            if entry.get("externalIdentifierType") == "packageUrl" and not element.purl:
                element.purl = _text(entry, "identifier")
        element.hashes = tuple(
            (_text(entry, "algorithm"), _text(entry, "hashValue"))
            for entry in item.get("verifiedUsing", ())
            if entry.get("type") == "Hash"
        )
        self.bill.elements[identifier] = element

    def licences(self) -> None:
        bill = self.bill
        known: dict[str, set[str]] = {}
        for item in self.by_type.get("simplelicensing_LicenseExpression", ()):
            for entry in item.get("simplelicensing_customIdToUri", ()):
                key, target = _text(entry, "key"), _text(entry, "value")
                text = self.items.get(target)
                if text is None:
                    self.resolve(target)
                elif target not in known.setdefault(key, set()):
                    known[key].add(target)
                    bill.texts.setdefault(key, []).append(_text(text, "simplelicensing_licenseText"))
                    bill.text_names[key] = _text(text, "name") or key

    def relationships(self) -> None:
        elements = self.bill.elements
        for kind in ("Relationship", "LifecycleScopedRelationship"):
            for item in self.by_type.get(kind, ()):
                source, word = _text(item, "from"), _text(item, "relationshipType")
                self.resolve(source)
                completeness = _text(item, "completeness")
                for target in item.get("to", ()):
                    self.resolve(target)
                    if (field := _LICENCE_EDGES.get(word)) and source in elements:
                        expression = self.licence_text(target)
                        setattr(elements[source], field, expression)
                        elements[source].properties.setdefault(f"states{field}", "yes")
                    elif word == "hasAssociatedVulnerability":
                        self.bill.vulnerabilities.append(source)
                    else:
                        self.bill.edges.append(Edge(word, source, target, completeness))

    def roles(self) -> None:
        bill = self.bill
        generating = {edge.source for edge in bill.edges if edge.kind == "generates"}
        ancestors = {edge.target for edge in bill.edges if edge.kind == "descendantOf"}
        for identifier, element in bill.elements.items():
            role: Role = element.role
            if identifier in bill.roots and "diskImage" in element.purposes:
                role = "image"
            elif element.properties.get("kind") in LAYER_KINDS:
                role = "layer"
            elif "source" in element.purposes or identifier in generating:
                role = "source"
            elif identifier in bill.roots:
                role = "layer"
            elif identifier in ancestors or "platform" in element.purposes:
                role = "other"
            element.role = role
        for edge in bill.edges:
            owner, other = bill.elements.get(edge.source), bill.elements.get(edge.target)
            if owner is None or other is None:
                continue
            if edge.kind == "hasDistributionArtifact":
                owner.file_name = owner.file_name or other.name
                owner.hashes = owner.hashes or other.hashes
                owner.properties.setdefault("artifact", other.id)
            elif edge.kind == "generates":
                other.properties.setdefault("sourcename", owner.name)
                other.properties.setdefault("sourceversion", owner.version)


def _located(item: Item) -> str:
    """The first address of an external reference."""
    for entry in item.get("externalRef", ()):
        for place in entry.get("locator", ()):
            return str(place)
    return ""


def _text(value: Item, name: str) -> str:
    found = value.get(name, "")
    return found if isinstance(found, str) else ""
