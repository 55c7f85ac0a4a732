# SPDX-License-Identifier: MIT
"""Known vulnerabilities: databases that the tests make, looked up for documents that they make."""

import contextlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.canonical import canonical_json, sha256_digest
from orchestrator.cli.main import main
from orchestrator.cve import examine, load, load_vex, openvex
from orchestrator.cve.cvss import base_score, rating
from orchestrator.cve.order import order_of
from orchestrator.errors import ConfigError, VerificationError

from ..compliance.sample import bill_of, image_graph, named, note

# The sample's components come from the source packages tool-src, libodd-src, ... at 1.2-3, in Debian 13.
TRACKER: dict[str, Any] = {
    "tool-src": {
        "CVE-2026-0001": {"description": "bad", "releases": {"trixie": {"status": "open", "urgency": "high"}}},
        "CVE-2026-0002": {
            "releases": {"trixie": {"status": "resolved", "fixed_version": "1.2-4", "urgency": "low**"},
                         "bookworm": {"status": "open", "urgency": "high"}}
        },
        "CVE-2026-0003": {"releases": {"trixie": {"status": "resolved", "fixed_version": "1.2-3"}}},
        "CVE-2026-0004": {"releases": {"trixie": {"status": "resolved", "fixed_version": "0"}}},
        "CVE-2026-0005": {"releases": {"sid": {"status": "open"}}},
        "CVE-2026-0006": {"releases": {"trixie": {"status": "undetermined", "urgency": "not yet assigned"}}},
    },
    "libodd-src": {
        "CVE-2026-0007": {
            "releases": {"trixie": {"status": "open", "urgency": "unimportant", "nodsa": "Minor issue"}}
        }
    },
    "tool": {"CVE-2026-0008": {"releases": {"trixie": {"status": "open", "urgency": "high"}}}},
}  # fmt: skip


def written(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def ids(folder: Path, *databases: object, vex: object = None) -> dict[str, str]:
    """The ids that are open, with their severity."""
    loaded = [load(written(folder / f"{number}.json", each)) for number, each in enumerate(databases)]
    statements = load_vex(written(folder / "vex.json", vex)) if vex else []
    return {
        each.advisory.id: each.advisory.severity for each in examine(bill_of(image_graph()), loaded, statements).open
    }


def test_debians_tracker_is_read_by_source_package_release_and_version(tmp_path: Path) -> None:
    assert ids(tmp_path, TRACKER) == {
        "CVE-2026-0001": "high",
        "CVE-2026-0002": "low",
        "CVE-2026-0006": "unknown",
        "CVE-2026-0007": "negligible",
    }


def test_one_source_in_two_layers_is_found_in_both(tmp_path: Path) -> None:
    report = examine(bill_of(image_graph()), [load(written(tmp_path / "t.json", TRACKER))])
    where = [(each.package.layer, each.package.component) for each in report.open if each.advisory.id.endswith("7")]
    assert where == [("rootfs", "libodd"), ("web", "libodd")]
    assert report.databases[0].digest == sha256_digest((tmp_path / "t.json").read_bytes())


def advisory(identifier: str, name: str, events: list[dict[str, str]], **more: Any) -> dict[str, Any]:
    kind = more.pop("type", "ECOSYSTEM")
    ecosystem = more.pop("ecosystem", "Debian:13")
    versions = more.pop("versions", [])
    return {
        "schema_version": "1.6.0",
        "id": identifier,
        "affected": [
            {
                "package": {"ecosystem": ecosystem, "name": name},
                "ranges": [{"type": kind, "events": events}],
                "versions": versions,
            }
        ],
        **more,
    }


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([{"introduced": "0"}], True),
        ([{"introduced": "0"}, {"fixed": "1.2-4"}], True),
        ([{"introduced": "0"}, {"fixed": "1.2-3"}], False),
        ([{"introduced": "1.2-4"}], False),
        ([{"introduced": "1.2-3"}, {"last_affected": "1.2-3"}], True),
        ([{"introduced": "1.0"}, {"last_affected": "1.2-2"}], False),
        ([{"fixed": "1.1"}, {"introduced": "0"}, {"introduced": "1.2"}, {"fixed": "1.3"}], True),
        ([{"introduced": "0"}, {"fixed": "1.1"}, {"introduced": "1.3"}], False),
        ([{"introduced": "0"}, {"fixed": "1.2-3"}, {"introduced": "1.2-3"}], True),
    ],
)
def test_osv_ranges_are_walked_in_the_order_of_versions(
    events: list[dict[str, str]], found: bool, tmp_path: Path
) -> None:
    assert ("X-1" in ids(tmp_path, advisory("X-1", "tool-src", events))) == found


def test_osv_knows_releases_versions_withdrawals_and_severities(tmp_path: Path) -> None:
    high = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
    everything = [{"introduced": "0"}]
    assert ids(
        tmp_path,
        [
            advisory("X-1", "tool-src", everything, severity=high),
            advisory("X-2", "tool-src", everything, ecosystem="Debian:12"),
            advisory("X-3", "tool-src", everything, ecosystem="Debian"),
            advisory("X-4", "tool-src", everything, withdrawn="2026-01-01T00:00:00Z"),
            advisory("X-5", "tool-src", [], versions=["1.2-3"], database_specific={"severity": "MODERATE"}),
            advisory("X-6", "tool-src", [], versions=["1.2-2"]),
            advisory("X-7", "other", everything),
        ],
    ) == {"X-1": "critical", "X-3": "unknown", "X-5": "medium"}


