# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from orchestrator.image.envblock import SIZE, boot_env, decode, encode

HEAD = b"# GRUB Environment Block\n"


def block(body: bytes) -> bytes:
    return (HEAD + body).ljust(SIZE, b"#")


def test_the_bytes_are_those_that_grub_writes() -> None:
    assert encode({"kernel_args": "console=ttyS0 quiet"}) == block(b"kernel_args=console=ttyS0 quiet\n")


@given(st.dictionaries(st.text("abcxyz_", min_size=1, max_size=9), st.text("ab =#01.", max_size=20), max_size=8))
def test_what_is_encoded_is_read_back(variables: dict[str, str]) -> None:
    assert decode(encode(variables)) == variables


@given(st.binary(max_size=SIZE))
def test_any_bytes_are_read_without_an_error(body: bytes) -> None:
    decode(block(body)[:SIZE])
    decode(body)


@pytest.mark.parametrize(
    ("body", "variables"),
    [
        (b"a=1\na=2\n", {"a": "2"}),
        (b"# a remark\na=1\n", {"a": "1"}),
        (b"a=x\\\\y\n", {"a": "x\\y"}),
        (b"a=x\\\ny\nb=1\n", {"a": "x\ny", "b": "1"}),
        (b"a=1", {}),
        (b"nothing\na=1\n", {"nothing\na": "1"}),
    ],
)
def test_reading_is_as_lenient_as_grub(body: bytes, variables: dict[str, str]) -> None:
    assert decode(block(body)) == variables


@pytest.mark.parametrize("data", [b"", HEAD, bytes(SIZE), block(b"a=1\n") + b"#", b"X" + block(b"")[1:]])
def test_what_is_not_a_block_is_none(data: bytes) -> None:
    assert decode(data) is None


@pytest.mark.parametrize(("name", "value"), [("A", "1"), ("a b", "1"), ("a", "1\n"), ("a", "\\"), ("a", "x" * SIZE)])
def test_what_grub_would_not_read_back_is_not_written(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="GRUB"):
        encode({name: value})


def test_kernel_arguments_become_one_line() -> None:
    assert decode(boot_env(["console=ttyS0,115200", "quiet"])) == {"kernel_args": "console=ttyS0,115200 quiet"}


@pytest.mark.parametrize("argument", ["", "a b", "$x", "a*", "it's", 'dyndbg="x"', "a\\b", "a;b\n", "{a}", "[a]", "a?"])
def test_an_argument_that_grub_would_change_is_refused(argument: str) -> None:
    with pytest.raises(ConfigError, match="cannot be passed"):
        boot_env([argument])


def test_a_command_line_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="too long"):
        boot_env(["a" * 500, "b" * 500])
