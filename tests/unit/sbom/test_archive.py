# SPDX-License-Identifier: MIT
"""Reading chosen files of a tar without extracting it."""

import bz2
import gzip
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from orchestrator.errors import BuildError
from orchestrator.sbom import archive

from .sample import write_tar

NOISE = random.Random(1).randbytes(9000)


def read(path: Path) -> archive.Files:
    return archive.read(path, lambda name: name.endswith("copyright"))


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    files = read(
        write_tar(
            tmp_path / "a.tar",
            {
                "./doc/a/copyright": b"A",
                "./doc/b": "a",
                "./doc/c/copyright": "../b/copyright",
                "./doc/d/copyright": "=./doc/a/copyright",
                "./doc/e": "/doc/a",
                "./other": b"not wanted",
            },
        )
    )
    assert [files.get(f"doc/{name}/copyright") for name in "abcde"] == [b"A"] * 5
    assert files.paths() == ["doc/a/copyright"]
    assert files.get("doc/z/copyright") is None


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress])
def test_a_compressed_archive_is_read(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    path = write_tar(tmp_path / "a.tar", {"doc/b": "a", "doc/a/copyright": NOISE})
    path.write_bytes(compress(path.read_bytes()))
    assert read(path).get("doc/b/copyright") == NOISE
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(BuildError, match="cannot read"):
        read(path)


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    files = read(write_tar(tmp_path / "a.tar", {"a": "b", "b": "a", "c/copyright": "../../../../../etc/copyright"}))
    assert files.get("a/copyright") is None
    assert files.get("c/copyright") is None


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, b"\x1f\x8b broken gzip"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    with pytest.raises(BuildError, match="cannot read"):
        read(path)


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"a/copyright": b"x" * 5000})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BuildError, match="cannot read"):
        read(path)


def test_a_missing_archive_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"none\.tar"):
        read(tmp_path / "none.tar")


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MAX_FILE", 10)
    with pytest.raises(BuildError, match="too large"):
        read(write_tar(tmp_path / "a.tar", {"a/copyright": b"x" * 11}))
