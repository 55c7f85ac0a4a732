# SPDX-License-Identifier: MIT
"""What the kernel unpacks and what GRUB reads are exactly what was put in."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import BuildError, ConfigError, VerificationError
from orchestrator.revision import boot_env, bootenv, initramfs_with_facts, newc, product_facts

KEYS = [("b" * 64, "QkI="), ("a" * 64, "QUE=")]
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)


def unpack(archive: bytes) -> dict[str, tuple[int, bytes]]:
    """A reader of newc by its description: names to mode and content; checks the alignment and the padding."""
    members: dict[str, tuple[int, bytes]] = {}
    position = 0
    while True:
        assert position % 4 == 0
        assert archive[position : position + 6] == b"070701"
        fields = [int(archive[position + 6 + 8 * index :][:8], 16) for index in range(13)]
        name_start = position + 110
        name = archive[name_start : name_start + fields[11] - 1].decode()
        assert archive[name_start + fields[11] - 1] == 0
        data_start = (name_start + fields[11] + 3) // 4 * 4
        position = (data_start + fields[6] + 3) // 4 * 4
        assert not any(archive[data_start + fields[6] : position])
        if name == "TRAILER!!!":
            assert position == len(archive)
            return members
        assert (fields[2], fields[3], fields[5]) == (0, 0, 0), "root's, and without a time"
        assert fields[4] == (2 if fields[1] & 0o040000 else 1)
        members[name] = (fields[1], archive[data_start : data_start + fields[6]])


def test_the_facts_are_those_of_the_contract():
    facts = product_facts("demo", "qemu-amd64", KEYS, threshold=2)
    assert facts == product_facts("demo", "qemu-amd64", KEYS[::-1], threshold=2)
    assert json.loads(facts) == {
        "schemaVersion": 1,
        "product": "demo",
        "machine": "qemu-amd64",
        "floor": 0,
        "threshold": 2,
        "keys": [{"keyid": "a" * 64, "public": "QUE="}, {"keyid": "b" * 64, "public": "QkI="}],
    }


@pytest.mark.parametrize("threshold", [0, 3, -1])
def test_facts_that_would_trust_nothing_or_everything_are_refused(threshold: int):
    with pytest.raises(BuildError, match="trust"):
        product_facts("demo", "m", KEYS, threshold=threshold)


def test_more_keys_than_a_device_takes_are_refused():
    many = [(f"{number:064x}", "QUE=") for number in range(17)]
    with pytest.raises(BuildError, match="too many keys"):
        product_facts("demo", "m", many)
    assert product_facts("demo", "m", many[:16])


@pytest.mark.parametrize("length", range(8))
def test_the_facts_follow_the_initramfs_on_a_boundary_of_four_bytes(tmp_path: Path, length: int):
    first = b"\x28\xb5\x2f\xfd" + b"z" * length
    (tmp_path / "initramfs").write_bytes(first)
    blob = initramfs_with_facts(tmp_path / "initramfs", b"{}")
    start = (len(first) + 3) // 4 * 4
    assert blob[:start] == first.ljust(start, b"\0")
    assert unpack(blob[start:]) == {
        "etc": (0o040755, b""),
        "etc/pycontainer": (0o040755, b""),
        "etc/pycontainer/product.json": (0o100644, b"{}"),
    }


def test_a_file_that_is_no_initramfs_is_refused(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"#!/bin/sh")
    with pytest.raises(BuildError, match="not an initramfs"):
        initramfs_with_facts(tmp_path / "x", b"{}")
    with pytest.raises(BuildError, match="cannot read"):
        initramfs_with_facts(tmp_path / "none", b"{}")


@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}/[a-z]{1,9}\.x", fullmatch=True), st.binary(max_size=50), max_size=4))
def test_any_files_come_out_of_the_archive_as_they_went_in(files: dict[str, bytes]):
    members = unpack(newc(files))
    assert {name: data for name, (mode, data) in members.items() if mode == 0o100644} == files
    assert list(members) == sorted(members), "folders come before what they hold"


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a//b", "a/../b", "a/"])
def test_a_path_that_is_not_plain_never_enters_the_initramfs(name: str):
    with pytest.raises(BuildError, match="plain"):
        newc({name: b""})


@pytest.mark.skipif(shutil.which("cpio") is None, reason="the program cpio is the judge here")
def test_cpio_reads_the_archive(tmp_path: Path):
    archive = newc({"etc/pycontainer/product.json": b'{"a":1}'})
    subprocess.run(["cpio", "-id", "--quiet"], input=archive, cwd=tmp_path, check=True)
    assert (tmp_path / "etc" / "pycontainer" / "product.json").read_bytes() == b'{"a":1}'


@given(st.dictionaries(NAMES, PRINTABLE, max_size=6))
def test_variables_come_out_of_the_block_as_they_went_in(variables: dict[str, str]):
    block = bootenv.encode(variables)
    assert len(block) == 1024
    assert bootenv.decode(block) == variables


@given(st.binary(min_size=999, max_size=999) | st.text("ab=#\\\n", min_size=999, max_size=999).map(str.encode))
def test_any_block_is_decoded_or_explained(rest: bytes):
    try:
        variables = bootenv.decode(b"# GRUB Environment Block\n" + rest)
    except VerificationError as problem:
        assert problem.why
    else:
        assert bootenv.decode(bootenv.encode(variables)) == variables


@pytest.mark.parametrize("block", [b"", b"x" * 1024, b"# GRUB Environment Block\n", bootenv.encode({})[:-1]])
def test_what_is_no_block_is_refused(block: bytes):
    with pytest.raises(VerificationError):
        bootenv.decode(block)


def test_the_block_of_a_revision_holds_the_kernel_s_arguments():
    block = boot_env(["console=ttyS0,115200", "quiet", 'dyndbg="file a.c +p"'])
    assert block.startswith(
        b'# GRUB Environment Block\nkernel_args=console=ttyS0,115200 quiet dyndbg="file a.c +p"\n####'
    )


@pytest.mark.parametrize("argument", ["", "two words", "line\nend", 'a="open', "ümlaut", "nul\0"])
def test_what_is_not_one_kernel_argument_is_refused(argument: str):
    with pytest.raises(ConfigError):
        boot_env(["quiet", argument])


def test_values_with_a_line_end_and_names_that_are_none_are_refused():
    with pytest.raises(ConfigError, match="cannot hold"):
        bootenv.encode({"a": "x\nevil=1"})
    with pytest.raises(ConfigError, match="not a GRUB variable"):
        bootenv.encode({"a=b": "x"})


def test_variables_that_do_not_fit_say_how_many_bytes_they_need():
    with pytest.raises(ConfigError) as caught:
        boot_env(["x" * 1000])
    assert "they need 1038 bytes, 1024 are available" in caught.value.why
    assert len(bootenv.encode({"a": "x" * 484}, within=512)) == 1024
    with pytest.raises(ConfigError):
        bootenv.encode({"a": "x" * 485}, within=512)


@pytest.mark.skipif(shutil.which("grub-editenv") is None, reason="GRUB's own tool is the judge here")
@pytest.mark.parametrize("value", ["quiet", "", "back\\slash", "a=b c", "#hash", "\\", "trailing "])
def test_grub_reads_the_same_values(tmp_path: Path, value: str):
    (tmp_path / "env").write_bytes(bootenv.encode({"kernel_args": value, "z": "last"}))
    listed = subprocess.run(
        ["grub-editenv", tmp_path / "env", "list"], check=True, capture_output=True, text=True
    ).stdout
    assert listed == f"kernel_args={value}\nz=last\n"
