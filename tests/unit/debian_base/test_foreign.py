# SPDX-License-Identifier: MIT
"""What is left of the build machine in a root file system of another architecture: nothing, or an error."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from pycontainer_debian.errors import DebianError
from pycontainer_debian.foreign import Overlay, install, only_programs

HERE = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00" + b"\x3e\x00" + b"code of the build machine"
THERE = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00" + b"\xb7\x00" + b"code of the machine"


@pytest.fixture
def overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Overlay:
    """An overlay whose mounts are copies: no privilege is needed."""
    for name in ("native/usr/bin", "root/usr/bin", "root/var/lib/dpkg", "work"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "native/usr/bin/dpkg").write_bytes(HERE)
    (tmp_path / "root/usr/bin/dpkg").write_bytes(THERE)

    def mount(self: Overlay, lower: list[Path], where: Path) -> None:
        for folder in [*reversed(lower), self.upper]:
            shutil.copytree(folder, where, dirs_exist_ok=True, symlinks=True)

    monkeypatch.setattr(Overlay, "mount", mount)
    made = Overlay(tmp_path / "native", tmp_path / "root", tmp_path / "work")
    (made.upper / "usr/bin").mkdir(parents=True)
    (made.upper / "var/lib/dpkg").mkdir(parents=True)
    (made.upper / "var/lib/dpkg/arch").write_text("amd64\narm64\n")
    (made.upper / "var/lib/dpkg/arch-native").write_text("amd64\n")
    return made


def test_what_scripts_changed_lies_over_the_root_and_dpkg_finds_its_own_architecture(overlay: Overlay) -> None:
    (overlay.upper / "etc").mkdir()
    (overlay.upper / "etc/passwd").write_text("root:x:0:0\n")
    (overlay.upper / "etc/ld.so.cache").write_bytes(b"libraries of the build machine")
    (overlay.upper / "usr/bin/awk").symlink_to("/etc/alternatives/awk")
    view = overlay.settle("arm64")
    assert (view / "etc/passwd").read_text() == "root:x:0:0\n"
    assert (view / "usr/bin/awk").is_symlink()
    assert (view / "usr/bin/dpkg").read_bytes() == THERE
    assert not (view / "etc/ld.so.cache").exists()
    assert not (view / "var/lib/dpkg/arch").exists()
    assert (view / "var/lib/dpkg/arch-native").read_text() == "arm64\n"


def test_a_program_whose_mode_a_script_changed_stays_the_machines_own(overlay: Overlay) -> None:
    copied_up = overlay.upper / "usr/bin/dpkg"
    copied_up.write_bytes(HERE)
    copied_up.chmod(0o4750)
    found = overlay.settle("arm64") / "usr/bin/dpkg"
    assert found.read_bytes() == THERE
    assert stat.S_IMODE(found.stat().st_mode) == 0o4750


def test_a_program_of_the_build_machine_that_a_script_made_is_refused(overlay: Overlay) -> None:
    (overlay.upper / "usr/bin/made").write_bytes(HERE)
    with pytest.raises(DebianError, match="/usr/bin/made") as caught:
        overlay.settle("arm64")
    assert "arm64" in caught.value.why


def test_packages_are_unpacked_into_the_root_and_configured_in_the_view(
    overlay: Overlay, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr("pycontainer_debian.foreign.subprocess.run", lambda argv, **_: asked.append(argv))
    install(overlay, ["amd64", "arm64"], lambda view: None, lambda view, words: asked.append(words))
    (bind, unpack, hide, configure) = asked
    assert bind[:2] == ["mount", "--bind"] and bind[2] == str(overlay.root)
    assert unpack[-2:] == ["--root=/mnt/target", "--unpack"]
    assert hide[0] == "umount"
    assert configure[-2:] == ["--configure", "--pending"]
    assert (overlay.root / "var/lib/dpkg/arch").read_text() == "amd64\narm64\n"


@pytest.mark.parametrize(
    ("path", "counts"), [("usr", True), ("usr/bin/sh", True), ("etc/passwd", False), ("usrx", False)]
)
def test_of_the_native_packages_only_what_lies_in_usr_is_laid_over_the_root(path: str, counts: bool) -> None:
    assert only_programs(path) is counts
