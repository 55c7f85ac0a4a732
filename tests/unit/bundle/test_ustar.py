# SPDX-License-Identifier: MIT
"""The tar reader takes what a bundle has, whichever tar wrote it, and nothing else."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.bundle import create, open_bundle, ustar, verify
from orchestrator.errors import ConfigError, VerificationError
from tests.unit.bundle.conftest import Shop


def members(data: bytes) -> dict[str, ustar.Member]:
    return ustar.read_members(io.BytesIO(data), len(data))


def entry(name: str, content: bytes = b"") -> bytes:
    return ustar.header(name, len(content)) + content + ustar.padding(len(content))


def resealed(block: bytes) -> bytes:
    """A header with a right checksum again."""
    blank = block[:148] + b" " * 8 + block[156:512]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]


def changed(name: str, offset: int, value: bytes) -> bytes:
    block = bytearray(ustar.header(name, 0))
    block[offset : offset + len(value)] = value
    return resealed(bytes(block)) + ustar.ending()


def test_what_is_written_is_read() -> None:
    data = entry("index.json", b"{}") + entry("blobs/sha256/" + "a" * 64, b"x" * 513) + ustar.ending()
    found = members(data)
    assert {name: data[m.offset : m.offset + m.size] for name, m in found.items()} == {
        "index.json": b"{}",
        "blobs/sha256/" + "a" * 64: b"x" * 513,
    }


@pytest.mark.parametrize("form", ["ustar", "gnu"])
def test_a_folder_packed_by_tar_is_a_bundle(shop: Shop, tmp_path: Path, form: str) -> None:
    create(shop.store, [shop.first], shop.keys, tmp_path / "b")
    subprocess.run(["tar", "-C", tmp_path / "b", f"--format={form}", "-cf", tmp_path / "b.tar", "."], check=True)
    with open_bundle(tmp_path / "b.tar") as bundle:
        assert verify(bundle, shop.keys).revisions[0][1].passed


@pytest.mark.parametrize(
    "name", ["../index.json", "blobs/../../x", "/etc/passwd", "a//b", "blobs/./x", "a b", "x\0y", "ä", ".."]
)
def test_a_name_that_leads_out_is_refused(name: str) -> None:
    with pytest.raises(VerificationError, match="not a tar that is accepted") as caught:
        members(changed("x", 0, name.encode("latin-1").ljust(100, b"\0")))
    assert "not a plain relative one" in caught.value.why


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"6", b"x", b"g", b"L", b"S", b"7"])
def test_only_files_and_folders_are_accepted(kind: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        members(changed("index.json", 156, kind))
    assert "neither a file nor a folder" in caught.value.why


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "truncated"),
        (b"x" * 100, "truncated"),
        (entry("a", b"hello"), "truncated"),
        (entry("a", b"hello")[:600] + b"", "truncated"),
        (ustar.header("a", 10_000) + b"short" * 200, "truncated"),
        (entry("a") + entry("a") + ustar.ending(), "is there twice"),
        (entry("a") + ustar.ending() + b"more" * 128, "after the end mark"),
        (entry("a") + bytes(2 * 1024 * 1024), "after the end mark"),
        (bytes([1]) + entry("a")[1:] + ustar.ending(), "checksum"),
        (b"PK\3\4" + bytes(508), "not in the form ustar"),
        (changed("a", 124, b"\x80" + bytes(11)), "larger than a ustar header holds"),
        (changed("a", 124, b"0000000000x\0"), "no octal number"),
        (changed("a", 124, b"-0000000001\0"), "no octal number"),
        (changed("a", 257, b"ustar\0" + b"99"), "not in the form ustar"),
        (changed("a", 124, b"00000000001\0" + bytes(20) + b"5"), "has content"),
    ],
)
def test_a_malformed_tar_is_refused_with_its_reason(data: bytes, why: str) -> None:
    with pytest.raises(VerificationError) as caught:
        members(data)
    assert why in caught.value.why


def test_a_truncated_bundle_is_refused(shop: Shop, tmp_path: Path) -> None:
    create(shop.store, [shop.first], shop.keys, tmp_path / "b.tar")
    data = (tmp_path / "b.tar").read_bytes()
    for length in (0, 511, 512, 1000, len(data) // 2, len(data) - 1024):
        (tmp_path / "cut.tar").write_bytes(data[:length])
        with pytest.raises(VerificationError):
            open_bundle(tmp_path / "cut.tar")


def test_what_no_header_can_say_is_refused_before_anything_is_written() -> None:
    assert len(ustar.header("a", ustar.SIZE_LIMIT)) == 512
    with pytest.raises(ConfigError, match="too large for a tar"):
        ustar.header("a", ustar.SIZE_LIMIT + 1)


def test_python_reads_the_header() -> None:
    info = tarfile.TarInfo.frombuf(ustar.header("blobs/sha256/" + "0" * 64, ustar.SIZE_LIMIT), "ascii", "strict")
    assert (info.name, info.size, info.mode) == ("blobs/sha256/" + "0" * 64, ustar.SIZE_LIMIT, 0o644)


@given(st.binary(max_size=2048), st.integers(0, 1100))
def test_any_bytes_are_read_or_refused(noise: bytes, place: int) -> None:
    good = entry("index.json", b"{}") + ustar.ending()
    data = good[:place] + noise + good[place + len(noise) :]
    try:
        found = members(data)
    except VerificationError:
        return
    for name, member in found.items():
        assert ".." not in name.split("/")
        assert not name.startswith("/")
        assert member.offset + member.size <= len(data)
