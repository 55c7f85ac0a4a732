# SPDX-License-Identifier: MIT
"""SPDX 3.0.1 JSON-LD of a layer and of a whole image, byte for byte the same for the same facts."""

from __future__ import annotations

import msgspec

import orchestrator
from orchestrator.sbom import statements
from orchestrator.sbom.conjunction import together
from orchestrator.sbom.ids import named, short, urn
from orchestrator.sbom.model import (
    Aggregate,
    Blob,
    Checksum,
    Component,
    ComponentKind,
    Document,
    ExtractedLicence,
    Traits,
)
from orchestrator.sbom.packages import purl
from orchestrator.sbom.spdx3graph import NO_LICENCE_KNOWN, NONE, Element, Graph, hashes, purposes, uri

_LONGEST = 90_000
_PURPOSE: dict[ComponentKind, str] = {
    "package": "install",
    "application": "application",
    "library": "library",
    "kernel": "operatingSystem",
    "kernel-module": "module",
    "firmware": "firmware",
    "bootloader": "firmware",
    "file": "executable",
}


def spdx3_bytes(document: Document) -> bytes:
    """Return a layer's document; raises BuildError when one LicenseRef has two texts, which no document may say."""
    graph = Graph(document.product, document.created)
    namespace, layer = _layer(graph, document)
    product = document.product
    return graph.document(
        urn("pycontainer SPDX 3.0.1 layer document", namespace.encode()),
        f"{product.name} {product.version}: layer {document.layer.name}",
        f"SBOM of layer {document.layer.name}",
        layer,
    )


def spdx3_aggregate_bytes(aggregate: Aggregate) -> bytes:
    """Return the document of a flashable image: its layers' elements as they are in their own documents, and itself."""
    graph = Graph(aggregate.product, aggregate.created)
    layers = [_layer(graph, document) for document in aggregate.documents]
    image, product = aggregate.image, aggregate.product
    own = urn("pycontainer SPDX 3.0.1 image", msgspec.json.encode([image, [namespace for namespace, _ in layers]]))
    sums = (Checksum("SHA256", image.sha256), Checksum("SHA512", image.sha512))
    root = graph.add(
        "software_Package",
        f"{own}#image",
        name=product.name,
        software_packageVersion=product.version,
        **_named(purl("generic", "", product.name, product.version, [("machine", aggregate.machine)])),
        software_primaryPurpose="diskImage",
        verifiedUsing=hashes(sums),
        description=f"The flashable image of {product.name} {product.version} for {aggregate.machine}.",
        **_supplied(graph, None),
    )
    graph.annotation(
        own,
        root,
        {
            "machine": aggregate.machine,
            "revision": aggregate.revision,
            "size": image.size,
            "remarks": list(aggregate.remarks),
        },
    )
    _distributed(graph, own, root, image.name, sums, Traits(True, True, True), image.name)
    graph.relation(own, "contains", root, [layer for _, layer in layers], "complete")
    if aggregate.base:
        base = graph.add(
            "software_Package",
            f"{own}#{named('base', aggregate.base, aggregate.base_uri)}",
            name=aggregate.base,
            software_packageUrl=aggregate.base_uri if aggregate.base_uri.startswith("pkg:") else None,
            software_primaryPurpose="platform",
        )
        graph.relation(own, "descendantOf", root, [base])
    _concluded_whole(graph, own, root, [each for document in aggregate.documents for each in document.components])
    return graph.document(
        urn("pycontainer SPDX 3.0.1 image document", own.encode()),
        f"{product.name} {product.version}: {image.name}",
        f"SBOM of {image.name}",
        root,
    )


def _layer(graph: Graph, document: Document) -> tuple[str, str]:
    """Put a layer with all that it holds; returns its namespace and its id."""
    content = msgspec.json.encode([orchestrator.__version__, document])
    namespace = urn("pycontainer SPDX 3.0.1 layer", content)
    layer, product = document.layer, document.product
    digest = layer.blobs[0].digest if layer.blobs else ""
    sums = [sum_ for blob in layer.blobs for sum_ in _sums(blob)]
    identifier = graph.add(
        "software_Package",
        f"{namespace}#layer-{layer.name}",
        name=layer.name,
        software_packageVersion=layer.version,
        **_named(purl("oci", "", f"{product.name}-{layer.name}", digest, [("arch", layer.architecture)])),
        software_primaryPurpose=statements.PURPOSES[layer.kind],
        software_sourceInfo=layer.origin,
        verifiedUsing=hashes(sums),
        comment=" ".join(document.remarks),
        **_supplied(graph, None),
    )
    graph.annotation(namespace, identifier, statements.layer(document))
    files = [_blob(graph, namespace, layer.name, blob) for blob in layer.blobs]
    graph.relation(namespace, "hasDistributionArtifact", identifier, files)
    ids = {each.key: _component(graph, namespace, each) for each in document.components}
    inside: dict[str, list[str]] = {}
    for each in document.components:
        inside.setdefault(ids.get(each.parent, identifier), []).append(ids[each.key])
    unowned = _unowned(graph, namespace, document)
    inside.setdefault(identifier, []).extend(unowned)
    for holder, parts in inside.items():
        graph.relation(namespace, "contains", holder, parts, layer.completeness if holder == identifier else "unknown")
    _dependencies(graph, namespace, document, ids)
    sources: dict[str, list[str]] = {}
    for each in document.components:
        if each.source is not None:
            sources.setdefault(graph.source(each.source), []).append(ids[each.key])
    for source, built in sources.items():
        graph.relation(namespace, "generates", source, built)
    if layer.base_image:
        base = graph.add(
            "software_Package",
            f"{namespace}#base-image",
            name=layer.base_image,
            software_packageUrl=layer.base_image,
            software_primaryPurpose="container",
        )
        graph.relation(namespace, "descendantOf", identifier, [base])
    _concluded_whole(graph, namespace, identifier, list(document.components))
    return namespace, identifier


