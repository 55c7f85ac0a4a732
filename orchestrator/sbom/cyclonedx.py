# SPDX-License-Identifier: MIT
"""CycloneDX 1.6 JSON of a layer and of a whole image (ECMA-424), byte for byte the same for the same facts.

Layers hold their components, as in the image; what the format has no field for stands in properties `pycontainer:...`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

import orchestrator
from orchestrator.sbom import statements
from orchestrator.sbom.ids import named, urn
from orchestrator.sbom.model import Aggregate, Checksum, Component, ComponentKind, Contact, Document, Product
from orchestrator.sbom.packages import purl
from orchestrator.sbom.spdx3graph import uri

_TYPES: dict[ComponentKind, str] = {
    "package": "library",
    "application": "application",
    "library": "library",
    "kernel": "operating-system",
    "kernel-module": "device-driver",
    "firmware": "firmware",
    "bootloader": "firmware",
    "file": "file",
}
_LAYERS = {
    "bootloader": "firmware",
    "bsp": "operating-system",
    "host": "operating-system",
    "rootfs": "container",
    "app": "container",
}
_ALGORITHMS = {"SHA256": "SHA-256", "SHA512": "SHA-512"}
_AGGREGATES = {"complete": "complete", "incomplete": "incomplete", "unknown": "unknown"}

Value = dict[str, Any]


def cyclonedx_bytes(document: Document) -> bytes:
    """Return a layer's bill of materials."""
    layer = _layer(document)
    parts = layer.pop("components", [])
    body: Value = {
        "components": parts,
        "dependencies": [_depends(layer["bom-ref"], (part["bom-ref"] for part in parts)), *_dependencies(document)],
        "compositions": _compositions([document]),
    }
    return _bill(document.product, document.created, layer, body)


def cyclonedx_aggregate_bytes(aggregate: Aggregate) -> bytes:
    """Return the bill of materials of a flashable image; its layers hold their components."""
    image, product = aggregate.image, aggregate.product
    layers = [_layer(document) for document in aggregate.documents]
    root: Value = {
        "type": "firmware",
        "bom-ref": "image",
        "name": product.name,
        "version": product.version,
        "purl": purl("generic", "", product.name, product.version, [("machine", aggregate.machine)]),
        "hashes": _hashes((Checksum("SHA256", image.sha256), Checksum("SHA512", image.sha512))),
        "properties": _properties(
            {
                "fileName": image.name,
                "size": image.size,
                "machine": aggregate.machine,
                "revision": aggregate.revision,
                "base": aggregate.base,
                "remarks": list(aggregate.remarks),
            }
        ),
        **_supplier(_maker(product)),
    }
    depends = [_depends("image", (layer["bom-ref"] for layer in layers))]
    for layer, document in zip(layers, aggregate.documents, strict=True):
        depends.append(_depends(layer["bom-ref"], (part["bom-ref"] for part in layer.get("components", []))))
        depends += _dependencies(document)
    whole = [{"aggregate": "complete", "assemblies": ["image"]}, *_compositions(aggregate.documents)]
    return _bill(
        product, aggregate.created, root, {"components": layers, "dependencies": depends, "compositions": whole}
    )


def _bill(product: Product, created: int, root: Value, body: Value) -> bytes:
    maker = _maker(product)
    metadata: Value = {
        "timestamp": datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lifecycles": [{"phase": "build"}],
        "tools": {"components": [{"type": "application", "name": "pycontainer", "version": orchestrator.__version__}]},
        "component": root,
        "licenses": [{"license": {"id": "CC0-1.0"}}],
    }
    if maker:
        metadata["manufacturer"] = metadata["supplier"] = _entity(maker)
    value: Value = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": metadata,
        **{key: part for key, part in body.items() if part},
    }
    value["serialNumber"] = urn("pycontainer CycloneDX 1.6", msgspec.json.encode(value, order="sorted"))
    return msgspec.json.encode(value, order="sorted") + b"\n"


