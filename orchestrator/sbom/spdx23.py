# SPDX-License-Identifier: MIT
"""SPDX 2.3 JSON of a layer and of a whole image, byte for byte the same for the same facts.

The writer fills the spec's JSON form directly (SPDX 2.3, clauses 6 to 11 and the JSON schema of its release); `check`
and, in the tests, spdx-tools read it back. What the format has no field for stands in annotations as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

import orchestrator
from orchestrator.canonical import canonical_json
from orchestrator.errors import BuildError
from orchestrator.sbom import spdxlist, statements
from orchestrator.sbom.conjunction import together
from orchestrator.sbom.ids import named, urn
from orchestrator.sbom.model import Aggregate, Checksum, Component, Contact, Document, Product, Source
from orchestrator.sbom.packages import purl
from orchestrator.sbom.spdx3graph import uri

_PURPOSES = {
    "firmware": "FIRMWARE",
    "operatingSystem": "OPERATING_SYSTEM",
    "container": "CONTAINER",
}
_KINDS = {
    "package": "INSTALL",
    "application": "APPLICATION",
    "library": "LIBRARY",
    "kernel": "OPERATING-SYSTEM",
    "kernel-module": "OTHER",
    "firmware": "FIRMWARE",
    "bootloader": "FIRMWARE",
    "file": "FILE",
}
_UNKNOWN = "NOASSERTION"
_LONGEST = 90_000
IMAGE_ID = "SPDXRef-image"

Value = dict[str, Any]


def spdx23_bytes(document: Document) -> bytes:
    """Return a layer's document as canonical SPDX 2.3 JSON with a final newline.

    Raises BuildError when one LicenseRef has two texts, which no document may say.
    """
    layer, product = document.layer, document.product
    parts = _Parts()
    root = parts.layer(document)
    name = f"{product.name} {product.version}: layer {layer.name}"
    return parts.document(name, product, document.created, root, " ".join(document.remarks))


def spdx23_aggregate_bytes(aggregate: Aggregate) -> bytes:
    """Return the document of a flashable image: its layers as they are in their own documents, and itself."""
    image, product = aggregate.image, aggregate.product
    parts = _Parts()
    facts = {"machine": aggregate.machine, "revision": aggregate.revision, "size": image.size}
    parts.packages[IMAGE_ID] = {
        "SPDXID": IMAGE_ID,
        "name": product.name,
        "versionInfo": product.version,
        "packageFileName": image.name,
        "supplier": _supplier(_maker(product)),
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "primaryPackagePurpose": "INSTALL",
        "comment": "; ".join(f"{key}={value}" for key, value in facts.items() if value),
        "sourceInfo": f"descends from {aggregate.base}" if aggregate.base else "built from its layers",
        "checksums": _checksums((Checksum("SHA256", image.sha256), Checksum("SHA512", image.sha512))),
        "externalRefs": _purl(purl("generic", "", product.name, product.version, [("machine", aggregate.machine)])),
        "copyrightText": _UNKNOWN,
        **_whole([each for document in aggregate.documents for each in document.components]),
    }
    for document in aggregate.documents:
        parts.relate(IMAGE_ID, "CONTAINS", parts.layer(document))
    name = f"{product.name} {product.version}: {image.name}"
    return parts.document(name, product, aggregate.created, IMAGE_ID, " ".join(aggregate.remarks))


def layer_id(name: str) -> str:
    """Return the SPDX id of a layer."""
    return f"SPDXRef-{named('layer', name, name)}"


def element_id(layer: str, component: Component) -> str:
    """Return the SPDX id of a component: readable, and unique because its layer and its key are."""
    return f"SPDXRef-{named('component', component.name, f'{layer}/{component.key}')}"


def namespace(content: bytes) -> str:
    """Return the namespace of a document from its canonical JSON with an empty namespace."""
    return urn("pycontainer SPDX 2.3 document", content)


class _Parts:
    """The packages, relationships and texts of a document while it is made."""

    def __init__(self) -> None:
        self.packages: dict[str, Value] = {}
        self.relations: list[Value] = []
        self.texts: dict[str, Value] = {}

    def relate(self, element: str, kind: str, related: str) -> None:
        self.relations.append({"spdxElementId": element, "relationshipType": kind, "relatedSpdxElement": related})

    def layer(self, document: Document) -> str:
        """Put a layer with all that it holds; returns its id."""
        layer = document.layer
        identifier = layer_id(layer.name)
        self.packages[identifier] = _layer(document, identifier)
        ids = {each.key: element_id(layer.name, each) for each in document.components}
        sources: dict[str, list[str]] = {}
        for each in document.components:
            self.packages[ids[each.key]] = _package(each, ids[each.key], document.created)
            self.relate(ids.get(each.parent, identifier), "CONTAINS", ids[each.key])
            if each.source is not None:
                sources.setdefault(self.source(each.source), []).append(ids[each.key])
        for edge in document.dependencies:
            kind = "STATIC_LINK" if edge.static else "DEPENDS_ON"
            self.relate(ids[edge.dependent], kind, ids[edge.needed])
        for source in sorted(sources):
            for built in sorted(sources[source]):
                self.relate(built, "GENERATED_FROM", source)
        self._extracted(document)
        return identifier

    def source(self, source: Source) -> str:
        """Put what components were built from; returns the id."""
        identifier = f"SPDXRef-{named('source', source.name, msgspec.json.encode(source).decode())}"
        package: Value = {
            "SPDXID": identifier,
            "name": source.name,
            "downloadLocation": _UNKNOWN,
            "filesAnalyzed": False,
            "primaryPackagePurpose": "SOURCE",
            "licenseConcluded": _UNKNOWN,
            "licenseDeclared": _UNKNOWN,
            "copyrightText": _UNKNOWN,
            "supplier": _UNKNOWN,
        }
        if source.version:
            package["versionInfo"] = source.version
        if source.uri.startswith("pkg:"):
            package["externalRefs"] = _purl(source.uri)
        elif uri(source.uri):
            package["downloadLocation"] = source.uri
        if source.checksums:
            package["checksums"] = _checksums(source.checksums)
            if of_what := statements.hash_of_source(source):
                package["comment"] = of_what
        self.packages[identifier] = package
        return identifier

    def _extracted(self, document: Document) -> None:
        for entry in document.extracted():
            value = {"licenseId": entry.id, "name": entry.name or entry.id, "extractedText": entry.text}
            known = self.texts.setdefault(entry.id, value)
            if known["extractedText"] != entry.text:
                raise BuildError(f"layer {document.layer.name}: {entry.id} has two texts", "an id must name one text")

    def document(self, name: str, product: Product, created: int, root: str, comment: str) -> bytes:
        """Return the whole document; `root` is what it describes."""
        value: Value = {
            "spdxVersion": "SPDX-2.3",
            "dataLicense": "CC0-1.0",
            "SPDXID": "SPDXRef-DOCUMENT",
            "name": name,
            "documentNamespace": "",
            "creationInfo": {
                "created": _time(created),
                "creators": _creators(product),
                "licenseListVersion": spdxlist.VERSION,
                "comment": "SBOM type: build",
            },
            "packages": [self.packages[root], *(each for key, each in self.packages.items() if key != root)],
            "relationships": [
                {
                    "spdxElementId": "SPDXRef-DOCUMENT",
                    "relationshipType": "DESCRIBES",
                    "relatedSpdxElement": root,
                },
                *self.relations,
            ],
        }
        if comment:
            value["comment"] = comment
        if self.texts:
            value["hasExtractedLicensingInfos"] = [self.texts[key] for key in sorted(self.texts)]
        value["documentNamespace"] = namespace(canonical_json(value))
        return canonical_json(value) + b"\n"


def _time(created: int) -> str:
    return datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _creators(product: Product) -> list[str]:
    creators = [f"Tool: pycontainer-{orchestrator.__version__}"]
    if product.organisation:
        creators.append(_supplier(_maker(product)))
    return creators


def _maker(product: Product) -> Contact | None:
    return Contact("Organization", product.organisation, product.contact) if product.organisation else None


def _supplier(contact: Contact | None) -> str:
    if contact is None:
        return _UNKNOWN
    return f"{contact.kind}: {contact.name} ({contact.email})" if contact.email else f"{contact.kind}: {contact.name}"


def _checksums(checksums: Iterable[Checksum]) -> list[Value]:
    listed = sorted(set(checksums), key=lambda each: (each.algorithm, each.value))
    return [{"algorithm": each.algorithm, "checksumValue": each.value} for each in listed]


def _purl(url: str) -> list[Value]:
    # With a hyphen: the JSON schemas of 2.2 and 2.3 disagree about the underscore and both accept this.
    return [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": url}]


def _whole(components: Sequence[Component]) -> Value:
    """Return the licence of a layer or image: that of all of its components together."""
    text = together(each.concluded for each in components)
    unknown = sum(not each.concluded for each in components)
    stated = text if text and not unknown and len(text) <= _LONGEST else _UNKNOWN
    comment = "An aggregate: the licences of all components together."
    if unknown:
        comment += f" Unknown for {unknown} of {len(components)} components, so nothing is asserted of the whole."
    return {"licenseConcluded": stated, "licenseDeclared": stated, "licenseComments": comment}


def _layer(document: Document, identifier: str) -> Value:
    layer, product = document.layer, document.product
    sums = [Checksum("SHA256", blob.digest.removeprefix("sha256:")) for blob in layer.blobs]
    sums += [Checksum("SHA512", blob.sha512) for blob in layer.blobs if blob.sha512]
    package: Value = {
        "SPDXID": identifier,
        "name": layer.name,
        "versionInfo": layer.version,
        "supplier": _supplier(_maker(product)),
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "primaryPackagePurpose": _PURPOSES[statements.PURPOSES[layer.kind]],
        "copyrightText": _UNKNOWN,
        "comment": "; ".join(
            [f"kind={layer.kind}", f"architecture={layer.architecture}"]
            + [f"{blob.role}={blob.digest}" for blob in layer.blobs]
        ),
        "annotations": _annotation(statements.layer(document), document.created),
        **_whole(document.components),
    }
    if layer.origin:
        package["sourceInfo"] = layer.origin
    if sums:
        package["checksums"] = _checksums(sums)
        digest = layer.blobs[0].digest
        arch = [("arch", layer.architecture)]
        package["externalRefs"] = _purl(purl("oci", "", f"{product.name}-{layer.name}", digest, arch))
    return package


def _annotation(facts: Value, created: int) -> list[Value]:
    return [
        {
            "annotationDate": _time(created),
            "annotationType": "OTHER",
            "annotator": f"Tool: pycontainer-{orchestrator.__version__}",
            "comment": canonical_json(facts).decode(),
        }
    ]


def _package(component: Component, identifier: str, created: int) -> Value:
    licence = component.licence
    package: Value = {
        "SPDXID": identifier,
        "name": component.name,
        "versionInfo": component.version,
        "supplier": _supplier(component.supplier),
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "primaryPackagePurpose": _KINDS[component.kind],
        "licenseConcluded": component.concluded or _UNKNOWN,
        "licenseDeclared": licence.expression or _UNKNOWN,
        "licenseComments": _evidence(component),
        "copyrightText": "\n".join(licence.holders) or _UNKNOWN,
        "annotations": _annotation(statements.component(component), created),
    }
    if component.file_name:
        package["packageFileName"] = component.file_name
    if component.checksums:
        package["checksums"] = _checksums(component.checksums)
    if component.source_name:
        package["sourceInfo"] = (
            f"built from source package: {component.source_name} {component.source_version}".rstrip()
        )
    if uri(component.homepage):
        package["homepage"] = component.homepage
    if component.description:
        package["summary"] = component.description
    if component.purl:
        package["externalRefs"] = _purl(component.purl)
    return package


def _evidence(component: Component) -> str:
    licence = component.licence
    parts = []
    if licence.evidence:
        parts.append(f"Declared by tier {licence.tier}, from {licence.evidence} ({licence.evidence_digest}).")
    elif licence.expression:
        parts.append(f"Declared by tier {licence.tier}.")
    if component.conclusion is not None:
        parts.append(
            f"Concluded by {component.conclusion.author} on {component.conclusion.date}: {component.conclusion.reason}"
        )
    return " ".join([*parts, *statements.notes(component)]) or "Nothing is known of its licence."
