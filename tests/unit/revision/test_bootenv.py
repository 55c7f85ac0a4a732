# SPDX-License-Identifier: MIT
"""What GRUB reads is exactly what was written, and what it would change is refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from orchestrator.revision.bootenv import BLOCK_SIZE, boot_env, decode, encode

HEAD = b"# GRUB Environment Block\n"
NAMES = st.text("abcxyz_", min_size=1, max_size=12)
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)


def block(body: bytes) -> bytes:
    return (HEAD + body).ljust(BLOCK_SIZE, b"#")


def test_the_bytes_are_those_that_grub_writes() -> None:
    assert encode({"kernel_args": "console=ttyS0 quiet"}) == block(b"kernel_args=console=ttyS0 quiet\n")
    assert encode({"a": "x\\y"}) == block(b"a=x\\\\y\n")


def test_variables_stand_in_the_order_in_which_they_were_given() -> None:
    assert encode({"rev": "1", "gen": "2"}) == block(b"rev=1\ngen=2\n")


@given(st.dictionaries(NAMES, PRINTABLE, max_size=6))
def test_variables_come_out_of_the_block_as_they_went_in(variables: dict[str, str]) -> None:
    data = encode(variables)
    assert len(data) == BLOCK_SIZE
    assert decode(data) == variables


@given(st.binary(max_size=BLOCK_SIZE) | st.text("ab=#\\\n", max_size=BLOCK_SIZE).map(str.encode))
def test_any_bytes_are_read_without_an_error(body: bytes) -> None:
    assert decode(block(body)[:BLOCK_SIZE]) is not None
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


@pytest.mark.parametrize("data", [b"", HEAD, bytes(BLOCK_SIZE), block(b"a=1\n") + b"#", b"X" + block(b"")[1:]])
def test_what_is_not_a_block_is_none(data: bytes) -> None:
    assert decode(data) is None


@pytest.mark.parametrize("name", ["A", "a b", "a=b", "a\n", "", "1"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="not a GRUB variable"):
        encode({name: "1"})


@pytest.mark.parametrize("value", ["x\nevil=1", "1\n", "\t", "ü", "\0"])
def test_a_value_that_is_not_printable_ascii_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="cannot hold"):
        encode({"a": value})


def test_kernel_arguments_become_one_line() -> None:
    assert boot_env(["console=ttyS0,115200", "quiet"]) == block(b"kernel_args=console=ttyS0,115200 quiet\n")


@pytest.mark.parametrize(
    "argument", ["", "a b", "$x", "a*", "it's", 'dyndbg="x"', "a\\b", "a;b\n", "{a}", "[a]", "a?", "ümlaut", "nul\0"]
)
def test_an_argument_that_grub_would_change_is_refused(argument: str) -> None:
    with pytest.raises(ConfigError, match="cannot be passed"):
        boot_env(["quiet", argument])


def test_variables_that_do_not_fit_say_how_many_bytes_they_need() -> None:
    with pytest.raises(ConfigError) as caught:
        boot_env(["x" * 1000])
    assert "they need 1038 bytes, 1024 are available" in caught.value.why
    assert len(encode({"a": "x" * 484}, within=512)) == BLOCK_SIZE
    with pytest.raises(ConfigError):
        encode({"a": "x" * 485}, within=512)


@pytest.mark.skipif(shutil.which("grub-editenv") is None, reason="GRUB's own tool is the judge here")
@pytest.mark.parametrize("value", ["quiet", "", "back\\slash", "a=b c", "#hash", "\\", "trailing "])
def test_grub_reads_the_same_values(tmp_path: Path, value: str) -> None:
    (tmp_path / "env").write_bytes(encode({"kernel_args": value, "z": "last"}))
    listed = subprocess.run(
        ["grub-editenv", tmp_path / "env", "list"], check=True, capture_output=True, text=True
    ).stdout
    assert listed == f"kernel_args={value}\nz=last\n"
