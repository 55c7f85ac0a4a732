# SPDX-License-Identifier: MIT
"""A good SPDX 3.0.1 document of one layer, and one of a whole image, made by hand from the specification."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from orchestrator.compliance.bill import Bill
from orchestrator.compliance.read import read_bill

Graph = dict[str, Any]
Item = dict[str, Any]

BASE = "urn:uuid:00000000-0000-8000-8000-000000000001#"
EPOCH = 1_700_000_000
CREATED = "2023-11-14T22:13:20Z"
TEXT = "You may redistribute this firmware unchanged."
REF = "LicenseRef-vendor-" + hashlib.sha256(TEXT.encode()).hexdigest()[:16]
INFO = "_:creation"


def element(kind: str, key: str, /, **more: Any) -> Item:
    return {"type": kind, "spdxId": BASE + key, "creationInfo": INFO, **more}


def relation(kind: str, source: str, *targets: str, **more: Any) -> Item:
    identifier = hashlib.sha256(f"{kind} {source} {targets}".encode()).hexdigest()[:12]
    return element(
        "Relationship",
        f"relation-{identifier}",
        relationshipType=kind,
        **{"from": BASE + source},
        to=[BASE + target for target in targets],
        **more,
    )


def hashes(seed: str) -> list[Item]:
    return [
        {"type": "Hash", "algorithm": "sha256", "hashValue": hashlib.sha256(seed.encode()).hexdigest()},
        {"type": "Hash", "algorithm": "sha512", "hashValue": hashlib.sha512(seed.encode()).hexdigest()},
    ]


def expression(name: str, text: str, **references: str) -> Item:
    custom = [
        {"type": "DictionaryEntry", "key": key.replace("_", "-"), "value": BASE + value}
        for key, value in references.items()
    ]
    more = {"simplelicensing_customIdToUri": custom} if custom else {}
    return element(
        "simplelicensing_LicenseExpression",
        name,
        simplelicensing_licenseExpression=text,
        simplelicensing_licenseListVersion="3.27.0",
        **more,
    )


def facts(subject: str, /, **values: Any) -> Item:
    return element(
        "Annotation",
        f"facts-{subject}",
        annotationType="other",
        subject=BASE + subject,
        contentType="application/json",
        statement=json.dumps(values, sort_keys=True),
    )


def component(name: str, layer: str, licence: str, **more: Any) -> list[Item]:
    """A component with its source, dependencies, licences and facts, held by a layer."""
    key = f"{layer}-{name}"
    package = element(
        "software_Package",
        key,
        name=name,
        software_packageVersion="1.2-3",
        software_packageUrl=f"pkg:deb/debian/{name}@1.2-3?arch=amd64&distro=debian-13",
        software_primaryPurpose="library",
        software_additionalPurpose=["archive"],
        suppliedBy=BASE + "team",
        software_copyrightText="2020 Ada Example",
        software_homePage="https://example.org/",
    )
    package |= more
    source = element(
        "software_Package",
        f"{key}-source",
        name=f"{name}-src",
        software_packageVersion="1.2-3",
        software_primaryPurpose="source",
        software_downloadLocation=f"https://example.org/{name}_1.2.orig.tar.xz",
        verifiedUsing=hashes(f"{name} source"),
    )
    deb = element("software_File", f"{key}-deb", name=f"{name}_1.2-3_amd64.deb", verifiedUsing=hashes(name))
    return [
        package,
        source,
        deb,
        relation("generates", f"{key}-source", key),
        relation("hasDistributionArtifact", key, f"{key}-deb"),
        relation("hasDeclaredLicense", key, licence),
        relation("hasConcludedLicense", key, licence),
        facts(
            key,
            evidence=f"usr/share/doc/{name}/copyright",
            evidence_digest="sha256:" + "1" * 64,
            tier="dep5",
            confidence="high",
            linking="dynamic",
            dependencies="complete",
            executable=True,
            archive=True,
            structured=True,
            source={"name": f"{name}-src", "version": "1.2-3"},
        ),
    ]


def layer(name: str, kind: str) -> list[Item]:
    return [
        element(
            "software_Package",
            name,
            name=name,
            software_packageVersion="1.0",
            software_primaryPurpose="container",
            software_sourceInfo=f"recipe {name}",
            suppliedBy=BASE + "maker",
            verifiedUsing=hashes(f"layer {name}"),
        ),
        facts(
            name,
            kind=kind,
            partition="storage",
            mount="/",
            census={"files": 100, "owned": 98, "explained": 2, "unowned": 0},
            removed={"files": 3, "reason": "documentation"},
        ),
    ]


def agent(kind: str, name: str, title: str, contact: str) -> Item:
    contact_entry = {"type": "ExternalIdentifier", "externalIdentifierType": "email", "identifier": contact}
    return element(kind, name, name=title, externalIdentifier=[contact_entry])


def frame(root: str, title: str) -> list[Item]:
    return [
        {
            "type": "CreationInfo",
            "@id": INFO,
            "specVersion": "3.0.1",
            "created": CREATED,
            "createdBy": [BASE + "maker"],
            "createdUsing": [BASE + "tool"],
        },
        element(
            "SpdxDocument",
            "document",
            spdxId=BASE.rstrip("#"),
            name=title,
            dataLicense=BASE + "cc0",
            rootElement=[BASE + "sbom"],
            profileConformance=["core", "software", "simpleLicensing"],
        ),
        element("software_Sbom", "sbom", software_sbomType=["build"], rootElement=[BASE + root]),
        agent("Organization", "maker", "Example Ltd", "sbom@example.com"),
        agent("Organization", "team", "Example Team", "team@example.com"),
        element("Tool", "tool", name="pycontainer-0.1.0"),
        expression("cc0", "CC0-1.0"),
        expression("mit", "MIT"),
        expression("gpl", "GPL-2.0-or-later"),
        expression("vendor", REF, **{REF.replace("-", "_"): "vendor-text"}),
        element("simplelicensing_SimpleLicensingText", "vendor-text", name=REF, simplelicensing_licenseText=TEXT),
    ]


def layer_graph() -> Graph:
    """A document of the layer `web` with `tool` (GPL), `libodd` (MIT) and `blob` (a vendor's)."""
    items = [
        *frame("web", "demo 1.0: layer web"),
        *layer("web", "app"),
        *component("tool", "web", "gpl"),
        *component("libodd", "web", "mit"),
        *component("blob", "web", "vendor"),
        relation("contains", "web", "web-tool", "web-libodd", "web-blob", completeness="complete"),
        relation("dependsOn", "web-tool", "web-libodd", completeness="complete"),
    ]
    return {"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": items}


def image_graph() -> Graph:
    """A document of an image with the layers `web` and `rootfs`; `libodd` is in both."""
    items = [
        *frame("image", "demo 1.0: image"),
        element(
            "software_Package",
            "image",
            name="demo.img",
            software_packageVersion="1.0",
            software_primaryPurpose="diskImage",
            suppliedBy=BASE + "maker",
            verifiedUsing=hashes("image"),
        ),
        *layer("web", "app"),
        *layer("rootfs", "rootfs"),
        *component("tool", "web", "gpl"),
        *component("libodd", "web", "mit"),
        *component("blob", "web", "vendor"),
        *component("libodd", "rootfs", "mit"),
        *component("init", "rootfs", "gpl"),
        relation("contains", "image", "web", "rootfs", completeness="complete"),
        relation("contains", "web", "web-tool", "web-libodd", "web-blob", completeness="complete"),
        relation("contains", "rootfs", "rootfs-libodd", "rootfs-init", completeness="complete"),
        relation("dependsOn", "web-tool", "web-libodd", completeness="complete"),
    ]
    return {"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": items}


def rootfs_graph() -> Graph:
    """The document of the layer `rootfs` alone."""
    items = [
        *frame("rootfs", "demo 1.0: layer rootfs"),
        *layer("rootfs", "rootfs"),
        *component("libodd", "rootfs", "mit"),
        *component("init", "rootfs", "gpl"),
        relation("contains", "rootfs", "rootfs-libodd", "rootfs-init", completeness="complete"),
    ]
    return {"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": items}


def encoded(graph: Graph) -> bytes:
    return json.dumps(graph).encode()


def bill_of(graph: Graph) -> Bill:
    return read_bill(encoded(graph))


def named(graph: Graph, name: str) -> Item:
    """The element of that id."""
    identifier = BASE.rstrip("#") if name == "document" else BASE + name
    return next(item for item in graph["@graph"] if item.get("spdxId") == identifier)


def related(graph: Graph, kind: str, source: str) -> Item:
    """The relationship of that kind from an element."""
    return next(
        item for item in graph["@graph"] if item.get("relationshipType") == kind and item.get("from") == BASE + source
    )


def note(graph: Graph, subject: str, **changes: Any) -> None:
    """Change the facts of an element; None takes one away."""
    item = named(graph, f"facts-{subject}")
    values = {**json.loads(item["statement"]), **changes}
    item["statement"] = json.dumps({key: value for key, value in values.items() if value is not None})
