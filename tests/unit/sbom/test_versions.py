# SPDX-License-Identifier: MIT
"""The order of versions, against dpkg where it is."""

import random
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sbom.versions import compare_debian, compare_semantic


@pytest.mark.parametrize(
    ("one", "other", "order"),
    [
        ("1.0", "1.0-0", 0),
        ("1.9", "1.10", -1),
        ("1.0~rc1", "1.0", -1),
        ("1.0~~", "1.0~", -1),
        ("1.0-1", "1.0-1+deb13u1", -1),
        ("1.0-1~bpo1", "1.0-1", -1),
        ("1:0.1", "9.9", 1),
        ("1.0a", "1.0+", -1),
        ("1.0a", "1.0", 1),
        ("0", "00", 0),
        ("2-1-1", "2-1-2", -1),
    ],
)
def test_debian_versions_sort_as_policy_says(one: str, other: str, order: int) -> None:
    assert compare_debian(one, other) == order
    assert compare_debian(other, one) == -order


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is the oracle")
def test_debian_versions_sort_as_dpkg_sorts_them() -> None:
    chance = random.Random(11)
    versions = [
        "1" + "".join(chance.choices("019a~+.b", k=chance.randint(0, 5))) + chance.choice(["", "-1", "-1~a", "-0"])
        for _ in range(120)
    ]
    for one, other in zip(versions[::2], versions[1::2], strict=True):
        order = compare_debian(one, other)
        sign = {-1: "lt", 0: "eq", 1: "gt"}[order]
        assert subprocess.run(["dpkg", "--compare-versions", one, sign, other]).returncode == 0, (one, other, order)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_texts_have_an_order_without_contradiction(a: str, b: str, c: str) -> None:
    for compare in (compare_debian,):
        assert compare(a, b) == -compare(b, a)
        if compare(a, b) <= 0 and compare(b, c) <= 0:
            assert compare(a, c) <= 0


@pytest.mark.parametrize(
    ("one", "other", "order"),
    [
        ("1.0.0-alpha", "1.0.0-alpha.1", -1),
        ("1.0.0-alpha.1", "1.0.0-alpha.beta", -1),
        ("1.0.0-beta.2", "1.0.0-beta.11", -1),
        ("1.0.0-rc.1", "1.0.0", -1),
        ("v1.2.3", "1.2.3", 0),
        ("1.2", "1.2.0", 0),
        ("1.2.3+build", "1.2.3", 0),
        ("1.2.10", "1.2.9", 1),
        ("2024a", "2024b", -1),
    ],
)
def test_semantic_versions_sort_as_their_specification_says(one: str, other: str, order: int) -> None:
    assert compare_semantic(one, other) == order
    assert compare_semantic(other, one) == -order