def _layer(document: Document) -> Value:
    layer = document.layer
    digest = layer.blobs[0].digest if layer.blobs else ""
    name = f"{document.product.name}-{layer.name}"
    sums = {Checksum("SHA256", blob.digest.removeprefix("sha256:")) for blob in layer.blobs}
    sums |= {Checksum("SHA512", blob.sha512) for blob in layer.blobs if blob.sha512}
    value: Value = {
        "type": _LAYERS[layer.kind],
        "bom-ref": f"layer-{layer.name}",
        "name": layer.name,
        "version": layer.version,
        "purl": purl("oci", "", name, digest, [("arch", layer.architecture)]),
        "hashes": _hashes(sums),
        "properties": _properties(statements.layer(document)),
        **_supplier(_maker(document.product)),
    }
    children: dict[str, list[Component]] = {}
    known = {each.key for each in document.components}
    for each in document.components:
        children.setdefault(each.parent if each.parent in known else "", []).append(each)

    def put(each: Component) -> Value:
        part = _component(layer.name, each)
        if inner := [put(child) for child in children.get(each.key, ())]:
            part["components"] = inner
        return part

    if parts := [put(each) for each in children.get("", ())]:
        value["components"] = parts
    return value


def _ref(layer: str, each: Component) -> str:
    return f"{layer}/{named('component', each.name, each.key)}"


def _component(layer: str, each: Component) -> Value:
    value: Value = {
        "type": _TYPES[each.kind],
        "bom-ref": _ref(layer, each),
        "name": each.name,
        "version": each.version,
        "properties": _properties(statements.component(each)),
    }
    if each.description:
        value["description"] = each.description
    if each.purl:
        value["purl"] = each.purl
    if each.checksums:
        value["hashes"] = _hashes(each.checksums)
    value |= _supplier(each.supplier)
    if each.concluded:
        value["licenses"] = [
            {
                "expression": each.concluded,
                "acknowledgement": "concluded" if each.conclusion else "declared",
            }
        ]
    if each.licence.holders:
        value["copyright"] = "\n".join(each.licence.holders)
    if each.licence.extracted:
        texts = {entry.id: entry.text for entry in each.licence.extracted}
        value["evidence"] = {
            "licenses": [{"license": {"name": name, "text": {"content": text}}} for name, text in sorted(texts.items())]
        }
    if each.source is not None:
        source: Value = {"type": "library", "name": each.source.name, "version": each.source.version}
        if each.source.uri.startswith("pkg:"):
            source["purl"] = each.source.uri
        if each.source.checksums:
            source["hashes"] = _hashes(each.source.checksums)
        value["pedigree"] = {"ancestors": [source]}
    if uri(each.homepage):
        value["externalReferences"] = [{"type": "website", "url": each.homepage}]
    return value


def _properties(facts: Value) -> list[Value]:
    return [
        {
            "name": f"pycontainer:{key}",
            "value": value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode(),
        }
        for key, value in sorted(facts.items())
        if value not in ("", [], None)
    ]


def _hashes(checksums: Iterable[Checksum]) -> list[Value]:
    listed = sorted(checksums, key=lambda each: (each.algorithm, each.value))
    return [{"alg": _ALGORITHMS[each.algorithm], "content": each.value} for each in listed]


def _maker(product: Product) -> Contact | None:
    return Contact("Organization", product.organisation, product.contact) if product.organisation else None


def _supplier(contact: Contact | None) -> Value:
    return {"supplier": _entity(contact)} if contact else {}


def _entity(contact: Contact) -> Value:
    value: Value = {"name": contact.name}
    if "://" in contact.email:
        value["url"] = [contact.email]
    elif "@" in contact.email:
        value["contact"] = [{"email": contact.email}]
    return value


def _depends(ref: str, needed: Iterable[str]) -> Value:
    listed = sorted(set(needed) - {ref})
    return {"ref": ref, "dependsOn": listed} if listed else {"ref": ref}


def _dependencies(document: Document) -> list[Value]:
    refs = {each.key: _ref(document.layer.name, each) for each in document.components}
    needs: dict[str, list[str]] = {each.key: [] for each in document.components}
    for edge in document.dependencies:
        needs[edge.dependent].append(refs[edge.needed])
    return [_depends(refs[key], needs[key]) for key in needs]


def _compositions(documents: Iterable[Document]) -> list[Value]:
    found: list[Value] = []
    for document in documents:
        name = document.layer.name
        found.append({"aggregate": _AGGREGATES[document.layer.completeness], "assemblies": [f"layer-{name}"]})
        groups: dict[str, list[str]] = {}
        for each in document.components:
            groups.setdefault(_AGGREGATES[each.dependencies], []).append(_ref(name, each))
        found += [{"aggregate": key, "dependencies": groups[key]} for key in sorted(groups)]
    return found
