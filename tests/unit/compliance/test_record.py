# SPDX-License-Identifier: MIT
"""Hashes of source packages: out of signed indexes into a file, and out of the file into documents."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from orchestrator.compliance.bundle.record import record
from orchestrator.compliance.judge import judge
from orchestrator.compliance.read import read_bill
from orchestrator.compliance.sources import sources
from orchestrator.errors import ConfigError
from orchestrator.sbom import Document, Product, cyclonedx_bytes, layer_document, spdx3_bytes, spdx23_bytes
from orchestrator.sbom.sourcehashes import SOURCES_FILE, Recorded, apply, encode, load
from tests.unit.compliance.test_bundle import Mirror, sha256, source
from tests.unit.sbom.sample import root_file_system

TOOL = "pkg:deb/debian/tool@1.2-3?arch=source&distro=debian-13"


def test_the_hash_is_that_of_the_dsc_in_the_signed_index(tmp_path: Path) -> None:
    gone = source("gone", "1", uri="pkg:deb/debian/gone@1?arch=source&distro=debian-13")
    found, left = record([source("tool", "1.2-3", uri=TOOL), gone], Mirror().indexes(tmp_path))
    assert found == {TOOL: Recorded(TOOL, "tool_1.2-3.dsc", sha256(b"dsc"))}
    assert left == [gone]


def test_what_is_recorded_is_read_again_and_its_order_does_not_matter(tmp_path: Path) -> None:
    entries = {name: Recorded(f"pkg:deb/debian/{name}@1", f"{name}.dsc", "a" * 64) for name in ("b", "a")}
    path = tmp_path / SOURCES_FILE
    path.write_bytes(encode(entries))
    assert list(load(path).values()) == [entries["a"], entries["b"]]
    assert encode(load(path)) == path.read_bytes()
    assert load(tmp_path / "nothing") == {}


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", '{"schemaVersion": 2, "sources": []}', '{"schemaVersion": 1, "sources": [{"purl": "pkg:a"}]}',
        '{"schemaVersion": 1, "sources": [{"purl": "pkg:a", "name": "../x", "sha256": "' + "a" * 64 + '"}]}',
        '{"schemaVersion": 1, "sources": [{"purl": "pkg:a", "name": "x", "sha256": "A"}]}',
    ],
)  # fmt: skip
def test_a_damaged_record_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / SOURCES_FILE).write_text(text)
    with pytest.raises(ConfigError, match="is no record of sources"):
        load(tmp_path / SOURCES_FILE)


@pytest.fixture
def document(tmp_path: Path) -> Document:
    return layer_document(root_file_system(tmp_path), Product("p", "1"), 0)


@pytest.mark.parametrize("write", [spdx3_bytes, spdx23_bytes])
def test_a_recorded_source_has_its_hash_in_the_documents(document: Document, write: object) -> None:
    bill = read_bill(write(document), "x")  # type: ignore[operator]
    assert sum(each.check == "C7" for each in judge(bill).findings) == len(document.components)
    wanted = {each.uri: Recorded(each.uri, "x.dsc", "ab" * 32) for each in sources(bill)}
    assert all(uri.startswith("pkg:deb/") for uri in wanted)
    made = apply(document, wanted)
    bill = read_bill(write(made), "x")  # type: ignore[operator]
    assert not [each for each in judge(bill).findings if each.check == "C7"]
    assert {each.hashes for each in sources(bill)} == {(("sha256", "ab" * 32),)}
    assert b"ab" * 32 in cyclonedx_bytes(made)
    assert b".dsc" in write(made)  # type: ignore[operator]


def test_a_source_of_another_version_keeps_its_hash_unknown(document: Document) -> None:
    other = {TOOL: Recorded(TOOL, "x.dsc", "ab" * 32)}
    assert apply(document, other) == document
    first = dataclasses.replace(document.components[0], source_uri=TOOL)
    changed = apply(dataclasses.replace(document, components=(first,)), other)
    assert changed.components[0].source_checksums
