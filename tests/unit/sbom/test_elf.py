# SPDX-License-Identifier: MIT
"""ELF headers, and what Go, Rust and kernel modules keep in sections."""

import contextlib
import json
import lzma
import sys
import zlib
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sbom import gobuild, kernel, rustaudit
from orchestrator.sbom.elf import ElfError, parse, section_data
from orchestrator.sbom.files import Bytes

from .elfmake import elf, go_program, modinfo

GO = "path\texample.org/tool\nmod\texample.org/tool\tv1.2.3\th1:aa=\ndep\tgolang.org/x/sys\tv0.1.0\th1:bb=\n" + (
    "dep\texample.org/old\tv1.0.0\n=>\texample.org/new\tv1.1.0\th1:cc=\nbuild\tGOOS=linux\n"
)


def test_a_real_program_says_what_it_needs():
    found = parse(Bytes(Path(sys.executable).read_bytes()))
    assert found.interpreter.startswith("/lib")
    assert any(name.startswith("libc.so") for name in found.needed)
    assert not found.static
    assert found.build_id == "" or len(found.build_id) == 40


def test_sections_are_found_by_name_and_only_whole_ones_are_given():
    source = Bytes(elf({".one": b"first", ".two": b"second"}))
    found = parse(source)
    assert section_data(source, found, ".two", 100) == b"second"
    assert section_data(source, found, ".none", 100) is None
    with pytest.raises(ElfError, match="limit"):
        section_data(source, found, ".two", 5)
    assert found.kind == "relocatable"
    assert found.machine == "x86-64"


@given(st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_damaged_bytes_are_an_error_of_ours_and_nothing_else(place: int, noise: bytes):
    data = bytearray(go_program("go1.22.1", GO))
    place %= len(data)
    data[place : place + len(noise)] = noise
    source = Bytes(bytes(data))
    try:
        found = parse(source)
        gobuild.read(source, found)
        rustaudit.read(source, found)
    except ElfError:
        pass


@given(st.integers(0, 2000))
def test_a_file_that_is_cut_short_is_an_error_of_ours(length: int):
    source = Bytes(go_program("go1.22.1", GO)[:length])
    with contextlib.suppress(ElfError):
        gobuild.read(source, parse(source))


def test_a_go_program_lists_its_modules_as_they_were_replaced():
    source = Bytes(go_program("go1.22.1", GO))
    found = gobuild.read(source, parse(source))
    assert found is not None
    assert (found.go, found.package) == ("go1.22.1", "example.org/tool")
    assert found.main == gobuild.Module("example.org/tool", "v1.2.3", "h1:aa=")
    assert [(module.path, module.version) for module in found.modules] == [
        ("golang.org/x/sys", "v0.1.0"),
        ("example.org/new", "v1.1.0"),
    ]
    assert found.settings == {"GOOS": "linux"}


def test_a_program_without_build_information_is_no_go_program():
    source = Bytes(elf({".text": b"x"}))
    assert gobuild.read(source, parse(source)) is None
    assert rustaudit.read(source, parse(source)) is None


def rust(packages: list[dict[str, object]]) -> Bytes:
    return Bytes(elf({".dep-v0": zlib.compress(json.dumps({"packages": packages}).encode())}, kind=3))


def test_a_rust_program_lists_its_crates():
    source = rust(
        [
            {"name": "serde", "version": "1.0.1", "source": "crates.io"},
            {"name": "tool", "version": "0.3.0", "source": "local", "root": True, "dependencies": [0]},
        ]
    )
    crates = rustaudit.read(source, parse(source))
    assert crates is not None
    assert [(crate.name, crate.root, crate.dependencies) for crate in crates] == [
        ("serde", False, []),
        ("tool", True, [0]),
    ]


def test_a_crate_that_depends_on_one_that_is_not_there_is_refused():
    source = rust([{"name": "tool", "version": "1", "source": "local", "dependencies": [7]}])
    with pytest.raises(ElfError, match="not listed"):
        rustaudit.read(source, parse(source))


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [("", bytes), (".xz", lzma.compress), (".zst", zstandard.ZstdCompressor().compress)],
)
def test_a_module_says_its_licence_firmware_and_needs_however_it_is_packed(suffix, pack):
    plain = modinfo(
        license=["GPL", "Proprietary"],
        firmware=["b.bin", "a.bin"],
        depends="usb-core,mii",
        version="1.4",
        vermagic="6.12.1 SMP preempt",
        author="Ada Example",
    )
    found = kernel.read_module(f"lib/modules/6.12.1/kernel/net-x.ko{suffix}", Bytes(pack(plain)))
    assert found.name == "net_x"
    assert found.licences == ("GPL", "Proprietary")
    assert found.firmware == ("a.bin", "b.bin")
    assert found.depends == ("mii", "usb_core")
    assert (found.version, found.release, found.authors) == ("1.4", "6.12.1", ("Ada Example",))


@pytest.mark.parametrize("suffix", [".xz", ".zst", ".gz", ""])
def test_a_module_that_cannot_be_unpacked_is_an_error_of_ours(suffix):
    with pytest.raises(ElfError):
        kernel.read_module(f"x.ko{suffix}", Bytes(b"no such thing"))


def test_a_kernel_says_its_release_in_the_boot_header_or_a_banner():
    head = bytearray(0x400)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = (0x100).to_bytes(2, "little")
    head[0x300:0x320] = b"6.12.9-amd64 (ada@host) #1 SMP\0\0"
    assert kernel.release(Bytes(bytes(head))) == "6.12.9-amd64"
    assert kernel.release(Bytes(bytes(600) + b"Linux version 6.6.1-arm64 (ada@host)")) == "6.6.1-arm64"
    assert kernel.release(Bytes(bytes(600))) == ""
