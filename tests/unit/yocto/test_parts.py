# SPDX-License-Identifier: MIT
from __future__ import annotations

import gzip
import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from pycontainer import architecture, licences, parts, tools
from pycontainer.errors import LayerError


def image(path: Path, names: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in names.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
        for name, target in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.LNKTYPE, target
            tar.addfile(entry)
    return path


def names_of(path: Path) -> list[str]:
    with tarfile.open(path) as tar:
        return tar.getnames()


@pytest.mark.parametrize("prefix", ["", "usr/", "./", "./usr/"])
def test_modules_and_firmware_of_an_image_become_tars_of_their_own(tmp_path: Path, prefix: str) -> None:
    source = image(
        tmp_path / "image.tar",
        {
            f"{prefix}lib/modules/6.18/modules.dep": b"",
            f"{prefix}lib/firmware/regulatory.db": b"db",
            "etc/fstab": b"",
        },
    )
    found = parts.split(source, tmp_path / "parts")
    assert names_of(found["modules"]) == ["lib/modules/6.18/modules.dep"]
    assert names_of(found["firmware"]) == ["lib/firmware/regulatory.db"]
    assert parts.release_of(found["modules"]) == "6.18"


def test_a_role_without_files_is_left_out(tmp_path: Path) -> None:
    found = parts.split(image(tmp_path / "image.tar", {"lib/modules/6.18/modules.dep": b""}), tmp_path / "parts")
    assert list(found) == ["modules"]
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["modules.tar"]


def test_a_hard_link_out_of_the_modules_is_refused(tmp_path: Path) -> None:
    source = image(tmp_path / "image.tar", {"etc/shadow": b"x"}, {"lib/modules/6.18/x.ko": "etc/shadow"})
    with pytest.raises(LayerError, match="hard link"):
        parts.split(source, tmp_path / "parts")


def test_a_truncated_image_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "image.tar.gz"
    whole = image(tmp_path / "image.tar", {"lib/modules/6.18/modules.dep": b"x" * 100_000}).read_bytes()
    source.write_bytes(gzip.compress(whole)[:-20])
    with pytest.raises(LayerError, match="cannot be taken apart"):
        parts.split(source, tmp_path / "parts")


def test_modules_of_two_kernels_are_refused(tmp_path: Path) -> None:
    source = image(tmp_path / "m.tar", {"lib/modules/1/modules.dep": b"", "lib/modules/2/modules.dep": b""})
    with pytest.raises(LayerError, match="exactly one kernel"):
        parts.release_of(source)


def test_needed_libraries_are_those_that_readelf_lists() -> None:
    program = Path(sys.executable).resolve()
    readelf = shutil.which("readelf")
    if readelf is None:
        pytest.skip("readelf is not installed")
    listing = subprocess.run([readelf, "-d", str(program)], capture_output=True, text=True, check=True).stdout
    expected = [line.split("[")[1].rstrip("]") for line in listing.splitlines() if "(NEEDED)" in line]
    assert expected
    assert tools.needed(program) == expected


def test_a_tools_tree_is_named_by_its_bytes(tmp_path: Path) -> None:
    sysroot = tmp_path / "sysroot"
    (sysroot / "usr" / "sbin").mkdir(parents=True)
    (sysroot / "usr" / "sbin" / "mke2fs").write_bytes(b"#!/bin/sh\n")
    assert tools.collect(sysroot, ["mke2fs"], tmp_path / "tree") == ["bin/mke2fs"]
    first = tools.facts(tmp_path / "tree", ["e2fsprogs-native 1.47"])
    assert tools.facts(tmp_path / "tree", ["e2fsprogs-native 1.47"]) == first
    (tmp_path / "tree" / "bin" / "mke2fs").write_bytes(b"#!/bin/sh\n# other\n")
    assert tools.facts(tmp_path / "tree", ["e2fsprogs-native 1.47"]) != first


def test_a_tool_that_no_recipe_brought_is_named(tmp_path: Path) -> None:
    with pytest.raises(LayerError, match="mksquashfs"):
        tools.collect(tmp_path, ["mksquashfs"], tmp_path / "tree")


def test_licence_texts_go_along_by_package(tmp_path: Path) -> None:
    folder = tmp_path / "all" / "busybox"
    folder.mkdir(parents=True)
    (folder / "LICENSE").write_text("GPL text\n")
    (folder / "recipeinfo").write_text("LICENSE: GPL-2.0-only\n")
    missing = licences.write({"busybox": "busybox", "ghost": "ghost"}, [tmp_path / "all"], tmp_path / "c.tar", 1)
    assert missing == ["ghost"]
    with tarfile.open(tmp_path / "c.tar") as tar:
        entry = tar.extractfile("busybox/copyright")
        assert entry is not None
        assert entry.read() == b"== LICENSE ==\n\nGPL text\n"


def test_architectures_have_the_names_of_images_and_firmware() -> None:
    assert architecture.oci_architecture("aarch64") == "arm64"
    assert architecture.grub_target("riscv64") == ("riscv64-efi", "BOOTRISCV64.EFI")
    with pytest.raises(LayerError, match="microblaze"):
        architecture.oci_architecture("microblaze")


@pytest.mark.parametrize("text", ["quiet $(reboot)", "a;b", 'x="y"'])
def test_kernel_arguments_that_grub_would_take_apart_are_refused(text: str) -> None:
    with pytest.raises(LayerError, match="kernel argument"):
        architecture.command_line(text)


def test_a_packages_recipe_is_found_by_the_name_that_it_is_installed_under(tmp_path: Path) -> None:
    manifest, data = tmp_path / "image.manifest", tmp_path / "pkgdata"
    manifest.write_text("libc6 core2-64 2.42\nstray core2-64 1\n../../etc/passwd all 1\n")
    (data / "runtime-reverse").mkdir(parents=True)
    (data / "runtime-reverse" / "libc6").write_text("PN: glibc\nPV: 2.42\n")
    assert licences.recipes_of(manifest, data) == {"libc6": "glibc"}
    with pytest.raises(LayerError, match="cannot be read"):
        licences.recipes_of(tmp_path / "none", data)


def test_a_licence_is_written_in_the_operators_that_the_series_knows() -> None:
    licence = "GPL-2.0-only AND (Apache-2.0 OR CC0-1.0)"
    assert licences.expression(licence, "/src/meta/lib/oe/spdx_license.py") == licence
    assert licences.expression(licence, "") == "GPL-2.0-only & (Apache-2.0 | CC0-1.0)"
