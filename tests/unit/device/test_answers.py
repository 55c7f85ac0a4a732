# SPDX-License-Identifier: MIT
"""A device's lines are answers, or nothing, or refused; what they say is safe to print."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.device.answers import AnswerError, Status, encode_request, parse_answer, plain, typed
from orchestrator.device.stream import LINE_LIMIT
from orchestrator.errors import ConfigError
from tests.unit.device.fake import STATUS

TEXT = st.text(st.characters(codec="utf-8"), max_size=9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def test_the_last_object_of_an_answer_has_ok_or_error() -> None:
    done, failed, part = (parse_answer(line) for line in (b'{"ok":true,"n":1}', b'{"error":"no"}\r', b'{"line":"x"}'))
    assert done is not None and failed is not None and part is not None
    assert (done.final, done.error, done.value) == (True, None, {"n": 1})
    assert (failed.final, failed.error) == (True, "no")
    assert (part.final, part.value) == (False, {"line": "x"})


@pytest.mark.parametrize(
    "line", [b"", b"  \r", b"[    1.0] usb 1-1: new device", b"login: ", b"[1]", b'"ok"', b"\xff\x00"]
)
def test_what_is_no_object_is_passed_over(line: bytes) -> None:
    assert parse_answer(line) is None


@pytest.mark.parametrize(
    "line",
    [
        b"{", b'{"ok":true', b'{"ok":false}', b'{"ok":1}', b'{"error":1}', b'{"error":null}', b'{"error":"x","ok":1}',
        b'{"ok":true,"ok":true}', b'{"a":NaN}', b'{"a":"\xff"}', b"{" + b'"a":[' * 40 + b"1" + b"]" * 40 + b"}",
        b'{"a":"\\ud800"}',
    ],
)  # fmt: skip
def test_what_begins_like_an_answer_and_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(AnswerError) as caught:
        parse_answer(line)
    assert caught.value.exit_code == 75


@given(st.binary(max_size=300) | st.builds(lambda rest: b"{" + rest, st.binary(max_size=300)))
def test_any_line_is_an_answer_or_nothing_or_refused(line: bytes) -> None:
    try:
        answer = parse_answer(line)
    except AnswerError:
        return
    assert answer is None or isinstance(answer.value, dict)


@given(st.dictionaries(TEXT, JSON, max_size=5))
def test_what_a_device_says_is_what_is_read(value: dict[str, object]) -> None:
    members = {name: member for name, member in value.items() if name not in ("ok", "error")}
    for final in (True, False):
        said = {**members, "ok": True} if final else members
        answer = parse_answer(json.dumps(said, ensure_ascii=False).encode())
        assert answer is not None
        assert (answer.final, answer.value) == (final, members)


def test_a_text_cannot_steer_the_terminal() -> None:
    assert plain("\x1b[2Jgone\x07\x9b1m\ttab\r\n") == "�[2Jgone��1m\ttab��"
    answer = parse_answer(json.dumps({"error": "\x1b]0;x"}).encode())
    assert answer is not None and answer.error is not None and "\x1b" not in answer.error


def test_a_newer_devices_members_are_passed_over_and_wrong_ones_refused() -> None:
    status = typed({**STATUS, "future": {"a": 1}}, Status, "status")
    assert status.record is not None
    assert (status.uptime_ms, status.record.try_, status.record.left) == (3_600_000, None, 0)
    for change in ({"uptimeMs": -1}, {"state": None}, {"trial": {}}, {"storage": 5}):
        with pytest.raises(AnswerError, match="the device's answer to status"):
            typed({**STATUS, **change}, Status, "status")


def test_a_request_that_no_device_reads_is_not_sent() -> None:
    assert encode_request("exec", {"command": ["a"]}) == b'{"command":["a"],"verb":"exec"}\n'
    with pytest.raises(ConfigError, match="too long"):
        encode_request("exec", {"command": ["x" * LINE_LIMIT]})
    with pytest.raises(ConfigError, match="no text"):
        encode_request("exec", {"command": ["\udcff"]})
