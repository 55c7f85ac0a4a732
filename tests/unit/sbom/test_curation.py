# SPDX-License-Identifier: MIT
"""A person's conclusions: applied while what was read is what ships, reported when it is not."""

import dataclasses
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.sbom import curation, layer_document
from orchestrator.sbom.model import Document

from .sample import EPOCH, PRODUCT, deployed


@pytest.fixture
def document(tmp_path: Path) -> Document:
    return layer_document(deployed(tmp_path / "in"), PRODUCT, EPOCH)


def evidence(document: Document, name: str) -> str:
    return next(each for each in document.components if each.name == name).licence.evidence_digest


def written(folder: Path, *entries: str) -> tuple[curation.Curation, ...]:
    path = folder / curation.CURATION_FILE
    path.write_text("curations:\n" + "\n".join(entries), encoding="utf-8")
    return curation.load(path)


def entry(purl: str, evidence: str, concluded: str = "MIT", **more: str) -> str:
    lines = [f"- purl: {purl}", f"  evidence: '{evidence}'", f"  concluded: {concluded}"]
    fields = {"author": "Ada <ada@example.org>", "date": "2026-11-02", "reason": "read it", **more}
    return "\n".join([*lines, *(f"  {key}: {value}" for key, value in fields.items())])


def test_a_curation_concludes_with_who_when_and_why(document: Document, tmp_path: Path) -> None:
    rules = written(tmp_path, entry("pkg:deb/debian/tool", evidence(document, "tool")))
    result, notes = curation.apply(document, rules)
    tool = next(each for each in result.components if each.name == "tool")
    assert tool.conclusion is not None
    assert (tool.conclusion.author, tool.conclusion.date) == ("Ada <ada@example.org>", "2026-11-02")
    assert (tool.concluded, tool.licence.expression) == ("MIT", "GPL-2.0-or-later")
    assert [note.outcome for note in notes] == ["applied"]


def test_a_curation_of_other_evidence_is_reported_and_not_applied(document: Document, tmp_path: Path) -> None:
    rules = written(tmp_path, entry("pkg:deb/debian/tool", "sha256:" + "0" * 64))
    result, notes = curation.apply(document, rules)
    assert result == document
    assert [(note.outcome, "read it again" in note.message) for note in notes] == [("stale", True)]


def test_a_curation_of_nothing_is_reported(document: Document, tmp_path: Path) -> None:
    _, notes = curation.apply(document, written(tmp_path, entry("pkg:deb/debian/other", "")))
    assert [note.outcome for note in notes] == ["unused"]


@pytest.mark.parametrize(
    ("purl", "versions", "fits"),
    [
        ("pkg:deb/debian/tool", "", True),
        ("pkg:deb/debian/t*", "", True),
        ("pkg:deb/debian/tool@1:1.*", "", True),
        ("pkg:deb/debian/tool@2*", "", False),
        ("pkg:deb/debian/tool?arch=amd64", "", True),
        ("pkg:deb/debian/tool?arch=arm64", "", False),
        ("pkg:deb/debian/tool", ">= 1:1.0-1, < 1:2", True),
        ("pkg:deb/debian/tool", "< 1:1.0-1", False),
        ("pkg:deb/debian/tool", "> 5", True),  # an epoch counts before all else
        ("pkg:npm/tool", "", False),
    ],
)
def test_a_curation_is_for_names_versions_and_qualifiers(purl: str, versions: str, fits: bool, tmp_path: Path) -> None:
    rules = written(tmp_path, entry(purl, "", versions=f"'{versions}'"))
    assert curation.matches(rules[0], "pkg:deb/debian/tool@1:1.0-1?arch=amd64&distro=debian-13", "1:1.0-1") == fits


def test_an_npm_scope_is_not_a_version(tmp_path: Path) -> None:
    rules = written(tmp_path, entry("'pkg:npm/@scope/name'", ""))
    assert curation.matches(rules[0], "pkg:npm/@scope/name@1.2.3", "1.2.3")


def test_two_curations_that_disagree_are_an_error(document: Document, tmp_path: Path) -> None:
    digest = evidence(document, "tool")
    rules = written(tmp_path, entry("pkg:deb/debian/tool", digest), entry("pkg:deb/*", digest, "ISC"))
    with pytest.raises(ConfigError, match="conclude differently"):
        curation.apply(document, rules)


def test_a_concluded_licenseref_needs_its_text(document: Document, tmp_path: Path) -> None:
    digest = evidence(document, "tool")
    with pytest.raises(ConfigError, match="without its text"):
        curation.apply(document, written(tmp_path, entry("pkg:deb/debian/tool", digest, "LicenseRef-x")))
    rules = written(tmp_path, entry("pkg:deb/debian/tool", digest, "LicenseRef-x", texts="{LicenseRef-x: do it}"))
    result, _ = curation.apply(document, rules)
    assert [each.text for each in result.extracted() if each.id == "LicenseRef-x"] == ["do it"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("curations: 7", "Expected"),
        ("curations:\n- purl: pkg:deb/x\n", "missing required field"),
        (f"curations:\n{entry('pkg:deb/x', '', 'GPL')}", "no licence expression"),
        (f"curations:\n{entry('pkg:deb/x', '', versions='about 7')}", "list of conditions"),
        (f"curations:\n{entry('pkg:deb/x', '', texts='{LicenseRef-z: a}')}", "does not name it"),
        (f"curations:\n{entry('pkg:deb/x', '', raeson='x')}", "did you mean 'reason'"),
        ("curations: []\ncurations: []", "stands twice"),
        ("curations: [", "not valid YAML"),
        ("a: &a [1]\nb: " + "[" * 40 + "]" * 40, "too deeply"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        curation.load(path)
    assert message in str(caught.value)
    assert str(path) in caught.value.what


def test_no_file_is_no_curation(tmp_path: Path) -> None:
    assert curation.load(tmp_path / "none.yaml") == ()


def test_a_conclusion_shows_in_no_other_component(document: Document, tmp_path: Path) -> None:
    rules = written(tmp_path, entry("pkg:deb/debian/tool", evidence(document, "tool")))
    result, _ = curation.apply(document, rules)
    plain = [dataclasses.replace(each, conclusion=None) for each in result.components]
    assert plain == list(document.components)
