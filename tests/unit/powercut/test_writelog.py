# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.powercut.writelog import FLUSH, FUA, MAGIC, SECTOR, LogError, parse

DISK = 64 * SECTOR
Request = tuple[int, bytes, int]


def log_of(requests: list[Request], count: int | None = None) -> bytes:
    """A log as QEMU writes it."""
    found = bytearray(
        struct.pack("<QQQI", MAGIC, 1, len(requests) if count is None else count, SECTOR).ljust(SECTOR, b"\0")
    )
    for sector, data, flags in requests:
        found += struct.pack("<QQQQ", sector, len(data) // SECTOR, flags, 0).ljust(SECTOR, b"\0") + data
    return bytes(found)


requests = st.lists(
    st.one_of(
        st.tuples(
            st.integers(0, 60), st.integers(1, 4).map(lambda n: bytes([n]) * n * SECTOR), st.sampled_from([0, FUA])
        ),
        st.just((0, b"", FLUSH)),
    )
)


@given(requests)
def test_what_was_logged_is_read(given_requests: list[Request]) -> None:
    found = parse(log_of(given_requests), DISK)
    assert [(e.offset // SECTOR, e.data, FLUSH * e.flush | FUA * e.fua) for e in found] == given_requests
    assert [entry.end for entry in found] == sorted(entry.end for entry in found)


@given(requests, st.integers(0, 5000))
def test_a_log_that_ends_early_is_read_up_to_its_last_whole_entry(given_requests: list[Request], length: int) -> None:
    whole = log_of(given_requests, count=0)
    cut = whole[: max(SECTOR, length)]
    found = parse(cut, DISK)
    assert found == parse(whole, DISK)[: len(found)]
    assert all(entry.end <= len(cut) for entry in found)


@given(st.binary(max_size=4 * SECTOR))
def test_rubbish_is_refused_or_read_but_never_worse(data: bytes) -> None:
    with contextlib.suppress(LogError):
        parse(data, DISK)


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (b"", "0 bytes"),
        (bytes(SECTOR), "magic"),
        (log_of([(0, b"", FLUSH)], count=2), "counts 2"),
        (log_of([(0, b"x" * SECTOR, 4)]), "flags 0x4"),
        (log_of([(0, b"x" * SECTOR, FLUSH)]), "flush with data"),
        (log_of([(64, b"x" * SECTOR, 0)]), "behind the disk's end"),
        (log_of([(5, b"", 0)]), "without data"),
    ],
)
def test_what_no_log_has_is_refused(damaged: bytes, why: str) -> None:
    with pytest.raises(LogError, match=why):
        parse(damaged, DISK)
