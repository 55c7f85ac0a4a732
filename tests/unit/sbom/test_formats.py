# SPDX-License-Identifier: MIT
"""The three formats of a layer and of an image, read back by others' libraries."""

import dataclasses
import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from ntia_conformance_checker import BSIChecker, NTIAChecker
from spdx_python_model.bindings import v3_0_1 as spdx3
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from orchestrator.sbom import (
    Aggregate,
    Blob,
    Document,
    ImageFile,
    check_spdx23,
    cyclonedx_aggregate_bytes,
    cyclonedx_bytes,
    layer_document,
    spdx3_aggregate_bytes,
    spdx3_bytes,
    spdx23_aggregate_bytes,
    spdx23_bytes,
)

from .sample import BLOB, EPOCH, PRODUCT, deployed, root_file_system

IMAGE = ImageFile("demo.img", 7, "ab" * 32, "cd" * 64)


@pytest.fixture
def documents(tmp_path: Path) -> tuple[Document, ...]:
    return tuple(layer_document(each(tmp_path), PRODUCT, EPOCH) for each in (deployed, root_file_system))


@pytest.fixture
def aggregate(documents: tuple[Document, ...]) -> Aggregate:
    return Aggregate(
        image=IMAGE,
        product=PRODUCT,
        machine="qemu",
        created=EPOCH,
        documents=documents,
        base="debian 13",
        base_uri="pkg:generic/debian@13",
        revision="sha256:" + "9" * 64,
    )


def graph_of(data: bytes) -> dict[str, dict]:
    return {item.get("spdxId") or item["@id"]: item for item in json.loads(data)["@graph"]}


def of_type(graph: dict[str, dict], kind: str) -> list[dict]:
    return [item for item in graph.values() if item["type"] == kind]


def targets(graph: dict[str, dict], kind: str, source: str) -> list[str]:
    return [
        target
        for item in of_type(graph, "Relationship")
        if item["relationshipType"] == kind and item["from"] == source
        for target in item["to"]
    ]


def test_spdx_3_is_read_back_whole_by_the_official_bindings(documents, aggregate):
    for data in (*map(spdx3_bytes, documents), spdx3_aggregate_bytes(aggregate)):
        found = spdx3.SHACLObjectSet()
        spdx3.JSONLDDeserializer().deserialize_data(json.loads(data), found)
        missing = found.link()
        assert {name for name in missing if not name.startswith("https://spdx.org/rdf/3.0.1/terms/")} == set()


def test_spdx_3_names_maker_tool_time_type_and_licence_of_the_data(documents):
    graph = graph_of(spdx3_bytes(documents[0]))
    info = graph["_:creationInfo"]
    assert info["created"] == "2023-11-14T22:13:20Z"
    maker = graph[info["createdBy"][0]]
    assert (maker["type"], maker["name"]) == ("Organization", "Example Ltd")
    assert maker["externalIdentifier"][0]["identifier"] == "sbom@example.com"
    assert graph[info["createdUsing"][0]]["name"].startswith("pycontainer-")
    (document,) = of_type(graph, "SpdxDocument")
    assert graph[document["dataLicense"]]["simplelicensing_licenseExpression"] == "CC0-1.0"
    (sbom,) = of_type(graph, "software_Sbom")
    assert sbom["software_sbomType"] == ["build"]
    assert document["rootElement"] == [sbom["spdxId"]]
    assert set(document["element"]) == set(graph) - {"_:creationInfo", document["spdxId"]}


def test_spdx_3_gives_a_component_its_file_licences_source_and_facts(documents):
    graph = graph_of(spdx3_bytes(documents[0]))
    perl = next(item for item in of_type(graph, "software_Package") if item["name"] == "libperl")
    (file,) = targets(graph, "hasDistributionArtifact", perl["spdxId"])
    assert graph[file]["name"] == "libperl_1.0-1_amd64.deb"
    assert [each["algorithm"] for each in graph[file]["verifiedUsing"]] == ["sha256", "sha512"]
    assert {"archive", "container"} <= set(graph[file]["software_additionalPurpose"])
    (declared,) = targets(graph, "hasDeclaredLicense", perl["spdxId"])
    assert graph[declared]["simplelicensing_licenseExpression"].startswith("(GPL-1.0-or-later OR")
    assert targets(graph, "hasConcludedLicense", perl["spdxId"]) == [declared]
    (source,) = [
        item
        for item in of_type(graph, "Relationship")
        if item["relationshipType"] == "generates" and perl["spdxId"] in item["to"]
    ]
    assert graph[source["from"]]["name"] == "libperl-src"
    note = next(item for item in of_type(graph, "Annotation") if item["subject"] == perl["spdxId"])
    facts = json.loads(note["statement"])
    assert facts["evidence"] == "usr/share/doc/libperl/copyright"
    assert facts["evidenceDigest"].startswith("sha256:")
    assert facts["tier"] == "dep5"


