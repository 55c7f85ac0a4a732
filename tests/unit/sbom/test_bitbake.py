# SPDX-License-Identifier: MIT
"""BitBake's documents, as create-spdx wrote them, become components with edges; what does not fit is named."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import BuildError
from orchestrator.sbom import bitbake
from orchestrator.sbom.check import check_spdx23
from orchestrator.sbom.layer import LayerFacts, layer_document
from orchestrator.sbom.model import Blob, Product
from orchestrator.sbom.spdx23 import spdx23_bytes

from .sample import tree_of

DATA = Path(__file__).parents[2] / "data" / "sbom" / "yocto"
PRODUCT = Product("box", "1", "", "")


def changed(tmp_path: Path, change: Callable[[list[dict[str, Any]]], None]) -> Path:
    value = json.loads((DATA / "rootfs.spdx.json").read_text())
    change(value["@graph"])
    path = tmp_path / "changed.spdx.json"
    path.write_text(json.dumps(value))
    return path


def test_packages_have_their_recipe_licence_and_edges() -> None:
    found = bitbake.read(DATA / "rootfs.spdx.json", DATA / "rootfs.manifest")
    network, prepared = sorted(found.facts.packages, key=lambda fact: fact.name, reverse=True)
    assert (network.name, network.version, network.declared) == ("pycontainer-network", "0.1", "MIT")
    assert (network.source_name, network.source_version) == ("pycontainer-network", "0.1")
    assert found.facts.depends == ((network.id, prepared.id),)
    assert found.unaccounted == ()


def test_the_files_of_a_package_are_its_own() -> None:
    lease, network = "usr/libexec/pycontainer/lease", "usr/libexec/pycontainer/network"
    assert bitbake.read(DATA / "rootfs.spdx.json").owners == {"pycontainer-network": (lease, network)}
    layer = LayerFacts(
        name="rootfs", kind="rootfs", version="1", architecture="amd64", spdx=DATA / "rootfs.spdx.json",
        tree=tree_of({lease: b"1", network: b"2", "opt/stray": b"3"}),
    )  # fmt: skip
    census = layer_document(layer, PRODUCT, 0).census
    assert census is not None
    assert census.owned.files == 2
    assert [each.path for each in census.unowned] == ["opt/stray"]


def test_a_package_of_the_manifest_without_an_element_is_named(tmp_path: Path) -> None:
    manifest = tmp_path / "image.manifest"
    manifest.write_text((DATA / "rootfs.manifest").read_text() + "stray core2-64 1.0\n")
    assert bitbake.read(DATA / "rootfs.spdx.json", manifest).unaccounted == ("stray",)
    layer = LayerFacts(
        name="rootfs", kind="rootfs", version="1", architecture="amd64",
        spdx=DATA / "rootfs.spdx.json", packages=manifest,
    )  # fmt: skip
    document = layer_document(layer, PRODUCT, 0)
    assert document.remarks == ("Installed, and not in the base's document: stray.",)


def test_the_kernel_beside_the_modules_is_a_component_of_a_bsp() -> None:
    plain = bitbake.read(DATA / "bsp.spdx.json", DATA / "bsp.manifest").facts.packages
    assert [fact.name for fact in plain] == ["kernel-modules"]
    booted = bitbake.read(DATA / "bsp.spdx.json", DATA / "bsp.manifest", boots=True).facts.packages
    assert sorted((fact.name, fact.version, fact.declared) for fact in booted) == [
        ("kernel-modules", "6.18", "MIT"),
        ("linux-yocto", "6.18", "MIT"),
    ]
    assert len({fact.purl for fact in booted}) == 2


def test_a_recipes_document_gives_the_recipe() -> None:
    assert [fact.name for fact in bitbake.read(DATA / "bootloader.spdx.json").facts.packages] == ["grub-efi"]


@pytest.mark.parametrize(("name", "kind"), [("rootfs", "rootfs"), ("bsp", "bsp"), ("bootloader", "bootloader")])
def test_the_layers_document_passes_its_checks(name: str, kind: Any) -> None:
    layer = LayerFacts(
        name=name, kind=kind, version="1", architecture="amd64",
        blobs=(Blob("part", "sha256:" + "0" * 64),), spdx=DATA / f"{name}.spdx.json",
    )  # fmt: skip
    data = spdx23_bytes(layer_document(layer, PRODUCT, 0))
    assert [finding for finding in check_spdx23(data) if finding.severity == "error"] == []


def test_the_security_profile_stays_out(tmp_path: Path) -> None:
    def add(graph: list[dict[str, Any]]) -> None:
        package = next(each["spdxId"] for each in graph if each.get("software_primaryPurpose") == "install")
        graph.append({"type": "security_Vulnerability", "spdxId": "urn:CVE-2020-1", "name": "CVE-2020-1"})
        graph.append({
            "type": "security_VexNotAffectedVulnAssessmentRelationship", "spdxId": "urn:vex",
            "relationshipType": "doesNotAffect", "from": "urn:CVE-2020-1", "to": [package],
        })  # fmt: skip

    layer = LayerFacts(name="rootfs", kind="rootfs", version="1", architecture="amd64", spdx=changed(tmp_path, add))
    assert b"CVE-2020" not in spdx23_bytes(layer_document(layer, PRODUCT, 0))


def test_the_text_of_a_licence_of_ones_own_is_read(tmp_path: Path) -> None:
    def add(graph: list[dict[str, Any]]) -> None:
        licence = next(each for each in graph if each["type"] == "simplelicensing_LicenseExpression")
        licence["simplelicensing_licenseExpression"] = "LicenseRef-Vendor"
        licence["simplelicensing_customIdToUri"] = [
            {"type": "DictionaryEntry", "key": "LicenseRef-Vendor", "value": "urn:text"}
        ]
        graph.append({
            "type": "simplelicensing_SimpleLicensingText", "spdxId": "urn:text",
            "simplelicensing_licenseText": "Do as you are told.",
        })  # fmt: skip

    found = bitbake.read(changed(tmp_path, add)).facts
    assert found.texts == {"LicenseRef-Vendor": "Do as you are told."}
    assert {fact.declared for fact in found.packages} == {"LicenseRef-Vendor"}


def test_a_recipe_that_says_no_licence_declares_none(tmp_path: Path) -> None:
    def without(graph: list[dict[str, Any]]) -> None:
        for each in graph:
            if each.get("relationshipType") == "hasDeclaredLicense":
                each["to"] = ["NoneElement"]  # as the series after wrynose write it

    assert {fact.declared for fact in bitbake.read(changed(tmp_path, without)).facts.packages} == {""}


@pytest.mark.parametrize("text", [b"", b"{}", b'{"@context": "x", "@graph": []}', b'{"@context": 1, "@graph": 2}'])
def test_what_is_no_such_document_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text)
    with pytest.raises(BuildError, match="no SPDX document"):
        bitbake.read(path)


_JSON = st.none() | st.integers() | st.text(max_size=3) | st.just(["a", 1]) | st.just({"key": "a"})
_ID = st.sampled_from(["a", "b"]) | _JSON
_ELEMENT = st.fixed_dictionaries(
    {"type": st.sampled_from(["software_Package", "Relationship", "software_File"]) | _JSON, "spdxId": _ID},
    optional={
        "name": st.just("kernel-x") | _JSON,
        "from": _ID,
        "to": st.just(["a"]) | _JSON,
        "relationshipType": st.sampled_from(["generates", "dependsOn", "hasDeclaredLicense", "contains"]) | _JSON,
        "software_primaryPurpose": st.sampled_from(["install", "specification"]) | _JSON,
        "software_packageUrl": _JSON,
        "simplelicensing_customIdToUri": _JSON | st.just([{"key": 1, "value": []}]),
        "scope": st.just("runtime") | _JSON,
    },
)


@given(st.lists(_ELEMENT, max_size=5))
def test_any_graph_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, graph: list[dict[str, Any]]) -> None:
    path = tmp_path_factory.getbasetemp() / "graph.json"
    path.write_text(json.dumps({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": graph}))
    with contextlib.suppress(BuildError):
        bitbake.read(path, boots=True)
