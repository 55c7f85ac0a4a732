# SPDX-License-Identifier: MIT
"""`pycontainer sbom` by its words: what it prints, what it writes, and how it ends."""

import csv
import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from orchestrator.canonical import canonical_json
from orchestrator.cli.main import main
from orchestrator.sbom.sourcehashes import SOURCES_FILE, load

from ..compliance.sample import image_graph, layer_graph, named, related, rootfs_graph
from ..compliance.test_bundle import MAIN, Mirror, sha256

PRODUCT = """
product: demo
version: 1.0.0
machine: qemu-amd64
layers:
  rootfs: {kind: rootfs, from: {tar: rootfs.tar}}
"""
POLICY = """
rules:
  - {deny: [GPL-*], layers: [app], reason: apps are closed}
  - {allow: {category: [permissive, copyleft]}}
offer: {contact: source@example.org, until: 2030-01-01}
"""


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A product with the documents of a build, and keys of its own."""
    monkeypatch.setenv("PYCONTAINER_KEYS", str(tmp_path / "keys"))
    folder = tmp_path / "product"
    (folder / "build" / "sbom").mkdir(parents=True)
    (folder / "pycontainer.yaml").write_text(PRODUCT)
    (folder / "pycontainer.policy.yaml").write_text(POLICY)
    for name, graph in (("web", layer_graph()), ("rootfs", rootfs_graph()), ("image", image_graph())):
        (folder / "build" / "sbom" / f"{name}.spdx3.json").write_bytes(canonical_json(graph))
    return folder


def said(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> str:
    assert main(["sbom", *map(str, words)]) == code, capsys.readouterr().err
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> Any:
    return json.loads(said(capsys, *words, "--json", code=code))


Capture = pytest.CaptureFixture[str]


def test_list_shows_the_components_of_all_layers_and_filters(product: Path, capsys: Capture) -> None:
    names = [(each["layer"], each["name"]) for each in told(capsys, "list", product)["components"]]
    assert names == [("rootfs", "libodd"), ("rootfs", "init"), ("web", "tool"), ("web", "libodd"), ("web", "blob")]
    assert len(told(capsys, "list", product, "--copyleft")["components"]) == 2
    assert len(told(capsys, "list", product, "--name", "lib*", "--layer", "web")["components"]) == 1
    assert len(told(capsys, "list", product, "--licence", "MIT")["components"]) == 2
    assert told(capsys, "list", product, "--unknown")["components"] == []
    assert "5 components in 2 layers" in said(capsys, "list", product)
    said(capsys, "list", product, "--layer", "none", code=2)


def test_show_tells_the_evidence(product: Path, capsys: Capture) -> None:
    text = said(capsys, "show", "tool", "--product", product)
    assert "usr/share/doc/tool/copyright" in text
    value = told(capsys, "show", "tool", "--product", product)["components"][0]
    assert (value["layer"], value["needs"], value["declared"]) == ("web", ["libodd"], "GPL-2.0-or-later")
    said(capsys, "show", "nothing", "--product", product, code=2)


def test_check_passes_good_documents_and_fails_damaged_ones(product: Path, capsys: Capture) -> None:
    assert "0 errors" in said(capsys, "check", product)
    graph = layer_graph()
    named(graph, "web-tool").pop("software_packageVersion")
    path = product / "build" / "sbom" / "web.spdx3.json"
    path.write_bytes(canonical_json(graph))
    text = said(capsys, "check", product, code=5)
    assert "C2" in text
    found = told(capsys, "check", product, code=5)
    assert not found["passed"]
    assert {"A1", "C2"} <= {each["check"] for document in found["documents"] for each in document["findings"]}


def test_check_writes_reports_for_other_programs(product: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "report"
    said(capsys, "check", product, "--format", "junit", "-o", out)
    assert len(ElementTree.fromstring(out.read_text())) == 3
    said(capsys, "check", product, "--format", "sarif", "-o", out)
    assert json.loads(out.read_text())["version"] == "2.1.0"
    assert json.loads(said(capsys, "check", product, "--format", "json"))["passed"]


def test_check_knows_warnings_from_errors(product: Path, tmp_path: Path, capsys: Capture) -> None:
    graph = layer_graph()
    named(graph, "web-tool").pop("software_copyrightText")
    document = tmp_path / "d.json"
    document.write_bytes(canonical_json(graph))
    said(capsys, "check", "--document", document)
    said(capsys, "check", "--document", document, "--strict", code=5)


def test_check_compares_with_a_rebuild(product: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = product / "build" / "sbom"
    assert told(capsys, "check", product, "--rebuilt", folder)["passed"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "image.spdx3.json").write_bytes((folder / "image.spdx3.json").read_bytes() + b"\n")
    found = told(capsys, "check", product, "--rebuilt", other, code=5)
    assert "A5" in {each["check"] for document in found["documents"] for each in document["findings"]}


def test_policy_ends_with_seven_when_a_licence_is_denied(product: Path, capsys: Capture) -> None:
    text = said(capsys, "policy", product, code=7)
    assert "apps are closed" in text
    data = told(capsys, "policy", product, code=7)
    assert data["counts"] == {"allow": 3, "deny": 1, "review": 1}
    waiver = "waivers:\n  - {component: tool, owner: Ada, reason: known, expires: 2999-01-01}\n"
    (product / "pycontainer.policy.yaml").write_text(POLICY + waiver)
    assert "waived" in said(capsys, "policy", product)
    said(capsys, "policy", product, "--policy", product / "none.yaml", code=2)


def test_diff_compares_folders_and_files(product: Path, tmp_path: Path, capsys: Capture) -> None:
    folder = product / "build" / "sbom"
    assert said(capsys, "diff", folder, folder).strip() == "nothing has changed"
    graph = image_graph()
    named(graph, "web-tool")["software_packageVersion"] = "2.0"
    after = tmp_path / "after.spdx3.json"
    after.write_bytes(canonical_json(graph))
    assert "1.2-3 -> 2.0" in said(capsys, "diff", folder / "image.spdx3.json", after)


def test_diff_says_what_is_not_there_and_speaks_of_no_product(tmp_path: Path, capsys: Capture) -> None:
    assert main(["sbom", "diff", str(tmp_path / "gone"), str(tmp_path), "--product", str(tmp_path)]) == 2
    shown = capsys.readouterr().err
    assert f"there are no documents at {tmp_path / 'gone'}" in shown
    assert "product file" not in shown


def test_notice_is_written_as_text_and_page(product: Path, tmp_path: Path, capsys: Capture) -> None:
    text = said(capsys, "notice", product)
    assert "tool 1.2-3" in text.splitlines()
    assert "source@example.org" in text
    out = tmp_path / "n.html"
    said(capsys, "notice", product, "--format", "html", "--layer", "rootfs", "-o", out)
    assert out.read_text().startswith("<!DOCTYPE html>")


def test_sources_lists_what_is_owed_and_prints_the_offer(product: Path, capsys: Capture) -> None:
    owed = [each["name"] for each in told(capsys, "sources", product)["sources"]]
    assert owed == ["init-src", "tool-src"]
    assert len(told(capsys, "sources", product, "--all")["sources"]) == 5
    assert "Until 2030-01-01" in said(capsys, "sources", product, "--offer")
    (product / "pycontainer.policy.yaml").unlink()
    said(capsys, "sources", product, "--offer", code=2)


def test_obligations_are_listed_by_duty_and_layer(product: Path, capsys: Capture) -> None:
    text = said(capsys, "obligations", product)
    assert "pass on the complete corresponding source" in text
    data = told(capsys, "obligations", product, "--layer", "rootfs")["obligations"]
    assert {(each["component"], each["duty"]) for each in data} == {
        ("init", "notice"), ("init", "source"), ("init", "written offer"), ("libodd", "notice"),
    }  # fmt: skip


def test_sources_are_recorded_beside_the_product_file_and_what_no_index_has_is_named(
    product: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    purl = "pkg:deb/debian/tool-src@1.2-3?arch=source&distro=debian-13"
    graph = image_graph()
    for each in graph["@graph"]:
        if each.get("name") == "tool-src":
            del each["software_downloadLocation"]
            each["software_packageUrl"] = purl
    (product / "build" / "sbom" / "image.spdx3.json").write_bytes(canonical_json(graph))
    mirror = Mirror()
    mirror.release("trixie", MAIN, [("tool-src", "1.2-3", "pool/main/t/tool", {"tool_1.2-3.dsc": b"dsc"})])
    indexes = mirror.indexes(tmp_path / "indexes")
    monkeypatch.setattr("orchestrator.build.release.Indexes", lambda *where: indexes)
    monkeypatch.setattr("orchestrator.build.release.mirrors", lambda environment: ("http://m.example", ""))
    value = told(capsys, "sources", product, "--record")
    recorded = load(product / SOURCES_FILE)
    assert value["record"] == str(product / SOURCES_FILE)
    assert value["sources"] == 1
    assert recorded[purl].sha256 == sha256(b"dsc")
    listed = {(each["name"], each["version"]) for each in told(capsys, "sources", product, "--all")["sources"]}
    missing = {(each["name"], each["version"]) for each in value["notFound"]}
    assert len(recorded) + len(missing) == len({each for each in listed if each[0]})
    assert said(capsys, "sources", product, "--record").count("not in the index") == len(missing)


def test_export_writes_a_table_that_no_spreadsheet_runs(product: Path, tmp_path: Path, capsys: Capture) -> None:
    graph = layer_graph()
    named(graph, "web-tool")["name"] = "=cmd()"
    document = tmp_path / "d.json"
    document.write_bytes(canonical_json(graph))
    rows = list(csv.reader(io.StringIO(said(capsys, "export", "--format", "csv", "--document", document))))
    assert rows[0][:3] == ["layer", "name", "version"]
    assert "'=cmd()" in [row[1] for row in rows]
    assert json.loads(said(capsys, "export", product, "--format", "spdx3"))["@graph"]
    said(capsys, "export", product, "--format", "cyclonedx", code=2)


def test_attest_and_verify_bind_documents_and_image(product: Path, capsys: Capture) -> None:
    said(capsys, "attest", product)
    found = told(capsys, "verify", product)
    assert len(found["keys"]) == 1
    path = product / "build" / "sbom" / "web.spdx3.json"
    path.write_bytes(path.read_bytes() + b"\n")
    said(capsys, "verify", product, code=5)


def test_verify_refuses_other_keys(product: Path, tmp_path: Path, capsys: Capture, monkeypatch: Any) -> None:
    said(capsys, "attest", product, "-o", tmp_path / "a.json")
    monkeypatch.setenv("PYCONTAINER_KEYS", str(tmp_path / "others"))
    assert main(["key", "-C", str(product)]) == 0
    said(capsys, "verify", product, "--attestation", tmp_path / "a.json", code=7)
    said(capsys, "verify", product, "--attestation", tmp_path / "none.json", code=5)


def test_what_cannot_be_read_is_said_in_three_lines(product: Path, tmp_path: Path, capsys: Capture) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    for words, code in (
        (["list", "--document", bad], 5), (["list", "--document", tmp_path / "none"], 2),
        (["list", tmp_path / "nowhere"], 2),
    ):  # fmt: skip
        assert main(["sbom", *map(str, words)]) == code
        err = capsys.readouterr().err
        assert err.startswith("error:")
        assert "Traceback" not in err


def test_a_layer_alone_may_be_asked_about(tmp_path: Path, capsys: Capture) -> None:
    document = tmp_path / "web.json"
    graph = layer_graph()
    related(graph, "contains", "web")
    document.write_bytes(canonical_json(graph))
    assert len(told(capsys, "list", "--document", document)["components"]) == 3
