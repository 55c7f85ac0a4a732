# SPDX-License-Identifier: MIT
"""Whatever the bytes are, a parser gives a value or one explained error."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.canonical import canonical_json, sha256_digest
from orchestrator.errors import VerificationError
from orchestrator.oci import MANIFEST_TYPE, Descriptor, Manifest, canonical_bytes, decode_index, decode_manifest
from orchestrator.oci.strict import load_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def describe(data: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=sha256_digest(data), size=len(data))


GOOD = canonical_bytes(
    Manifest(
        schema_version=2,
        media_type=MANIFEST_TYPE,
        config=describe(b"{}", "application/x"),
        layers=[describe(b"layer", "application/y")],
        subject=describe(b"subject", MANIFEST_TYPE),
    )
)


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_explained(data: bytes):
    for decoder in (decode_manifest, decode_index):
        with pytest.raises(VerificationError):
            decoder(data)


@given(JSON)
def test_any_json_survives_the_round_trip(value):
    data = json.dumps(value).encode()
    assert load_json(data, "it", limit=1 << 20) == value
    assert load_json(canonical_json(value), "it", limit=1 << 20, canonical=True) == value


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_manifest_with_one_wrong_byte_is_decoded_or_explained(position: int, byte: int):
    data = bytearray(GOOD)
    data[position] = byte
    try:
        decode_manifest(bytes(data))
    except VerificationError as problem:
        assert problem.why


@given(st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "subject"]), JSON)
def test_a_manifest_with_one_wrong_member_is_decoded_or_explained(name: str, value):
    changed = {**json.loads(GOOD), name: value}
    try:
        decode_manifest(json.dumps(changed).encode())
    except VerificationError as problem:
        assert problem.why


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a":1,"a":2}', "given twice"),
        (b'{"a":{"b":1,"b":1}}', "given twice"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b"[-Infinity]", "not JSON"),
        (b'"\xff"', "utf-8"),
        (b'"\\ud800"', "surrogates"),
        (b"[" * 33 + b"]" * 33, "deeper"),
        (b"[" * 1_000_000, "deeper"),
        (b"1" * 5000, "digits"),
        (b'{"a":1} x', "Extra data"),
    ],
)
def test_json_that_two_parsers_may_read_in_two_ways_is_refused(data: bytes, why: str):
    with pytest.raises(VerificationError) as caught:
        load_json(data, "it", limit=1 << 21)
    assert why in caught.value.why


@pytest.mark.parametrize("data", [b'{"b":1,"a":2}', b'{ "a":1}', b'{"a":1}\n', b'"\\u0041"', b"1.0e0"])
def test_another_spelling_is_not_canonical(data: bytes):
    assert load_json(data, "it", limit=100) is not None
    with pytest.raises(VerificationError, match="canonical"):
        load_json(data, "it", limit=100, canonical=True)


def test_brackets_within_strings_do_not_count_as_depth():
    assert load_json(json.dumps(["[" * 100 + '\\"{{']).encode(), "it", limit=1000)


def test_a_text_cut_within_a_string_takes_no_long_time():
    data = b'"' + b'\\"' * 1_000_000
    start = time.process_time()
    with pytest.raises(VerificationError):
        load_json(data, "it", limit=1 << 22)
    assert time.process_time() - start < 5


def test_a_text_over_the_limit_is_refused_before_it_is_parsed():
    with pytest.raises(VerificationError, match="too large"):
        load_json(b"[" * 101, "it", limit=100)
