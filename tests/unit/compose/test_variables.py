# SPDX-License-Identifier: MIT
"""Variables are replaced as the Compose Specification has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.compose.variables import interpolate, read_env_file, substitute
from orchestrator.errors import ConfigError

KNOWN = {"A": "a", "EMPTY": "", "LOWER_1": "l"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$A", "a"),
        ("${A}b", "ab"),
        ("$A-$LOWER_1.", "a-l."),
        ("$$A", "$A"),
        ("$$$A", "$a"),
        ("cost: 5$", "cost: 5$"),
        ("$1 $(x) $", "$1 $(x) $"),
        ("${A:-x}${EMPTY:-x}${EMPTY-x}${NO:-x}${NO-x}", "axxx"),
        ("${A:+x}${EMPTY:+x}${EMPTY+x}${NO+x}", "xx"),
        ("${NO:-${ALSO:-$A}}", "a"),
        ("${NO:-a-b:c}", "a-b:c"),
        ("${A:?no}${EMPTY?no}", "a"),
        ("${NO}", ""),
    ],
)
def test_each_form_of_a_variable(text, result):
    assert substitute(text, KNOWN, {}, "x") == result


@pytest.mark.parametrize(
    "text", ["${", "${A", "${}", "${A/x/y}", "${1}", "${NO:?it is needed}", "${EMPTY:?}", "${NO?x}"]
)
def test_what_is_no_variable_or_has_no_value_is_an_error(text):
    with pytest.raises(ConfigError):
        substitute(text, KNOWN, {}, "web.image")


def test_values_are_replaced_keys_are_not_and_the_unset_are_told():
    unset: dict[str, str] = {}
    value = {"$A": ["$A", {"k": "$NO$NO$ALSO"}], "n": None}
    assert interpolate(value, KNOWN, unset) == {"$A": ["a", {"k": ""}], "n": None}
    assert unset == {"NO": "$A.k", "ALSO": "$A.k"}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_text_is_replaced_or_refused_and_nothing_else(text):
    try:
        assert isinstance(substitute(text, KNOWN, {}, "x"), str)
    except ConfigError:
        assert "$" in text
    assert substitute(text.replace("$", "$$"), KNOWN, {}, "x") == text


names = st.from_regex(r"[A-Z_]{1,8}", fullmatch=True)


@given(st.dictionaries(names, st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF))))
def test_quoted_values_are_read_as_they_were_written(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("env") / ".env"
    lines = ""
    for name, text in values.items():
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
        lines += f'{name}="{escaped}"\n'
    path.write_text(lines)
    assert read_env_file(path, {}) == values


def test_an_env_file_in_all_its_forms(tmp_path: Path):
    path = tmp_path / "env"
    path.write_text(
        '# remark\n\nA=1\nB=\'two $A\'\nC="three $A"\nD=four # remark\nE=five# none\nF=\nG\nH="a\nb"\nexport I=$A\n'
    )
    assert read_env_file(path, {"G": "outside"}) == {
        "A": "1", "B": "two $A", "C": "three 1", "D": "four", "E": "five# none", "F": "", "G": "outside", "H": "a\nb",
        "I": "1",
    }  # fmt: skip
    path.write_text("A='$X' # all\n")
    assert read_env_file(path, {}, raw=True) == {"A": "'$X' # all"}
    for wrong in ('A="x\n', "A='x' y\n", "=x\n", "a b\n"):
        path.write_text(wrong)
        with pytest.raises(ConfigError):
            read_env_file(path, {})
