# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from debian_inspector.version import Version
from hypothesis import given
from hypothesis import strategies as st
from pycontainer_debian.version import satisfies, version_key

ORDERED = [
    "1~~",
    "1~~a",
    "1~",
    "1~rc1-1",
    "1",
    "1-0.1",
    "1-1~bpo1",
    "1-1",
    "1-1+b1",
    "1.0a",
    "1.0+a",
    "1.2",
    "1.10",
    "1:0",
]
VERSIONS = st.from_regex(r"([0-9]:)?[0-9][0-9a-z.+~]{0,8}[0-9](-[0-9a-z.+~]{0,4}[0-9])?", fullmatch=True)


def test_versions_sort_as_policy_orders_them() -> None:
    assert sorted(ORDERED, key=version_key) == ORDERED


def test_a_missing_revision_equals_revision_zero() -> None:
    assert version_key("1.0") == version_key("1.0-0")


def test_leading_zeros_do_not_count() -> None:
    assert satisfies("1.007", "=", "1.7")


@given(VERSIONS, VERSIONS)
def test_the_order_agrees_with_another_implementation(one: str, two: str) -> None:
    theirs = Version.from_string(one), Version.from_string(two)
    ours = version_key(one), version_key(two)
    assert (ours[0] < ours[1]) == (theirs[0] < theirs[1])
    assert (ours[0] > ours[1]) == (theirs[0] > theirs[1])


@pytest.mark.parametrize(("operator", "holds"), [("<<", False), ("<=", True), ("=", True), (">=", True), (">>", False)])
def test_equal_versions_fulfil_the_operators_that_include_equality(operator: str, holds: bool) -> None:
    assert satisfies("2.1-3", operator, "2.1-3") is holds


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(ValueError, match="operator"):
        satisfies("1", "~", "1")


def test_an_epoch_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="epoch"):
        version_key("x:1")
