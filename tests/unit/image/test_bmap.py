# SPDX-License-Identifier: MIT
from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError, PyContainerError, VerificationError
from orchestrator.image.bmap import BLOCK, RANGE_LIMIT, BlockMap, decode, encode, map_image, path_for, spans


def mapped(image: Path, used: list[tuple[int, int]]) -> BlockMap:
    with image.open("rb") as stream:
        return map_image(stream.fileno(), image.stat().st_size, used)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(b"".join(bytes([number]) * BLOCK for number in range(10)) + b"end")
    return path


@given(st.lists(st.tuples(st.integers(0, 20000), st.integers(0, 9000)), max_size=20))
def test_spans_cover_exactly_the_used_blocks_in_order(pairs: list[tuple[int, int]]) -> None:
    used = [(first, first + length) for first, length in pairs]
    result = spans(used)
    assert {block for first, last in result for block in range(first, last + 1)} == {
        block for first, last in used for block in range(first, last + 1)
    }
    assert all(one[1] < other[0] for one, other in itertools.pairwise(result))
    assert all(last - first < RANGE_LIMIT for first, last in result)


def test_ranges_carry_the_digest_of_their_bytes_and_the_last_block_may_be_short(image: Path) -> None:
    result = mapped(image, [(0, 1), (10, 10)])
    assert result.ranges[0].sha256 == hashlib.sha256(bytes(BLOCK) + b"\1" * BLOCK).hexdigest()
    assert result.ranges[1].sha256 == hashlib.sha256(b"end").hexdigest()
    assert (result.mapped_blocks, result.mapped_bytes) == (3, 2 * BLOCK + 3)


def test_a_map_survives_writing_and_reading(image: Path) -> None:
    result = mapped(image, [(0, 0), (3, 7), (9, 10)])
    assert decode(encode(result)) == result
    assert encode(result) == encode(result)


def test_a_changed_digit_is_noticed(image: Path) -> None:
    data = encode(mapped(image, [(0, 4)]))
    with pytest.raises(VerificationError, match="damaged"):
        decode(data.replace(b"0-4", b"0-5"))


@pytest.mark.parametrize(
    "change",
    [
        (b'version="2.0"', b'version="1.4"'),
        (b" sha256 ", b" sha1 "),
        (b" 4096 ", b" 512 "),
        (b"<BlockMap>", b"<!DOCTYPE x><BlockMap>"),
        (b"</bmap>", b""),
        (b"0-4", b"4-0"),
        (b"0-4", b"0-x"),
        (b"chksum", b"checksum"),
        (b"<ImageSize>", b"<Size>"),
        (b"> 5 <", b"> 7 <"),
    ],
)
def test_what_is_not_a_map_of_ours_is_refused(image: Path, change: tuple[bytes, bytes]) -> None:
    data = encode(mapped(image, [(0, 4)]))
    old = data.split(b"FileChecksum> ")[1][:64]
    assert change[0] in data
    data = data.replace(*change).replace(old, b"0" * 64)
    data = data.replace(b"0" * 64, hashlib.sha256(data).hexdigest().encode(), 1)
    with pytest.raises(ConfigError):
        decode(data)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_give_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(PyContainerError):
        decode(data)


@pytest.mark.skipif(shutil.which("bmaptool") is None, reason="bmap-tools are not installed")
def test_bmaptool_accepts_the_map_and_notices_a_flipped_bit(image: Path, tmp_path: Path) -> None:
    path_for(image).write_bytes(encode(mapped(image, [(0, 1), (5, 5), (10, 10)])))
    copy = tmp_path / "copy"
    subprocess.run(["bmaptool", "copy", str(image), str(copy)], check=True, capture_output=True)
    with copy.open("rb") as stream:
        assert os.pread(stream.fileno(), BLOCK, 5 * BLOCK) == b"\5" * BLOCK
        assert os.pread(stream.fileno(), BLOCK, 4 * BLOCK) == bytes(BLOCK)
    data = bytearray(image.read_bytes())
    data[5 * BLOCK] ^= 1
    image.write_bytes(data)
    assert subprocess.run(["bmaptool", "copy", str(image), str(copy)], capture_output=True).returncode != 0
