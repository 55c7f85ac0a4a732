# SPDX-License-Identifier: MIT
"""Every way to damage a good document is caught by a check with a name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import VerificationError
from orchestrator.sbom import check_spdx23, layer_document, spdx23_bytes

from .sample import EPOCH, PRODUCT, deployed, relation

Document = dict[str, Any]


@pytest.fixture
def good(tmp_path: Path) -> Document:
    value = json.loads(spdx23_bytes(layer_document(deployed(tmp_path), PRODUCT, EPOCH)))
    assert isinstance(value, dict)
    return value


def checks(document: Document) -> set[tuple[str, str]]:
    return {(finding.check, finding.severity) for finding in check_spdx23(json.dumps(document).encode())}


def test_a_good_document_has_no_errors(good: Document) -> None:
    assert {severity for _, severity in checks(good)} == {"warning"}  # the device program is no package file


def some(document: Document) -> dict[str, Any]:
    value = next(entry for entry in document["packages"] if entry["name"] == "libodd")
    assert isinstance(value, dict)
    return value


def change(**values: Any) -> Callable[[Document], object]:
    return lambda document: some(document).update(values)


def drop(name: str) -> Callable[[Document], object]:
    return lambda document: some(document).pop(name)


def relate(element: str, kind: str, related: str) -> Callable[[Document], object]:
    return lambda document: document["relationships"].append(relation(element, kind, related))


DAMAGES: dict[str, tuple[str, Callable[[Document], object]]] = {
    "another specification": ("D1", lambda document: document.update(spdxVersion="SPDX-2.2")),
    "no document name": ("D1", lambda document: document.update(name="")),
    "a namespace with a fragment": ("D2", lambda document: document.update(documentNamespace="urn:x:y#z")),
    "a relative namespace": ("D2", lambda document: document.update(documentNamespace="demo")),
    "no tool": ("D3", lambda document: document["creationInfo"].update(creators=["Organization: X (y@z)"])),
    "no organisation": ("D3", lambda document: document["creationInfo"]["creators"].pop()),
    "a local time": ("D4", lambda document: document["creationInfo"].update(created="2023-11-14T22:13:20+01:00")),
    "another data licence": ("D6", lambda document: document.update(dataLicense="MIT")),
    "no list version": ("D7", lambda document: document["creationInfo"].pop("licenseListVersion")),
    "two roots": ("D8", lambda document: document["relationships"].append(document["relationships"][0])),
    "no root": ("D8", lambda document: document["relationships"].pop(0)),
    "a double id": ("D10", lambda document: document["packages"].append(some(document))),
    "a bad id": ("D10", change(SPDXID="SPDXRef-a_b")),
    "a dangling end": ("D10", relate("SPDXRef-layer", "CONTAINS", "SPDXRef-none")),
    "a dangling start": ("D10", relate("SPDXRef-none", "DEPENDS_ON", "SPDXRef-layer")),
    "an orphan": ("D11", lambda document: document["relationships"].pop(2)),
    "a layer without digest": ("L1", lambda document: document["packages"][0].pop("checksums")),
    "a layer without kind": ("L1", lambda document: document["packages"][0].pop("primaryPackagePurpose")),
    "no name": ("C1", change(name="")),
    "no version": ("C2", drop("versionInfo")),
    "no supplier": ("C3", drop("supplier")),
    "an odd supplier": ("C3", change(supplier="Example (x@y)")),
    "no package URL": ("C4", drop("externalRefs")),
    "one hash only": ("C5", lambda document: some(document)["checksums"].pop()),
    "a short hash": ("C5", lambda document: some(document)["checksums"][1].update(checksumValue="ab")),
    "an unknown algorithm": ("C5", lambda document: some(document)["checksums"][1].update(algorithm="CRC")),
    "no file name": ("C5", drop("packageFileName")),
    "no source": ("C7", drop("sourceInfo")),
    "no declared licence": ("C8", drop("licenseDeclared")),
    "no concluded licence": ("C9", drop("licenseConcluded")),
    "no holders": ("C10", change(copyrightText="NOASSERTION")),
    "no evidence": ("C12", drop("licenseComments")),
    "a garbage expression": ("X1", change(licenseDeclared="MIT AND")),
    "an unlisted licence": ("X1", change(licenseDeclared="Nonsense-1.0")),
    "a garbage conclusion": ("X1", change(licenseConcluded="mit")),
    "a deprecated licence": ("X2", change(licenseDeclared="GPL-2.0+")),
    "an undefined LicenseRef": ("X3", change(licenseDeclared="LicenseRef-none")),
    "an empty text": ("X3", lambda document: document["hasExtractedLicensingInfos"][0].update(extractedText=" ")),
    "an unknown licence": ("X4", change(licenseDeclared="NOASSERTION")),
    "two texts of one id": (
        "X5",
        lambda document: document["hasExtractedLicensingInfos"].append(
            {**document["hasExtractedLicensingInfos"][0], "extractedText": "another"}
        ),
    ),
    "one text twice": (
        "D10",
        lambda document: document["hasExtractedLicensingInfos"].append(document["hasExtractedLicensingInfos"][0]),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_document_is_caught_by_the_check_for_it(good: Document, damage: str) -> None:
    before = check_spdx23(json.dumps(good).encode())
    expected, apply = DAMAGES[damage]
    apply(good)
    new = [finding for finding in check_spdx23(json.dumps(good).encode()) if finding not in before]
    assert expected in {finding.check for finding in new}


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"packages": 1}', b'{"packages": [{}]}', b"\xff", b"[" * 100000])
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(VerificationError):
        check_spdx23(data)
