# SPDX-License-Identifier: MIT
"""Findings kept between builds."""

from pathlib import Path

import pytest

from orchestrator.sbom import cache
from orchestrator.sbom.resolver import resolve_copyright

from .sample import DATA

ODD = (DATA / "unknown-names.copyright").read_bytes()


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_kept_finding_is_the_same_and_the_file_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cache.FindingCache(tmp_path).resolve(ODD, "a/copyright")
    monkeypatch.setattr(cache, "resolve_copyright", None)
    second = cache.FindingCache(tmp_path).resolve(ODD, "a/copyright")
    assert second == first == resolve_copyright(ODD, "a/copyright")


def test_one_content_at_two_places_names_each_place(tmp_path: Path) -> None:
    findings = cache.FindingCache(tmp_path)
    assert findings.resolve(ODD, "a").evidence == "a"
    assert findings.resolve(ODD, "b").evidence == "b"
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"expression": 1}', b"\xff"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, damage: bytes) -> None:
    expected = cache.FindingCache(tmp_path).resolve(ODD, "a")
    entries(tmp_path)[0].write_bytes(damage)
    assert cache.FindingCache(tmp_path).resolve(ODD, "a") == expected


def test_an_entry_under_a_wrong_name_is_not_believed(tmp_path: Path) -> None:
    cache.FindingCache(tmp_path).resolve(b"Copyright 2000 X\n", "a")
    wrong = entries(tmp_path)[0].read_bytes()
    cache.FindingCache(tmp_path).resolve(ODD, "a")
    for path in entries(tmp_path):
        path.write_bytes(wrong)
    assert cache.FindingCache(tmp_path).resolve(ODD, "a") == resolve_copyright(ODD, "a")


def test_other_rules_use_other_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.FindingCache(tmp_path).resolve(ODD, "a")
    monkeypatch.setattr(cache, "_rules_digest", lambda: "other")
    cache.FindingCache(tmp_path).resolve(ODD, "a")
    assert len(entries(tmp_path)) == 2


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    assert cache.FindingCache(blocked).resolve(ODD, "a") == resolve_copyright(ODD, "a")
