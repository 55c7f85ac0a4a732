# SPDX-License-Identifier: MIT
"""Bytes that are named by their content, and reading that has an end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.canonical import canonical_json, hex_of, read_limited, remove_leftovers, write_atomically
from orchestrator.deploy import Deploy
from orchestrator.errors import BuildError, ConfigError
from orchestrator.image.flash import load_map
from orchestrator.layers.seccomp import load_profile
from orchestrator.product import load_product


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file of a terabyte of holes: whoever reads it whole runs out of memory."""
    path = tmp_path / "endless"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    return path


def test_reading_ends_one_byte_after_the_limit(endless: Path) -> None:
    assert len(read_limited(endless, 10)) == 11
    (endless.parent / "short").write_bytes(b"abc")
    assert read_limited(endless.parent / "short", 10) == b"abc"


def test_files_that_a_user_names_are_refused_when_they_have_no_end(endless: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="too large"):
        load_product(endless)
    with pytest.raises(ConfigError, match="cannot be used"):
        load_map(tmp_path / "image", endless)
    with pytest.raises(BuildError):
        load_profile(endless)
    endless.rename(tmp_path / "pycontainer-deploy.json")
    with pytest.raises(BuildError, match="too large"):
        Deploy(tmp_path)


def test_only_what_dead_processes_left_is_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    for number in (dead.pid, os.getpid(), os.getppid(), 10**30):
        (tmp_path / f".work-{number}-x" / "inner").mkdir(parents=True)
    (tmp_path / ".work-x").write_bytes(b"")
    remove_leftovers(tmp_path, r"\.work-(\d+)-.*")
    left = {f".work-{os.getpid()}-x", f".work-{os.getppid()}-x", ".work-x"}
    assert {path.name for path in tmp_path.iterdir()} == left
    remove_leftovers(tmp_path / "nothing", r"(\d+)")


def test_equal_values_give_equal_bytes() -> None:
    assert canonical_json({"b": [1, "ü"], "a": None}) == '{"a":null,"b":[1,"ü"]}'.encode()
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:" + "A" * 64, "sha256:" + "a" * 64 + "\n", "md5:" + "a" * 32])
def test_only_a_digest_becomes_part_of_a_path(text: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256 digest"):
        hex_of(text)


def test_a_writer_removes_what_a_killed_one_left_of_the_same_file(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    for name in (f".config.{dead.pid}.tmp", f".other.{dead.pid}.tmp", f".config.{os.getppid()}.tmp"):
        (tmp_path / name).write_bytes(b"half")
    write_atomically(tmp_path / "config", b"whole")
    left = {"config", f".other.{dead.pid}.tmp", f".config.{os.getppid()}.tmp"}
    assert {path.name for path in tmp_path.iterdir()} == left
