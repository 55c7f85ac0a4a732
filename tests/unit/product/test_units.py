# SPDX-License-Identifier: MIT
"""Sizes and durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.product.units import format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("64MiB", 2**26),
        ("64Mi", 2**26),
        ("2GB", 2 * 10**9),
        ("1.5 GiB", 3 * 2**29),
        ("1k", 1000),
    ],
)
def test_sizes_are_read(text: str, size: int):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1.2.3", "5 XB", "1e9", "٣", "1MiB\n1"])
def test_nonsense_is_no_size(text: str):
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize(("text", "value"), [("500ms", 500), ("10s", 10_000), ("1.5m", 90_000), ("2h", 7_200_000)])
def test_durations_are_read(text: str, value: int):
    assert parse_duration(text) == value


@pytest.mark.parametrize("text", ["10", "", "s", "-1s", "1d"])
def test_nonsense_is_no_duration(text: str):
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**15))
def test_a_printed_size_has_a_unit_and_at_most_one_decimal(size: int):
    number, unit = format_size(size).split(" ")
    assert unit in ("B", "kB", "MB", "GB", "TB")
    assert len(number.split(".")) == 1 or len(number.split(".")[1]) == 1
    assert unit == "TB" or float(number) < 1000