def test_spdx_3_gives_every_licenseref_its_text(documents):
    graph = graph_of(spdx3_bytes(documents[0]))
    for item in of_type(graph, "simplelicensing_LicenseExpression"):
        words = item["simplelicensing_licenseExpression"].replace("(", " ").replace(")", " ").split()
        references = {word for word in words if word.startswith("LicenseRef-")}
        texts = {each["key"]: graph[each["value"]] for each in item.get("simplelicensing_customIdToUri", [])}
        assert set(texts) == references
        assert all(text["simplelicensing_licenseText"].strip() for text in texts.values())


def test_an_unknown_licence_is_said_to_be_unknown(documents):
    graph = graph_of(spdx3_bytes(documents[1]))
    packages = [item for item in of_type(graph, "software_Package") if item["software_primaryPurpose"] == "install"]
    unknown = next(item for item in packages if item["name"] == "libgnutls30")
    (target,) = targets(graph, "hasDeclaredLicense", unknown["spdxId"])
    assert target == "https://spdx.org/rdf/3.0.1/terms/ExpandedLicensing/NoAssertionLicense"


def test_the_image_s_document_is_the_union_of_its_layers_documents_and_itself(documents, aggregate):
    whole = graph_of(spdx3_aggregate_bytes(aggregate))
    layers = [graph_of(spdx3_bytes(each)) for each in documents]
    collections = ("SpdxDocument", "software_Sbom")
    union = {key: item for graph in layers for key, item in graph.items() if item["type"] not in collections}
    assert {key: whole[key] for key in union} == union
    own = {key for key, item in whole.items() if item["type"] not in collections} - set(union)
    (sbom,) = of_type(whole, "software_Sbom")
    (root,) = sbom["rootElement"]
    namespace = root.partition("#")[0]
    expressions = {key for key in own if whole[key]["type"].startswith("simplelicensing_")}
    assert all(key.startswith(namespace + "#") for key in own - expressions)
    assert {each["hashValue"] for each in whole[root]["verifiedUsing"]} == {IMAGE.sha256, IMAGE.sha512}
    assert sorted(whole[key]["name"] for key in targets(whole, "contains", root)) == ["rootfs", "web"]
    (base,) = targets(whole, "descendantOf", root)
    assert whole[base]["name"] == "debian 13"


def test_the_image_satisfies_ntia_and_bsi(tmp_path, documents, aggregate):
    packed = tuple(each for each in documents[0].components if each.file_name)
    layer = dataclasses.replace(documents[0].layer, blobs=(Blob("rootfs", BLOB, "cd" * 64),))
    known = Aggregate(
        IMAGE, PRODUCT, "qemu", EPOCH, (dataclasses.replace(documents[0], components=packed, layer=layer),)
    )
    path = tmp_path / "image.spdx3.json"
    for checker in (NTIAChecker, BSIChecker):
        compliance = "ntia" if checker is NTIAChecker else "bsi"
        path.write_bytes(spdx3_aggregate_bytes(known))
        assert checker(str(path), validate=False, compliance=compliance, sbom_spec="spdx3").compliant, compliance
    path.write_bytes(spdx3_aggregate_bytes(aggregate))  # what was read from a database has no package files
    assert not BSIChecker(str(path), validate=False, sbom_spec="spdx3").compliant


def test_cyclonedx_satisfies_its_schema_strictly(documents, aggregate):
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    for data in (*map(cyclonedx_bytes, documents), cyclonedx_aggregate_bytes(aggregate)):
        assert validator.validate_str(data.decode()) is None
    value = json.loads(cyclonedx_aggregate_bytes(aggregate))
    assert [each["name"] for each in value["components"]] == ["web", "rootfs"]
    perl = next(each for each in value["components"][0]["components"] if each["name"] == "libperl")
    assert perl["licenses"][0]["acknowledgement"] == "declared"
    assert {"name": "pycontainer:tier", "value": "dep5"} in perl["properties"]


def test_spdx_2_3_of_the_image_is_valid_and_holds_its_layers(tmp_path, documents, aggregate):
    data = spdx23_aggregate_bytes(aggregate)
    path = tmp_path / "image.spdx.json"
    path.write_bytes(data)
    assert [message.validation_message for message in validate_full_spdx_document(parse_file(str(path)))] == []
    assert [found for found in check_spdx23(data) if found.severity == "error"] == []
    ids = {package["SPDXID"] for package in json.loads(data)["packages"]}
    for each in documents:
        assert {package["SPDXID"] for package in json.loads(spdx23_bytes(each))["packages"]} <= ids


def test_a_layer_says_where_its_blobs_lie_and_which_licences_all_of_it_has(documents):
    graph = graph_of(spdx3_bytes(documents[0]))
    layer = next(item for item in of_type(graph, "software_Package") if item["name"] == "web")
    assert BLOB[7:] in {each["hashValue"] for each in layer["verifiedUsing"]}
    (concluded,) = targets(graph, "hasConcludedLicense", layer["spdxId"])
    assert " AND " in graph[concluded]["simplelicensing_licenseExpression"]