def _supplied(graph: Graph, agent: str | None) -> dict[str, object]:
    who = agent or (graph.maker if graph.supplied else None)
    return {"suppliedBy": who, "originatedBy": [who] if who else None}


def _named(url: str) -> dict[str, object]:
    """Return a package URL in both places where tools look for it."""
    if not url:
        return {}
    known = {"type": "ExternalIdentifier", "externalIdentifierType": "packageUrl", "identifier": url}
    return {"software_packageUrl": url, "externalIdentifier": [known]}


def _sums(blob: Blob) -> list[Checksum]:
    sums = [Checksum("SHA256", blob.digest.removeprefix("sha256:"))]
    return [*sums, Checksum("SHA512", blob.sha512)] if blob.sha512 else sums


def _blob(graph: Graph, namespace: str, layer: str, blob: Blob) -> str:
    where = "; ".join(
        f"{key}={value}"
        for key, value in (("partition", blob.partition), ("path", blob.path), ("mount", blob.mount))
        if value
    )
    return graph.add(
        "software_File",
        f"{namespace}#blob-{blob.role}",
        name=f"{layer}.{blob.role}",
        comment=where,
        software_primaryPurpose="archive"
        if blob.mount
        else "executable"
        if blob.role != "run-config"
        else "configuration",
        software_additionalPurpose=["container"],
        verifiedUsing=hashes(_sums(blob)),
    )


def _component(graph: Graph, namespace: str, each: Component) -> str:
    supplier = graph.agent(each.supplier) if each.supplier else None
    identifier = graph.add(
        "software_Package",
        f"{namespace}#{named('component', each.name, each.key)}",
        name=each.name,
        software_packageVersion=each.version,
        software_homePage=uri(each.homepage),
        software_copyrightText="\n".join(each.licence.holders),
        software_primaryPurpose=_PURPOSE[each.kind],
        software_sourceInfo=f"built from source package: {each.source_name} {each.source_version}".rstrip()
        if each.source_name
        else None,
        description=each.description,
        **_named(each.purl),
        suppliedBy=supplier,
        originatedBy=[supplier] if supplier else None,
    )
    graph.annotation(namespace, identifier, statements.component(each))
    if each.file_name:
        place = each.place or each.file_name
        _distributed(graph, namespace, identifier, each.file_name, each.checksums, each.traits, place)
    known = (*each.licence.extracted, *(each.conclusion.extracted if each.conclusion else ()))
    for kind, expression in (("hasDeclaredLicense", each.licence.expression), ("hasConcludedLicense", each.concluded)):
        graph.relation(
            namespace, kind, identifier, [graph.expression(expression, known) if expression else NO_LICENCE_KNOWN]
        )
    return identifier


def _distributed(
    graph: Graph,
    namespace: str,
    owner: str,
    name: str,
    checksums: tuple[Checksum, ...],
    traits: Traits,
    place: str,
) -> None:
    """Put the file that something is distributed as; components of one program share it."""
    key = f"{place}\0" + "\0".join(each.value for each in checksums) + f"\0{purposes(traits)}"
    found: Element = {
        "name": name,
        "comment": f"path={place}" if place != name else None,
        "software_primaryPurpose": "archive" if traits.archive else "executable" if traits.executable else "file",
        "software_additionalPurpose": purposes(traits),
        "verifiedUsing": hashes(checksums),
    }
    file = graph.add("software_File", f"{namespace}#{named('file', name, key)}", **found)
    graph.relation(namespace, "hasDistributionArtifact", owner, [file])


def _dependencies(graph: Graph, namespace: str, document: Document, ids: dict[str, str]) -> None:
    needs: dict[str, list[str]] = {}
    linked: dict[str, list[str]] = {}
    for edge in document.dependencies:
        (linked if edge.static else needs).setdefault(edge.dependent, []).append(ids[edge.needed])
    for each in document.components:
        found = needs.get(each.key, [])
        nothing = [NONE] if each.dependencies == "complete" and each.key not in linked else []
        graph.relation(namespace, "dependsOn", ids[each.key], found or nothing, each.dependencies)
        graph.relation(namespace, "hasStaticLink", ids[each.key], linked.get(each.key, []), each.dependencies)


def _unowned(graph: Graph, namespace: str, document: Document) -> list[str]:
    if document.census is None:
        return []
    return [
        graph.add(
            "software_File",
            f"{namespace}#unowned-{short(each.path)}",
            name=each.path,
            comment="No component of the layer accounts for this file.",
            software_primaryPurpose="executable" if each.executable else "file",
            verifiedUsing=hashes([Checksum("SHA256", each.sha256)]),
        )
        for each in document.census.unowned
    ]


def _concluded_whole(graph: Graph, namespace: str, whole: str, parts: list[Component]) -> None:
    """Put the licence of a layer or image: that of all of its components together."""
    known: dict[str, ExtractedLicence] = {}
    for each in parts:
        known |= {entry.id: entry for entry in each.licence.extracted}
        known |= {entry.id: entry for entry in (each.conclusion.extracted if each.conclusion else ())}
    text = together(each.concluded for each in parts)
    complete = all(each.concluded for each in parts)
    target = graph.expression(text, tuple(known.values())) if 0 < len(text) <= _LONGEST else NO_LICENCE_KNOWN
    for kind in ("hasDeclaredLicense", "hasConcludedLicense"):
        graph.relation(namespace, kind, whole, [target], "complete" if complete else "incomplete")
