# SPDX-License-Identifier: MIT
"""Where blobs are cut is a format: it never changes, and a change of content changes only what is near it."""

from __future__ import annotations

import hashlib
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.delta import cut
from orchestrator.delta.cutter import DIGEST, LEAST, MOST
from tests.unit.delta.reference import cut_by_the_book

NOISE = random.Random(1).randbytes(1_000_000)
TEXT = b"".join(b"line %d\n" % number for number in range(60_000))
VECTORS = {
    "noise": (NOISE, 58, "61e46d95e0af139754043ea04c7076830067b787b94b94f65719a8c07940329e"),
    "zeros": (bytes(300_000), 5, "e0608e30c552723d9b37f2dea1518d42a9d7ce71a5f838278cf63da7c8518f3a"),
    "text": (TEXT, 40, "cd52a520aa75a92b633f7fbc6a3bab4e40c1e600ff34d6d1065e223e2108a0ec"),
    "few": (b"x" * 100, 1, "ad57366865126e55649ecb23ae1d48887544976efea46a48eb5d85a6eeb4d306"),
    "none": (b"", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
}


def lengths(data: bytes) -> list[int]:
    return [length for length, _ in cut(io.BytesIO(data))]


@pytest.mark.parametrize("name", VECTORS)
def test_the_cuts_are_those_that_were_published(name: str):
    data, count, digest = VECTORS[name]
    found = lengths(data)
    assert len(found) == count
    assert hashlib.sha256("\n".join(map(str, found)).encode()).hexdigest() == digest


@pytest.mark.parametrize("data", [NOISE[:200_001], TEXT[:200_000], bytes(70_001)], ids=["noise", "text", "zeros"])
def test_the_cuts_are_those_of_the_written_rule(data: bytes):
    assert lengths(data) == cut_by_the_book(data)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(0, 30_000), letters=st.integers(1, 256))
def test_any_bytes_are_cut_by_the_rule(seed: int, size: int, letters: int):
    source = random.Random(seed)
    data = bytes(source.randrange(letters) for _ in range(size))
    found = lengths(data)
    assert found == cut_by_the_book(data)
    assert all(LEAST <= length <= MOST for length in found[:-1])


def test_chunks_are_named_by_their_content():
    at = 0
    for length, digest in cut(io.BytesIO(NOISE)):
        assert digest == hashlib.sha256(NOISE[at : at + length]).digest()[:DIGEST]
        at += length
    assert at == len(NOISE)


class Drops(io.RawIOBase):
    """Gives few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes) -> None:
        self.inner = io.BytesIO(data)

    def readinto(self, buffer) -> int:
        return self.inner.readinto(memoryview(buffer)[:1000])


def test_it_does_not_matter_in_which_pieces_a_stream_comes():
    assert list(cut(Drops(NOISE))) == list(cut(io.BytesIO(NOISE)))


def test_what_is_put_in_changes_the_chunks_around_it_only():
    before = set(cut(io.BytesIO(NOISE)))
    after = list(cut(io.BytesIO(NOISE[:500_000] + b"new" + NOISE[500_000:])))
    assert 1 <= len([chunk for chunk in after if chunk not in before]) <= 4


def test_the_compiled_cutter_is_in_use():
    import pyfastcdc

    assert pyfastcdc.FastCDC.__module__.startswith("pyfastcdc.cy"), "the slow one makes a push of 100 MB take minutes"