def test_a_range_over_commits_is_counted_and_not_guessed(tmp_path: Path) -> None:
    path = written(tmp_path / "x.json", advisory("X-1", "tool-src", [{"introduced": "0"}], type="GIT"))
    report = examine(bill_of(image_graph()), [load(path)])
    assert (report.open, report.unjudged) == ([], 1)


def test_an_osv_archive_is_read_and_the_next_fix_named(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        events = [{"introduced": "0"}, {"fixed": "1.10"}, {"introduced": "2"}, {"fixed": "2.1"}]
        archive.writestr("X-1.json", json.dumps(advisory("X-1", "tool-src", events)))
        archive.writestr("readme.txt", "no advisory")
    path.write_bytes(stream.getvalue())
    report = examine(bill_of(image_graph()), [load(path)])
    assert [(each.advisory.id, each.advisory.fixed) for each in report.open] == [("X-1", "1.10")]


def test_languages_have_their_own_names_and_orders(tmp_path: Path) -> None:
    graph = image_graph()
    for name, purl in (("web-tool", "pkg:pypi/My.Tool@1.0rc1"), ("web-libodd", "pkg:npm/@scope/odd@1.2.3"),
                       ("web-blob", "pkg:golang/example.org/x@v1.2.3")):  # fmt: skip
        named(graph, name)["software_packageUrl"] = purl
        note(graph, name, source=None)
    databases = [
        advisory("P-1", "my-tool", [{"introduced": "0"}, {"fixed": "1.0"}], ecosystem="PyPI"),
        advisory("P-2", "my_tool", [{"introduced": "1.0"}], ecosystem="PyPI"),
        advisory("N-1", "@scope/odd", [{"introduced": "1.2.0"}, {"fixed": "1.2.4"}], ecosystem="npm", type="SEMVER"),
        advisory("G-1", "example.org/x", [{"introduced": "0"}, {"fixed": "1.2.3"}], ecosystem="Go", type="SEMVER"),
    ]
    report = examine(bill_of(graph), [load(written(tmp_path / "x.json", databases))])
    assert {each.advisory.id for each in report.open} == {"P-1", "N-1"}


@pytest.mark.parametrize(
    ("ecosystem", "versions"),
    [
        ("PyPI", ["1.0.dev1", "1.0a1", "1.0b2", "1.0rc1", "1.0", "1.0.post1", "1.1", "1.10"]),
        ("Alpine", ["1.2.3_alpha1-r0", "1.2.3_rc1-r0", "1.2.3-r0", "1.2.3-r1", "1.2.3_p1-r0", "1.2.10-r0"]),
        ("npm", ["1.0.0-alpha", "1.0.0", "1.0.1", "1.10.0"]),
        ("Debian", ["1~rc1-1", "1-1", "1-1+deb13u1", "1:0"]),
    ],
)
def test_versions_of_an_ecosystem_sort_as_its_users_expect(ecosystem: str, versions: list[str]) -> None:
    compare = order_of(ecosystem)
    for position, version in enumerate(versions):
        assert compare(version, version) == 0
        for later in versions[position + 1 :]:
            assert compare(version, later) < 0, (version, later)


@pytest.mark.parametrize(
    ("vector", "score", "word"),
    [  # the examples of the specification's document
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, "critical"),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, "medium"),
        ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8, "high"),
        ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N", 4.6, "medium"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0, "critical"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0, "negligible"),
    ],
)
def test_vectors_score_as_the_specification_says(vector: str, score: float, word: str) -> None:
    assert base_score(vector) == score
    assert rating(score) == word


@pytest.mark.parametrize("vector", ["", "CVSS:4.0/AV:N", "CVSS:3.1/AV:X", "AV:N/AC:L/Au:N/C:P/I:P/A:P"])
def test_other_vectors_have_no_score(vector: str) -> None:
    assert base_score(vector) is None


def statement(name: str, status: str, purl: str = "", **more: Any) -> dict[str, Any]:
    products = [{"@id": purl}] if purl else []
    return {"vulnerability": {"name": name}, "status": status, "products": products, **more}


def vex(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"@context": "https://openvex.dev/ns/v0.2.0", "@id": "x", "author": "Ada", "version": 1,
            "timestamp": "2026-01-01T00:00:00Z", "statements": list(statements)}  # fmt: skip


WHY = {"justification": "vulnerable_code_not_present"}


