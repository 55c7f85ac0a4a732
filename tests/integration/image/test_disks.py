# SPDX-License-Identifier: MIT
"""Images on disks: flashed over old data, booted, and held by one machine at a time."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.emulator.machine import Machine
from orchestrator.errors import ConfigError, TryAgainError
from orchestrator.image.flash import flash
from tests.integration.image.conftest import CONFIRMED, Disk

pytestmark = pytest.mark.integration

LARGER = 16 * 1024 * 1024


@pytest.fixture
def used_disk(disk: Disk, tmp_path: Path) -> Path:
    """A larger disk, full of an earlier system's data."""
    path = tmp_path / "used"
    with path.open("wb") as stream:
        for _ in range((disk.image.stat().st_size + LARGER) // LARGER):
            stream.write(b"\xa5" * LARGER)
    return path


@pytest.fixture
def loop(used_disk: Path) -> Iterator[Path]:
    """The same as a block device."""
    if os.geteuid() != 0 or shutil.which("losetup") is None:
        pytest.skip("loop devices need root")
    done = subprocess.run(["losetup", "-f", "--show", used_disk], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no loop device: {done.stderr}")
    device = Path(done.stdout.strip())
    yield device
    subprocess.run(["losetup", "-d", device], check=True)


def test_a_disk_full_of_old_data_boots_what_was_flashed_on_it(disk: Disk, used_disk: Path) -> None:
    result = flash(disk.image, used_disk, confirm=lambda _target: True, allow_file=True)
    assert result.written < result.size
    with Machine(dataclasses.replace(disk.options, image=used_disk, persist=False)) as machine:
        machine.wait_for(f"booting revision {CONFIRMED[:12]}", 90)
        machine.wait_for("Linux version", 90)


def test_a_block_device_is_written_verified_and_then_whole(disk: Disk, loop: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fixed disk"):
        flash(disk.image, loop, confirm=lambda _target: True)
    flash(disk.image, loop, confirm=lambda target: target.path == loop, force_fixed=True)
    image, storage = disk.image.stat().st_size, tmp_path / "storage"
    with loop.open("rb") as stream, storage.open("wb") as copy:
        stream.seek(65 * 1024 * 1024)
        shutil.copyfileobj(stream, copy)
    os.truncate(storage, image - 66 * 1024 * 1024)
    subprocess.run(disk.parts.tools.argv("e2fsck", "-fn", storage), check=True, capture_output=True)


def test_a_block_device_held_by_another_program_is_left_alone(disk: Disk, loop: Path) -> None:
    holder = os.open(loop, os.O_RDWR | os.O_EXCL)
    try:
        with pytest.raises(TryAgainError, match="in use"):
            flash(disk.image, loop, confirm=lambda _target: True, force_fixed=True)
    finally:
        os.close(holder)
    assert loop.open("rb").read(4096) == b"\xa5" * 4096


def test_two_machines_do_not_write_to_one_image(disk: Disk) -> None:
    with Machine(disk.options), pytest.raises(TryAgainError, match="image is in use"):
        Machine(disk.options).start()


def test_what_the_device_writes_is_forgotten_unless_it_is_to_persist(disk: Disk) -> None:
    before = disk.image.read_bytes()
    with Machine(dataclasses.replace(disk.options, persist=False)) as machine:
        machine.wait_for("Linux version", 90)
    assert disk.image.read_bytes() == before
