# SPDX-License-Identifier: MIT
"""Reading the facts that a base deploys, strictly."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import BuildError
from orchestrator.sbom import facts
from orchestrator.sbom.model import Contact

from .sample import facts_document, relation


def read(folder: Path, document: Any) -> facts.Facts:
    path = folder / "facts.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return facts.read(path)


def test_every_fact_of_a_package_arrives(tmp_path: Path) -> None:
    found = read(tmp_path, facts_document(["nginx"])).packages[0]
    assert (found.name, found.version, found.file_name) == ("nginx", "1:1.0-1", "nginx_1.0-1_amd64.deb")
    assert found.supplier == Contact("Organization", "Example Team", "team@example.com")
    assert (found.source_name, found.source_version) == ("nginx-src", "1.0-1")
    assert [(checksum.algorithm, checksum.value) for checksum in found.checksums] == [
        ("SHA256", "1f" * 32),
        ("SHA512", "2e" * 64),
    ]
    assert found.purl.startswith("pkg:deb/debian/nginx@")
    assert found.declared == ""


def test_what_needs_what_is_read(tmp_path: Path) -> None:
    document = facts_document(["a", "b"])
    document["relationships"].append(relation("SPDXRef-a", "DEPENDS_ON", "SPDXRef-b"))
    assert read(tmp_path, document).depends == (("SPDXRef-a", "SPDXRef-b"),)
    assert read(tmp_path, document).complete


def test_whose_code_is_in_whose_program_is_read(tmp_path: Path) -> None:
    document = facts_document(["a", "b"])
    document["relationships"].append(relation("SPDXRef-a", "STATIC_LINK", "SPDXRef-b"))
    assert read(tmp_path, document).linked == (("SPDXRef-a", "SPDXRef-b"),)


def test_dependencies_are_complete_only_where_the_base_says_so(tmp_path: Path) -> None:
    document = facts_document(["a"])
    assert not read(tmp_path, document).complete
    document["packages"][0]["comment"] = facts.COMPLETE
    assert read(tmp_path, document).complete


DAMAGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "another version": lambda document: document.update(spdxVersion="SPDX-2.2"),
    "no packages": lambda document: document.pop("packages"),
    "a package without a name": lambda document: document["packages"][1].pop("name"),
    "an empty name": lambda document: document["packages"][1].update(name=""),
    "a name of two lines": lambda document: document["packages"][1].update(name="a\nb"),
    "a bad id": lambda document: document["packages"][1].update(SPDXID="nginx"),
    "a double id": lambda document: document["packages"].append(document["packages"][1]),
    "a short hash": lambda document: document["packages"][1]["checksums"][0].update(checksumValue="ab" * 20),
    "a hash in capitals": lambda document: document["packages"][1]["checksums"][0].update(checksumValue="AB" * 32),
    "an odd supplier": lambda document: document["packages"][1].update(supplier="Example"),
    "a dangling end": lambda document: document["relationships"].append(
        relation("SPDXRef-layer", "CONTAINS", "SPDXRef-none")
    ),
    "an unknown relation": lambda document: document["relationships"].append(
        relation("SPDXRef-layer", "PATCH_FOR", "SPDXRef-nginx")
    ),
    "two roots": lambda document: document["relationships"].append(
        relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-nginx")
    ),
    "no root": lambda document: document["relationships"].pop(0),
    "an orphan": lambda document: document["relationships"].pop(1),
    "a number for a text": lambda document: document["packages"][1].update(versionInfo=1),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_document_is_refused_with_its_name(tmp_path: Path, damage: str) -> None:
    document = facts_document(["nginx"])
    DAMAGES[damage](document)
    with pytest.raises(BuildError, match=r"facts\.json") as caught:
        read(tmp_path, document)
    assert caught.value.why


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError):
        facts.read(tmp_path / "none.json")
    (tmp_path / "bad.json").write_bytes(b"{")
    with pytest.raises(BuildError):
        facts.read(tmp_path / "bad.json")