@pytest.mark.parametrize(
    ("statements", "gone"),
    [
        ([statement("CVE-2026-0001", "not_affected", "pkg:deb/debian/tool", **WHY)], True),
        ([statement("CVE-2026-0001", "fixed", "pkg:deb/debian/tool@1.2-3?arch=amd64")], True),
        ([statement("CVE-2026-0001", "fixed", "pkg:deb/debian/tool@1.2-4")], False),
        ([statement("CVE-2026-0001", "fixed", "pkg:deb/debian/tool?arch=arm64")], False),
        ([statement("CVE-2026-0001", "fixed", "pkg:deb/debian/init")], False),
        ([statement("CVE-2026-0001", "fixed", "https://example.org/some-product")], False),
        ([statement("CVE-2026-0001", "fixed")], True),
        ([statement("CVE-2026-0001", "under_investigation")], False),
        ([statement("CVE-2026-0001", "fixed", timestamp="2026-02-01T00:00:00Z"),
          statement("CVE-2026-0001", "affected", timestamp="2026-03-01T00:00:00Z")], False),
        ([statement("CVE-2026-0001", "affected", timestamp="2026-02-01T00:00:00Z"),
          statement("CVE-2026-0001", "fixed", timestamp="2026-03-01T00:00:00Z")], True),
    ],
)  # fmt: skip
def test_vex_decides_for_its_packages_and_the_latest_word_counts(
    statements: list[dict[str, Any]], gone: bool, tmp_path: Path
) -> None:
    assert ("CVE-2026-0001" not in ids(tmp_path, TRACKER, vex=vex(*statements))) == gone


def test_a_subcomponent_is_what_a_statement_about_the_image_is_about(tmp_path: Path) -> None:
    product = {"@id": "pkg:generic/demo", "subcomponents": [{"identifiers": {"purl": "pkg:deb/debian/tool"}}]}
    about = {**statement("CVE-2026-0001", "fixed"), "products": [product]}
    assert "CVE-2026-0001" not in ids(tmp_path, TRACKER, vex=vex(about))


@pytest.mark.parametrize(
    "value",
    [
        {}, [], vex(statement("CVE-1", "not_affected")), {**vex(), "@context": "https://example.org"},
        vex(statement("CVE-1", "harmless")), vex(statement("", "fixed")),
        vex(statement("CVE-1", "not_affected", justification="because")),
    ],
)  # fmt: skip
def test_a_vex_document_that_breaks_its_specification_is_refused(value: object, tmp_path: Path) -> None:
    with pytest.raises(VerificationError):
        load_vex(written(tmp_path / "x.json", value))


def test_openvex_goes_out_and_comes_in_again(tmp_path: Path) -> None:
    decided = vex(statement("CVE-2026-0001", "not_affected", "pkg:deb/debian/tool", **WHY))
    statements = load_vex(written(tmp_path / "in.json", decided))
    report = examine(bill_of(image_graph()), [load(written(tmp_path / "t.json", TRACKER))], statements)
    data = openvex(report.findings, "Example", "pkg:generic/demo@1", 1_700_000_000)
    assert data == openvex(reversed(report.findings), "Example", "pkg:generic/demo@1", 1_700_000_000)
    value = json.loads(data)
    assert value["@id"].startswith("urn:") and value["timestamp"] == "2023-11-14T22:13:20Z"
    states = {each["vulnerability"]["name"]: each["status"] for each in value["statements"]}
    assert states["CVE-2026-0001"] == "not_affected"
    assert states["CVE-2026-0002"] == "under_investigation"
    out = tmp_path / "out.json"
    out.write_bytes(data)
    again = examine(bill_of(image_graph()), report.databases, load_vex(out))
    assert "CVE-2026-0001" not in {each.advisory.id for each in again.open}


@pytest.mark.parametrize("data", [b"{}", b"[]", b" [ ] "])
def test_a_database_without_entries_is_refused_because_finding_nothing_by_it_reads_like_good_news(
    data: bytes, tmp_path: Path
) -> None:
    (tmp_path / "db.json").write_bytes(data)
    with pytest.raises(VerificationError, match="has no entries"):
        load(tmp_path / "db.json")


@pytest.mark.parametrize("data", [b"", b"7", b"[7]", b'{"a": 7}', b"PK\x03\x04broken", b'{"id": 1, "affected": []}'])
def test_a_file_that_is_no_database_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(VerificationError):
        load(path)
    with pytest.raises(ConfigError):
        load(tmp_path / "none")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_database_or_refused(data: bytes) -> None:
    from orchestrator.cve import debian, osv

    for reader in (debian.database, osv.database):
        with contextlib.suppress(VerificationError):
            reader(data, "x", "sha256:" + "0" * 64)


def test_the_command_fails_from_a_severity_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "image.spdx3.json"
    document.write_bytes(canonical_json(image_graph()))
    database = written(tmp_path / "t.json", TRACKER)
    words = ["cve", "--document", str(document), "--db", str(database)]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "CVE-2026-0001" in text
    assert sha256_digest(database.read_bytes())[:40] in text
    assert main([*words, "--severity", "high"]) == 7
    assert main([*words, "--severity", "critical"]) == 0
    capsys.readouterr()
    out = tmp_path / "vex.json"
    assert main([*words, "--json", "--severity", "medium", "--openvex", str(out)]) == 7
    data = json.loads(capsys.readouterr().out)
    assert data["failed"]
    assert data["open"]["high"] == 1
    assert json.loads(out.read_text())["statements"]
