# SPDX-License-Identifier: MIT
"""What the kernel unpacks is exactly what was put in."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import BuildError
from orchestrator.revision import initramfs_with_facts, newc, product_facts

KEYS = [("b" * 64, "QkI="), ("a" * 64, "QUE=")]


def unpack(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """A reader of newc by its description: names to mode and content; checks the alignment and the padding."""
    members: dict[str, tuple[int, bytes]] = {}
    position = 0
    while True:
        assert position % 4 == 0
        assert archive[position : position + 6] == b"070701"
        fields = [int(archive[position + 6 + 8 * index :][:8], 16) for index in range(13)]
        name_start = position + 110
        name = archive[name_start : name_start + fields[11] - 1].decode()
        assert archive[name_start + fields[11] - 1] == 0
        data_start = (name_start + fields[11] + 3) // 4 * 4
        position = (data_start + fields[6] + 3) // 4 * 4
        assert not any(archive[data_start + fields[6] : position])
        if name == "TRAILER!!!":
            assert position == len(archive)
            return members
        assert (fields[2], fields[3], fields[5]) == (0, 0, 0), "root's, and without a time"
        assert fields[4] == (2 if fields[1] & 0o040000 else 1)
        members[name] = (fields[1], archive[data_start : data_start + fields[6]])


def test_the_facts_are_those_of_the_contract():
    facts = product_facts("demo", "qemu-amd64", KEYS, threshold=2)
    assert facts == product_facts("demo", "qemu-amd64", KEYS[::-1], threshold=2)
    assert json.loads(facts) == {
        "schemaVersion": 1,
        "product": "demo",
        "machine": "qemu-amd64",
        "floor": 0,
        "threshold": 2,
        "keys": [{"keyid": "a" * 64, "public": "QUE="}, {"keyid": "b" * 64, "public": "QkI="}],
    }


@pytest.mark.parametrize("threshold", [0, 3, -1])
def test_facts_that_would_trust_nothing_or_everything_are_refused(threshold: int):
    with pytest.raises(BuildError, match="trust"):
        product_facts("demo", "m", KEYS, threshold=threshold)


def test_more_keys_than_a_device_takes_are_refused():
    many = [(f"{number:064x}", "QUE=") for number in range(17)]
    with pytest.raises(BuildError, match="too many keys"):
        product_facts("demo", "m", many)
    assert product_facts("demo", "m", many[:16])


@pytest.mark.parametrize("length", range(8))
def test_the_facts_follow_the_initramfs_on_a_boundary_of_four_bytes(tmp_path: Path, length: int):
    first = b"\x28\xb5\x2f\xfd" + b"z" * length
    (tmp_path / "initramfs").write_bytes(first)
    blob = initramfs_with_facts(tmp_path / "initramfs", b"{}")
    start = (len(first) + 3) // 4 * 4
    assert blob[:start] == first.ljust(start, b"\0")
    assert unpack(blob[start:]) == {
        "etc": (0o040755, b""),
        "etc/pycontainer": (0o040755, b""),
        "etc/pycontainer/product.json": (0o100644, b"{}"),
    }


def test_a_file_that_is_no_initramfs_is_refused(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"#!/bin/sh")
    with pytest.raises(BuildError, match="not an initramfs"):
        initramfs_with_facts(tmp_path / "x", b"{}")
    with pytest.raises(BuildError, match="cannot read"):
        initramfs_with_facts(tmp_path / "none", b"{}")


@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}/[a-z]{1,9}\.x", fullmatch=True), st.binary(max_size=50), max_size=4))
def test_any_files_come_out_of_the_archive_as_they_went_in(files: dict[str, bytes]):
    members = unpack(newc(files))
    assert {name: data for name, (mode, data) in members.items() if mode == 0o100644} == files
    assert list(members) == sorted(members), "folders come before what they hold"


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a//b", "a/../b", "a/"])
def test_a_path_that_is_not_plain_never_enters_the_initramfs(name: str):
    with pytest.raises(BuildError, match="plain"):
        newc({name: b""})


@pytest.mark.skipif(shutil.which("cpio") is None, reason="the program cpio is the judge here")
def test_cpio_reads_the_archive(tmp_path: Path):
    archive = newc({"etc/pycontainer/product.json": b'{"a":1}'})
    subprocess.run(["cpio", "-id", "--quiet"], input=archive, cwd=tmp_path, check=True)
    assert (tmp_path / "etc" / "pycontainer" / "product.json").read_bytes() == b'{"a":1}'
