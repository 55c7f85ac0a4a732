# SPDX-License-Identifier: MIT
"""A stick as a user fills it, read back with mtools; a machine without mkfs.fat and mtools skips that."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.emulator.stick import LABEL, make_stick, plugged
from orchestrator.errors import BuildError
from orchestrator.run import Tools
from tests.unit.emulator.conftest import Faker

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
needs_fat = pytest.mark.skipif(
    any(shutil.which(name, path=PATH) is None for name in ("mkfs.fat", "mcopy")), reason="needs dosfstools and mtools"
)


def read_back(stick: Path, name: str, into: Path) -> Path:
    environment = {"PATH": PATH, "MTOOLS_SKIP_CHECK": "1", "MTOOLSRC": "/dev/null"}
    subprocess.run(["mcopy", "-s", "-i", stick, f"::/{name}", into], env=environment, check=True)
    return into / name


@needs_fat
@pytest.mark.parametrize("size", [1, 70 * 2**20])
def test_a_tar_lies_on_a_stick_of_its_label(tmp_path: Path, size: int):
    bundle = tmp_path / "kiosk.tar"
    with bundle.open("wb") as stream:
        stream.truncate(size)
        stream.write(b"a bundle")
    stick = make_stick(bundle, tmp_path / "stick.img", Tools())
    assert stick.read_bytes()[71:82].decode().rstrip() == LABEL  # BS_VolLab of FAT32
    assert stick.read_bytes()[82:90] == b"FAT32   "
    (tmp_path / "back").mkdir()
    assert read_back(stick, "kiosk.tar", tmp_path / "back").read_bytes() == bundle.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "kiosk.tar", "stick.img"]


@needs_fat
def test_a_folder_lies_on_a_stick_with_all_that_is_in_it(tmp_path: Path):
    bundle = tmp_path / "kiosk"
    blobs = bundle / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (bundle / "index.json").write_text("{}")
    (blobs / ("0" * 64)).write_bytes(b"blob")
    stick = make_stick(bundle, tmp_path / "stick.img", Tools())
    (tmp_path / "back").mkdir()
    back = read_back(stick, "kiosk", tmp_path / "back")
    assert (back / "blobs" / "sha256" / ("0" * 64)).read_bytes() == b"blob"
    assert (back / "index.json").read_text() == "{}"


@needs_fat
def test_a_copy_that_fails_leaves_no_stick(tmp_path: Path):
    bundle = tmp_path / "kiosk.tar"
    bundle.write_bytes(b"")
    (tools := tmp_path / "bin").mkdir()
    (tools / "mcopy").symlink_to("/bin/false")
    with pytest.raises(BuildError):
        make_stick(bundle, tmp_path / "stick.img", Tools(tools))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "kiosk.tar"]


def test_a_full_disk_is_told_as_one_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bundle = tmp_path / "kiosk.tar"
    bundle.write_bytes(b"")

    def full(descriptor: int, offset: int, length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        make_stick(bundle, tmp_path / "stick.img", Tools())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kiosk.tar"]


def test_a_machine_with_the_stick_has_a_controller_for_it(fake: Faker, tmp_path: Path):
    extra = plugged(fake(), tmp_path / "a,b.img").extra
    assert f"id=stick,if=none,format=raw,readonly=on,file={tmp_path}/a,,b.img" in extra
    assert extra.index("qemu-xhci,id=usb") < extra.index("usb-storage,bus=usb.0,drive=stick")
