# SPDX-License-Identifier: MIT
"""A fingerprint changes with names, contents and executable bits, and with nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.build.stamp import file_state, read_stamp, tree_fingerprint, write_stamp
from orchestrator.errors import ConfigError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "t" / "sub").mkdir(parents=True)
    (tmp_path / "t" / "a").write_text("one")
    (tmp_path / "t" / "sub" / "b").write_text("two")
    (tmp_path / "t" / "link").symlink_to("a")
    return tmp_path / "t"


def test_times_and_place_do_not_matter(tree: Path, tmp_path: Path):
    before = tree_fingerprint([tree])
    os.utime(tree / "a", (1, 1))
    assert tree_fingerprint([tree]) == before
    moved = tmp_path / "elsewhere"
    tree.rename(moved)
    assert tree_fingerprint([moved]) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "a").write_text("ONE"),
        lambda tree: (tree / "a").chmod(0o755),
        lambda tree: (tree / "a").rename(tree / "c"),
        lambda tree: (tree / "new").write_text(""),
        lambda tree: ((tree / "link").unlink(), (tree / "link").symlink_to("sub")),
        lambda tree: ((tree / "a").write_text("o"), (tree / "sub" / "b").write_text("netwo")),
    ],
)
def test_each_change_shows(tree: Path, change):
    before = tree_fingerprint([tree])
    change(tree)
    assert tree_fingerprint([tree]) != before


def test_python_leftovers_do_not_matter(tree: Path):
    before = tree_fingerprint([tree])
    (tree / "__pycache__").mkdir()
    (tree / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert tree_fingerprint([tree]) == before


def test_a_missing_place_is_a_clear_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot read"):
        tree_fingerprint([tmp_path / "none"])


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_stamp_counts_as_none(tmp_path: Path, damage: bytes):
    path = tmp_path / "stamp.json"
    path.write_bytes(damage)
    assert read_stamp(path) == {}


def test_a_stamp_is_read_back(tmp_path: Path):
    write_stamp(tmp_path / "stamp.json", {"a": [1, "b"]})
    assert read_stamp(tmp_path / "stamp.json") == {"a": [1, "b"]}
    assert file_state(tmp_path / "none") == []
