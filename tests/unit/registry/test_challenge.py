# SPDX-License-Identifier: MIT
"""WWW-Authenticate is read as RFC 9110 writes it, and nonsense in it leads to nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.registry.challenge import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('Basic realm="x"', [Challenge("basic", {"realm": "x"})]),
        ("Basic", [Challenge("basic", {})]),
        (
            'Bearer realm="https://a.example/t?x=1,2",service="s",scope="repository:a/b:pull,push"',
            [
                Challenge(
                    "bearer",
                    {"realm": "https://a.example/t?x=1,2", "service": "s", "scope": "repository:a/b:pull,push"},
                )
            ],
        ),
        (
            'Basic realm="a \\"b\\"" , Bearer realm=c , service = d',
            [Challenge("basic", {"realm": 'a "b"'}), Challenge("bearer", {"realm": "c", "service": "d"})],
        ),
        ('Negotiate, Basic realm="x"', [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})]),
        ('Negotiate abc/+==, Basic realm="x"', [Challenge("negotiate", {}), Challenge("basic", {"realm": "x"})]),
        ('BEARER REALM="x"', [Challenge("bearer", {"realm": "x"})]),
        ('Basic realm="unclosed', [Challenge("basic", {})]),
        ("=,=", []),
        ("", []),
        ("x" * 9000, []),
    ],
)
def test_challenges_are_read(line: str, expected: list[Challenge]):
    assert parse_challenges([line]) == expected


def test_several_lines_are_several_challenges():
    found = parse_challenges(['Bearer realm="a"', 'Basic realm="b"'])
    assert [each.scheme for each in found] == ["bearer", "basic"]


@given(st.lists(st.text(max_size=60) | st.text(alphabet='Ba ="\\,', max_size=60), max_size=3))
def test_any_header_is_read_without_harm(lines: list[str]):
    for each in parse_challenges(lines):
        assert each.scheme == each.scheme.lower()
