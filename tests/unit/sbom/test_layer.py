# SPDX-License-Identifier: MIT
"""One layer's document, from the facts to the bytes."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from orchestrator.errors import BuildError
from orchestrator.sbom import (
    Blob,
    Document,
    LayerFacts,
    Product,
    check_spdx23,
    layer_document,
    spdx23_bytes,
    summarise,
)
from orchestrator.sbom.model import ExtractedLicence, LicenceFinding

from .sample import BLOB, EPOCH, PRODUCT, deployed, facts_document, package, relation, root_file_system

ROOT = Path(__file__).parents[3]


def document_of(layer: LayerFacts, product: Product = PRODUCT) -> Document:
    return layer_document(layer, product, EPOCH)


@pytest.mark.parametrize("make", [deployed, root_file_system])
def test_the_document_is_valid_by_spdx_tools_and_by_our_checks(tmp_path: Path, make: object) -> None:
    assert callable(make)
    data = spdx23_bytes(document_of(make(tmp_path)))
    path = tmp_path / "layer.spdx.json"
    path.write_bytes(data)
    assert [message.validation_message for message in validate_full_spdx_document(parse_file(str(path)))] == []
    assert [finding for finding in check_spdx23(data) if finding.severity == "error"] == []


def test_every_package_says_what_it_is(tmp_path: Path) -> None:
    value = json.loads(spdx23_bytes(document_of(deployed(tmp_path))))
    root, *packages = value["packages"]
    packages = [entry for entry in packages if entry["primaryPackagePurpose"] != "SOURCE"]
    assert root["checksums"][0] == {"algorithm": "SHA256", "checksumValue": BLOB[7:]}
    assert root["primaryPackagePurpose"] == "CONTAINER"
    assert f"rootfs={BLOB}" in root["comment"]
    perl = next(entry for entry in packages if entry["name"] == "libperl")
    assert perl["licenseDeclared"].startswith("(GPL-1.0-or-later OR Artistic-1.0-Perl) AND")
    assert perl["licenseConcluded"] == perl["licenseDeclared"]  # nobody concluded otherwise
    assert "over-approximates" in perl["licenseComments"]
    assert "usr/share/doc/libperl/copyright (sha256:" in perl["licenseComments"]
    assert perl["externalRefs"][0]["referenceCategory"] == "PACKAGE-MANAGER"
    assert {checksum["algorithm"] for checksum in perl["checksums"]} == {"SHA256", "SHA512"}
    assert "2003 Bob Example" in perl["copyrightText"]
    device = next(entry for entry in packages if entry["name"] == "pycontainer-device")
    assert device["licenseDeclared"] == "GPL-2.0-only AND MIT"


def test_the_document_names_who_made_it_and_when(tmp_path: Path) -> None:
    value = json.loads(spdx23_bytes(document_of(deployed(tmp_path))))
    info = value["creationInfo"]
    assert info["created"] == "2023-11-14T22:13:20Z"
    assert info["creators"][0].startswith("Tool: pycontainer-")
    assert info["creators"][1] == "Organization: Example Ltd (sbom@example.com)"
    assert value["documentNamespace"].startswith("urn:uuid:")


def test_every_package_is_contained_by_the_one_described_layer(tmp_path: Path) -> None:
    value = json.loads(spdx23_bytes(document_of(deployed(tmp_path))))
    contained = {
        entry["relatedSpdxElement"] for entry in value["relationships"] if entry["relationshipType"] == "CONTAINS"
    }
    packages = {entry["SPDXID"] for entry in value["packages"] if entry["primaryPackagePurpose"] != "SOURCE"}
    assert contained == packages - {value["packages"][0]["SPDXID"]}


def test_every_package_is_generated_from_its_source(tmp_path: Path) -> None:
    value = json.loads(spdx23_bytes(document_of(deployed(tmp_path))))
    names = {entry["SPDXID"]: entry["name"] for entry in value["packages"]}
    origins = {
        names[entry["spdxElementId"]]: names[entry["relatedSpdxElement"]]
        for entry in value["relationships"]
        if entry["relationshipType"] == "GENERATED_FROM"
    }
    assert origins == {name: f"{name}-src" for name in ("fonts", "libodd", "libperl", "libvague", "tool")}


def test_the_namespace_follows_the_content(tmp_path: Path) -> None:
    layer = deployed(tmp_path)

    def namespace(changed: LayerFacts, product: Product = PRODUCT) -> str:
        return str(json.loads(spdx23_bytes(document_of(changed, product)))["documentNamespace"])

    assert namespace(layer) == namespace(layer)
    assert namespace(layer) != namespace(dataclasses.replace(layer, version="1.1"))
    assert namespace(layer) != namespace(layer, dataclasses.replace(PRODUCT, version="1.0.1"))


def test_a_root_file_system_gives_packages_licences_and_dependencies(tmp_path: Path) -> None:
    document = document_of(root_file_system(tmp_path))
    by_name = {component.name: component for component in document.components}
    assert by_name["libexample1"].licence.expression == "GPL-2.0-or-later"  # through the symbolic link
    missing = by_name["libgnutls30"].licence
    assert missing.expression == ""
    assert "There is no usr/share/doc/libgnutls30/copyright" in missing.notes[0]
    edges = {(edge.dependent, edge.needed) for edge in document.dependencies}
    assert edges == {(by_name["libexample1"].key, by_name[name].key) for name in ("libc6", "libgnutls30")}


def test_a_layer_without_facts_says_that_nothing_is_known(tmp_path: Path) -> None:
    layer = LayerFacts(name="web", kind="app", version="1", architecture="amd64", blobs=(Blob("rootfs", BLOB),))
    document = document_of(layer)
    assert document.components == ()
    assert "unknown" in json.loads(spdx23_bytes(document))["comment"]


def test_a_package_listed_twice_is_refused(tmp_path: Path) -> None:
    facts = facts_document(["tool"])
    facts["packages"].append({**package("tool"), "SPDXID": "SPDXRef-again"})
    facts["relationships"].append(relation("SPDXRef-layer", "CONTAINS", "SPDXRef-again"))
    with pytest.raises(BuildError, match="twice"):
        document_of(deployed(tmp_path, facts))


def test_one_id_with_two_texts_is_refused(tmp_path: Path) -> None:
    document = document_of(deployed(tmp_path))
    first, second, *rest = document.components
    forged = [
        dataclasses.replace(
            component,
            licence=LicenceFinding(
                "LicenseRef-x", "text", extracted=(ExtractedLicence("LicenseRef-x", "x", text, False),)
            ),
        )
        for component, text in ((first, "one"), (second, "two"))
    ]
    with pytest.raises(BuildError, match="two texts"):
        spdx23_bytes(dataclasses.replace(document, components=(*forged, *rest)))


def test_a_product_without_an_organisation_still_gives_a_valid_document(tmp_path: Path) -> None:
    data = spdx23_bytes(document_of(deployed(tmp_path), Product("demo", "1.0.0")))
    findings = check_spdx23(data)
    assert [finding.check for finding in findings if finding.element == "SPDXRef-DOCUMENT"] == ["D3"]
    assert not [finding for finding in findings if finding.severity == "error"]


def test_the_bytes_do_not_depend_on_hash_seed_or_folder(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, hashlib\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from orchestrator.sbom import *\n"
        "from tests.unit.sbom.sample import deployed, root_file_system\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "maker = Product('demo', '1', 'Example Ltd', 'sbom@example.com')\n"
        "made = tuple(layer_document(each(folder), maker, 1700000000) for each in (deployed, root_file_system))\n"
        "image = ImageFile('demo.img', 7, 'ab' * 32, 'cd' * 64)\n"
        "whole = Aggregate(image, maker, 'qemu', 1700000000, made, 'debian 13', 'pkg:generic/debian@13')\n"
        "for write in (spdx3_bytes, spdx23_bytes, cyclonedx_bytes):\n"
        "    for document in made:\n"
        "        print(hashlib.sha256(write(document)).hexdigest())\n"
        "for write in (spdx3_aggregate_bytes, spdx23_aggregate_bytes, cyclonedx_aggregate_bytes):\n"
        "    print(hashlib.sha256(write(whole)).hexdigest())\n"
    )
    seen = set()
    for seed in range(10):
        folder = tmp_path / f"folder{seed % 2}"
        result = subprocess.run(
            [sys.executable, "-c", program, str(folder), str(ROOT)],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "TZ": "UTC" if seed % 2 else "Asia/Tokyo"},
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(result.stdout)
    assert len(seen) == 1
    assert len(set(seen.pop().split())) == 9


def test_the_summary_counts_packages_licences_copyleft_and_unknown(tmp_path: Path) -> None:
    web = summarise(document_of(deployed(tmp_path)))
    assert (web.packages, web.unknown) == (6, 0)
    assert web.copyleft == 5  # all but libvague
    assert web.kept_as_text == 3
    assert web.top[:2] == (("GPL-2.0-or-later", 3), ("MIT", 3))
    rootfs = summarise(document_of(root_file_system(tmp_path)))
    assert (rootfs.packages, rootfs.unknown, rootfs.copyleft) == (3, 1, 2)
    assert rootfs.top == (("GPL-2.0-or-later", 2),)
