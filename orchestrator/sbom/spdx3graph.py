# SPDX-License-Identifier: MIT
"""The graph of an SPDX 3.0.1 document while it is made: elements by id, and those that layers share.

Source: SPDX 3.0.1, Core, Software and SimpleLicensing profiles, and the JSON-LD serialisation. Ids of what layers
share (agents, licences, texts, sources) come from their content and from who makes the document when; ids of a layer's
own elements come from the layer. So a layer's elements have the same ids in its document and in the aggregate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

import orchestrator
from orchestrator.errors import BuildError
from orchestrator.sbom import spdxlist
from orchestrator.sbom.expression import licences, parse
from orchestrator.sbom.ids import named, short, urn
from orchestrator.sbom.model import Checksum, Completeness, Contact, ExtractedLicence, Product, Source, Traits
from orchestrator.sbom.statements import hash_of_source

CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
TERMS = "https://spdx.org/rdf/3.0.1/terms"
NONE = f"{TERMS}/Core/NoneElement"
NO_LICENCE_KNOWN = f"{TERMS}/ExpandedLicensing/NoAssertionLicense"
INFO = "_:creationInfo"
_COMPLETENESS = {"complete": "complete", "incomplete": "incomplete", "unknown": "noAssertion"}
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+\Z")

Element = dict[str, Any]


class Graph:
    """Elements by id; equal ids are equal elements, or BuildError is raised for what no document may say."""

    def __init__(self, product: Product, created: int) -> None:
        self.elements: dict[str, Element] = {}
        self._expressions: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self.created = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        tool = f"pycontainer-{orchestrator.__version__}"
        identity = [product.organisation, product.contact, self.created, tool, spdxlist.VERSION]
        self.shared = urn("pycontainer SPDX 3.0.1 shared elements", msgspec.json.encode(identity))
        self.tool = self.add("Tool", f"{self.shared}#tool-pycontainer", name=tool)
        self.maker = (
            self.agent(Contact("Organization", product.organisation, product.contact))
            if product.organisation
            else self.add("SoftwareAgent", f"{self.shared}#agent-pycontainer", name="pycontainer")
        )
        self.supplied = bool(product.organisation)

    def add(self, kind: str, identifier: str, **values: Any) -> str:
        """Put an element without its empty values; returns its id."""
        element = {key: value for key, value in values.items() if value not in ("", None, [], ())}
        element |= {"type": kind, "spdxId": identifier, "creationInfo": INFO}
        if self.elements.setdefault(identifier, element) != element:
            raise BuildError("two elements of an SBOM have one id", identifier, "please report it")
        return identifier

    def relation(
        self, namespace: str, kind: str, source: str, targets: Iterable[str], completeness: Completeness | None = None
    ) -> None:
        """Put a relationship from one element to others; none when there are no targets."""
        listed = sorted(set(targets))
        if listed:
            name = f"{kind}-{source.rpartition('#')[2] or short(source)}"
            self.add(
                "Relationship",
                f"{namespace}#{name}",
                relationshipType=kind,
                completeness=_COMPLETENESS[completeness] if completeness else None,
                **{"from": source, "to": listed},
            )

    def annotation(self, namespace: str, subject: str, facts: dict[str, Any]) -> None:
        """Put facts that SPDX has no property for as a JSON statement about an element."""
        self.add(
            "Annotation",
            f"{namespace}#facts-{subject.rpartition('#')[2]}",
            annotationType="other",
            contentType="application/json",
            subject=subject,
            statement=msgspec.json.encode(facts, order="sorted").decode(),
        )

    def agent(self, contact: Contact) -> str:
        """Put a person or an organisation; returns the id."""
        key = f"{contact.kind}\0{contact.name}\0{contact.email}"
        kind = "email" if "@" in contact.email and "://" not in contact.email else "urlScheme"
        identifiers = [{"type": "ExternalIdentifier", "externalIdentifierType": kind, "identifier": contact.email}]
        return self.add(
            contact.kind,
            f"{self.shared}#{named('agent', contact.name, key)}",
            name=contact.name,
            externalIdentifier=identifiers if contact.email else None,
        )

    def expression(self, text: str, known: Sequence[ExtractedLicence]) -> str:
        """Put a licence expression with the texts of its LicenseRefs; returns the id."""
        if text in self._expressions:
            return self._expressions[text]
        texts = {entry.id: entry for entry in known}
        used = sorted({term.id for term in licences(parse(text)) if term.id.startswith("LicenseRef-")})
        entries = [
            {"type": "DictionaryEntry", "key": name, "value": self.text(texts[name])} for name in used if name in texts
        ]
        self._expressions[text] = self.add(
            "simplelicensing_LicenseExpression",
            f"{self.shared}#{named('licence', text if len(text) < 60 else '', text)}",
            simplelicensing_licenseExpression=text,
            simplelicensing_licenseListVersion=f"{spdxlist.VERSION}.0",
            simplelicensing_customIdToUri=entries,
        )
        return self._expressions[text]

    def text(self, licence: ExtractedLicence) -> str:
        """Put the text of a LicenseRef; raises BuildError when the id has another text already."""
        if self._texts.setdefault(licence.id, licence.text) != licence.text:
            raise BuildError(f"{licence.id} has two texts", "an id must name one text")
        return self.add(
            "simplelicensing_SimpleLicensingText",
            f"{self.shared}#text-{licence.id.removeprefix('LicenseRef-')}",
            name=licence.id,
            simplelicensing_licenseText=licence.text,
        )

    def source(self, source: Source) -> str:
        """Put what a component was built from; returns the id."""
        key = msgspec.json.encode(source).decode()
        return self.add(
            "software_Package",
            f"{self.shared}#{named('source', source.name, key)}",
            name=source.name,
            software_packageVersion=source.version,
            software_packageUrl=source.uri if source.uri.startswith("pkg:") else None,
            software_downloadLocation=None if source.uri.startswith("pkg:") else uri(source.uri),
            software_primaryPurpose="source",
            externalRef=[{"type": "ExternalRef", "externalRefType": "sourceArtifact", "locator": [source.uri]}]
            if uri(source.uri)
            else None,
            verifiedUsing=hashes(source.checksums),
            comment=hash_of_source(source),
        )

    def document(self, uri: str, name: str, sbom_name: str, root: str, comment: str = "") -> bytes:
        """Return the document's canonical JSON-LD: everything in the graph, one SBOM of type build, one root."""
        licence = self.expression("CC0-1.0", ())
        software = [key for key, value in self.elements.items() if value["type"].startswith("software_")]
        sbom = self.add(
            "software_Sbom",
            f"{uri}#sbom",
            name=sbom_name,
            software_sbomType=["build"],
            profileConformance=["core", "simpleLicensing", "software"],
            rootElement=[root],
            element=sorted(software),
        )
        everything = sorted(self.elements)
        self.add(
            "SpdxDocument",
            uri,
            name=name,
            dataLicense=licence,
            profileConformance=["core", "simpleLicensing", "software"],
            rootElement=[sbom],
            element=everything,
            comment=comment,
        )
        info = {
            "type": "CreationInfo",
            "@id": INFO,
            "specVersion": "3.0.1",
            "created": self.created,
            "createdBy": [self.maker],
            "createdUsing": [self.tool],
        }
        graph = [info, self.elements[uri], *(self.elements[key] for key in everything)]
        return msgspec.json.encode({"@context": CONTEXT, "@graph": graph}, order="sorted") + b"\n"


def hashes(checksums: Iterable[Checksum]) -> list[Element]:
    """Return checksums as integrity methods, sorted."""
    return [
        {"type": "Hash", "algorithm": each.algorithm.lower(), "hashValue": each.value}
        for each in sorted(set(checksums), key=lambda each: (each.algorithm, each.value))
    ]


def purposes(traits: Traits) -> list[str]:
    """Return traits as BSI TR-03183-2 maps them to SPDX purposes: what is not stated is not so, or not known."""
    found = []
    if traits.executable:
        found.append("executable")
    if traits.archive:
        found.append("archive")
    if traits.structured is not None:
        found.append("container" if traits.structured else "firmware")
    return found


def uri(text: str) -> str | None:
    """Return a text that is an absolute URI, or None."""
    return text if _URI.match(text) else None
