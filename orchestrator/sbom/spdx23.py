# SPDX-License-Identifier: MIT
"""SPDX 2.3 JSON of a document, byte for byte the same for the same document.

The writer fills the spec's JSON form directly (SPDX 2.3, clauses 6 to 11 and the JSON schema of its release); `check`
and, in the tests, spdx-tools read it back.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime
from typing import Any

import orchestrator
from orchestrator.canonical import canonical_json, hex_of
from orchestrator.errors import BuildError
from orchestrator.sbom import spdxlist
from orchestrator.sbom.model import Component, Contact, Document, LicenceFinding, Product
from orchestrator.sbom.resolver import SOURCE_TREE

_PURPOSE = {
    "bootloader": "FIRMWARE",
    "bsp": "OPERATING_SYSTEM",
    "host": "OPERATING_SYSTEM",
    "rootfs": "CONTAINER",
    "app": "CONTAINER",
}
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9.]+")
_UNKNOWN = "NOASSERTION"
LAYER_ID = "SPDXRef-layer"


def spdx23_bytes(document: Document) -> bytes:
    """Return the document as canonical SPDX 2.3 JSON with a final newline.

    Raises BuildError when one LicenseRef has two texts, which no document may say.
    """
    value = _document(document)
    value["documentNamespace"] = _namespace(canonical_json(value))
    return canonical_json(value) + b"\n"


def element_id(component: Component) -> str:
    """Return the SPDX id of a component: readable, and unique because its key is."""
    slug = _NOT_IN_ID.sub("-", component.name).strip("-")
    return f"SPDXRef-{slug}-{hashlib.sha256(component.key.encode()).hexdigest()[:16]}"


def _namespace(content: bytes) -> str:
    """A URN from the content (RFC 9562, version 8): absolute and unique without naming anybody's host."""
    number = int.from_bytes(hashlib.sha256(b"pycontainer SPDX 2.3 document\0" + content).digest()[:16], "big")
    number = number & ~(0xF << 76) | (0x8 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    return uuid.UUID(int=number).urn


def _document(document: Document) -> dict[str, Any]:
    ids = {component.key: element_id(component) for component in document.components}
    relationships = [_relation("SPDXRef-DOCUMENT", "DESCRIBES", LAYER_ID)]
    relationships += [_relation(LAYER_ID, "CONTAINS", ids[component.key]) for component in document.components]
    relationships += [_relation(ids[edge.dependent], "DEPENDS_ON", ids[edge.needed]) for edge in document.dependencies]
    layer, product = document.layer, document.product
    value: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{product.name} {product.version}: layer {layer.name}",
        "documentNamespace": "",
        "creationInfo": {
            "created": datetime.fromtimestamp(document.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": _creators(product),
            "licenseListVersion": spdxlist.VERSION,
        },
        "packages": [_layer(document), *(_package(component, ids[component.key]) for component in document.components)],
        "relationships": relationships,
    }
    if document.remarks:
        value["comment"] = " ".join(document.remarks)
    extracted = _extracted(document)
    if extracted:
        value["hasExtractedLicensingInfos"] = extracted
    return value


def _creators(product: Product) -> list[str]:
    creators = [f"Tool: pycontainer-{orchestrator.__version__}"]
    if product.organisation:
        creators.append("Organization: " + _named(product.organisation, product.contact))
    return creators


def _named(name: str, contact: str) -> str:
    return f"{name} ({contact})" if contact else name


def _supplier(contact: Contact | None) -> str:
    return f"{contact.kind}: {_named(contact.name, contact.email)}" if contact else _UNKNOWN


def _relation(element: str, kind: str, related: str) -> dict[str, str]:
    return {"spdxElementId": element, "relationshipType": kind, "relatedSpdxElement": related}


def _layer(document: Document) -> dict[str, Any]:
    layer, product = document.layer, document.product
    package: dict[str, Any] = {
        "SPDXID": LAYER_ID,
        "name": layer.name,
        "versionInfo": layer.version,
        "supplier": "Organization: " + _named(product.organisation, product.contact)
        if product.organisation
        else _UNKNOWN,
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "primaryPackagePurpose": _PURPOSE[layer.kind],
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": _UNKNOWN,
        "licenseComments": "An aggregate: each component states its own licence.",
        "copyrightText": _UNKNOWN,
        "comment": "; ".join(
            [f"kind={layer.kind}", f"architecture={layer.architecture}"]
            + [f"{blob.role}={blob.digest}" for blob in layer.blobs]
        ),
    }
    if layer.origin:
        package["sourceInfo"] = layer.origin
    digests = sorted({hex_of(blob.digest) for blob in layer.blobs})
    if digests:
        package["checksums"] = [{"algorithm": "SHA256", "checksumValue": digest} for digest in digests]
    return package


def _package(component: Component, identifier: str) -> dict[str, Any]:
    licence = component.licence
    package: dict[str, Any] = {
        "SPDXID": identifier,
        "name": component.name,
        "versionInfo": component.version,
        "supplier": _supplier(component.supplier),
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": licence.expression or _UNKNOWN,
        "licenseComments": _evidence(licence),
        "copyrightText": "\n".join(licence.holders) or _UNKNOWN,
    }
    if component.file_name:
        package["packageFileName"] = component.file_name
    if component.checksums:
        package["checksums"] = [
            {"algorithm": checksum.algorithm, "checksumValue": checksum.value} for checksum in component.checksums
        ]
    if component.source_name:
        package["sourceInfo"] = (
            f"built from source package: {component.source_name} {component.source_version}".rstrip()
        )
    if component.homepage:
        package["homepage"] = component.homepage
    if component.purl:
        # With a hyphen: the JSON schemas of 2.2 and 2.3 disagree about the underscore and both accept this.
        package["externalRefs"] = [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": component.purl}
        ]
    return package


def _evidence(licence: LicenceFinding) -> str:
    parts = []
    if licence.evidence:
        parts.append(f"Declared by tier {licence.tier}, from {licence.evidence} ({licence.evidence_digest}).")
        parts.append(SOURCE_TREE)
    elif licence.expression:
        parts.append(f"Declared by tier {licence.tier}.")
    return " ".join([*parts, *licence.notes])


def _extracted(document: Document) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for entry in document.extracted():
        known = found.setdefault(entry.id, {"licenseId": entry.id, "name": entry.name, "extractedText": entry.text})
        if known["extractedText"] != entry.text:
            raise BuildError(f"layer {document.layer.name}: {entry.id} has two texts", "an id must name one text")
    return [found[key] for key in sorted(found)]
