# SPDX-License-Identifier: MIT
"""A chunk index has one form, and whatever else comes is refused in words."""

from __future__ import annotations

import hashlib
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.delta import ChunkIndex, cut, decode_index, make_index
from orchestrator.delta.index import size_of_index
from orchestrator.errors import VerificationError

DATA = random.Random(3).randbytes(300_000)
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()
INDEX = make_index(DIGEST, len(DATA), cut(io.BytesIO(DATA)))
GOOD = INDEX.encode()


def refused(data: bytes, match: str = "") -> None:
    with pytest.raises(VerificationError, match=match or None) as caught:
        decode_index(data, DIGEST, len(DATA))
    assert caught.value.hint


def test_an_index_is_read_as_it_was_written():
    assert decode_index(GOOD, DIGEST, len(DATA)) == INDEX
    assert list(INDEX.chunks()) == list(cut(io.BytesIO(DATA)))
    assert [offset for offset, _, _ in INDEX.located()][:2] == [0, next(INDEX.chunks())[0]]
    assert len(INDEX) == len(list(INDEX.chunks()))
    assert len(GOOD) <= size_of_index(len(DATA))


def test_its_bytes_are_those_of_the_specification():
    assert GOOD[:8] == b"PCCHUNKS"
    assert GOOD[8:12] == b"\0\1\0\1"
    assert int.from_bytes(GOOD[12:16], "big") == len(INDEX)
    assert int.from_bytes(GOOD[16:24], "big") == len(DATA)
    assert GOOD[24:56].hex() == DIGEST.removeprefix("sha256:")
    length = int.from_bytes(GOOD[56:58], "big") + 1
    assert GOOD[58:70] == hashlib.sha256(DATA[:length]).digest()[:12]
    assert len(GOOD) == 56 + 14 * len(INDEX)
    assert hashlib.sha256(GOOD).hexdigest() == "a7a4c543f11e28db962d78c5ee3f2e896fd37349821984648182aa8acf5d0cee"


@pytest.mark.parametrize(
    ("at", "to", "why"),
    [
        (0, b"pcchunks", "begin"),
        (8, b"\0\2", "version"),
        (10, b"\0\2", "rule 2"),
        (12, b"\0\0\0\1", "announces"),
        (12, b"\xff\xff\xff\xff", "announces"),
        (16, b"\xff" * 8, "another blob"),
        (24, bytes(32), "another blob"),
        (56, b"\0\0", "do not make"),
        (56, b"\xff\xff", "do not make"),
    ],
)
def test_a_field_that_is_wrong_is_named(at: int, to: bytes, why: str):
    refused(GOOD[:at] + to + GOOD[at + len(to) :], why)


@pytest.mark.parametrize("data", [b"", GOOD[:55], GOOD[:-1], GOOD + b"\0", GOOD + GOOD[-14:]])
def test_a_length_that_is_wrong_is_refused(data: bytes):
    refused(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes):
    refused(data)


@given(at=st.integers(0, len(GOOD) - 1), flip=st.integers(1, 255))
def test_a_flipped_byte_is_refused_or_changes_one_chunk(at: int, flip: int):
    changed = bytearray(GOOD)
    changed[at] ^= flip
    try:
        found = decode_index(bytes(changed), DIGEST, len(DATA))
    except VerificationError:
        return
    assert (at - 56) % 14 >= 2  # the digest of a chunk: only the whole blob's tells
    assert sum(one != other for one, other in zip(found.chunks(), INDEX.chunks(), strict=True)) == 1


def test_chunks_that_are_not_the_blob_make_no_index():
    with pytest.raises(ValueError, match="do not make"):
        make_index(DIGEST, len(DATA) + 1, cut(io.BytesIO(DATA)))


def test_an_empty_blob_has_an_index_of_no_chunks():
    digest = "sha256:" + hashlib.sha256(b"").hexdigest()
    index = make_index(digest, 0, iter(()))
    assert decode_index(index.encode(), digest, 0) == ChunkIndex(digest, 0, b"")
