# SPDX-License-Identifier: MIT
"""The archive inside GRUB's program: the modules with all that they need, and the same bytes whenever it is made."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from pycontainer import memdisk
from pycontainer.errors import LayerError

MODDEP = "fat: fshelp\nfshelp:\nnormal: terminal gettext fshelp\nterminal:\ngettext: normal\nlinux: fat\n"
GRUB = Path("/usr/lib/grub/x86_64-efi")


def platform(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "moddep.lst").write_text(MODDEP)
    (folder / "command.lst").write_text("linux: linux\n")
    for name in ("fat", "fshelp", "normal", "terminal", "gettext", "linux", "never"):
        (folder / f"{name}.mod").write_bytes(name.encode())
    return folder


def test_modules_come_with_all_that_they_depend_on_also_in_a_circle() -> None:
    assert memdisk.closure(MODDEP, ["normal"]) == ["fshelp", "gettext", "normal", "terminal"]
    assert memdisk.closure(MODDEP, []) == []


def test_a_module_that_grub_was_not_built_with_is_named() -> None:
    with pytest.raises(LayerError, match="no module fdt") as caught:
        memdisk.closure(MODDEP, ["fat", "fdt"])
    assert "PYCONTAINER_GRUB_MODULES" in caught.value.hint


def test_the_archive_depends_on_the_files_alone(tmp_path: Path) -> None:
    (tmp_path / "grub.cfg").write_text("normal\n")
    archives = []
    for time in (1, 2_000_000_000):
        folder = platform(tmp_path / str(time) / "x86_64-efi")
        for path in folder.iterdir():
            os.utime(path, (time, time))
        target = tmp_path / f"{time}.tar"
        names = memdisk.write(target, folder, ["fat"], tmp_path / "grub.cfg", 1302044400)
        archives.append(target.read_bytes())
    place = "boot/grub/x86_64-efi"
    assert names == [
        "boot/grub/grub.cfg",
        *(f"{place}/{name}" for name in ("command.lst", "fat.mod", "fshelp.mod", "moddep.lst")),
    ]
    assert archives[0] == archives[1]


def test_a_folder_without_modules_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LayerError, match="cannot be read"):
        memdisk.write(tmp_path / "m.tar", tmp_path, ["fat"], tmp_path / "grub.cfg", 1)


@pytest.mark.skipif(not GRUB.is_dir(), reason="GRUB's x86_64-efi modules are not on this machine")
def test_it_holds_what_grub_mkstandalone_puts_into_its_own(tmp_path: Path) -> None:
    modules = ["part_gpt", "fat", "ext2", "normal", "linux", "loadenv", "regexp"]
    (tmp_path / "grub.cfg").write_text("normal\n")
    ours = memdisk.write(tmp_path / "m.tar", GRUB, modules, tmp_path / "grub.cfg", 1)
    words = ["--format=x86_64-efi", f"--directory={GRUB}", f"--output={tmp_path / 'a.efi'}", "--locales=", "--themes="]
    words += ["--fonts=", "--compress=no", f"--install-modules={' '.join(modules)}"]
    subprocess.run(["grub-mkstandalone", *words, f"boot/grub/grub.cfg={tmp_path / 'grub.cfg'}"], check=True)
    program = (tmp_path / "a.efi").read_bytes()
    with tarfile.open(tmp_path / "m.tar") as tar:
        for name in ours:
            stream = tar.extractfile(name)
            assert stream is not None
            assert name.encode() + b"\0" in program
            assert stream.read() in program
