# SPDX-License-Identifier: MIT
"""The partition tables and the FAT as firmware and boot loader read them, against the programs that make them."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from pathlib import Path
from random import Random

import pytest

from orchestrator.image import gpt as writer
from orchestrator.image import record
from tests.powercut import grub
from tests.powercut.disk import BLOCK, Blocks
from tests.powercut.partitions import Fat, Span, Unreadable, gpt

MIB = 2**20
PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
SIZE, START = 70 * MIB, MIB
HAVE_FAT = all(shutil.which(program, path=PATH) for program in ("mkfs.fat", "mcopy", "mmd"))
needs_fat = pytest.mark.skipif(not HAVE_FAT, reason="needs dosfstools and mtools")
IDS = [character * 64 for character in "ab"]


def flip(image: Path, offset: int) -> None:
    with image.open("r+b") as stream:
        stream.seek(offset)
        byte = stream.read(1)[0]
        stream.seek(offset)
        stream.write(bytes([byte ^ 1]))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    parts = [
        writer.Partition("esp", writer.ESP_TYPE, uuid.uuid4(), START, 64 * MIB),
        writer.Partition("storage", writer.LINUX_TYPE, uuid.uuid4(), 65 * MIB, 4 * MIB),
    ]
    with path.open("w+b") as stream:
        stream.truncate(SIZE)
        writer.write(stream.fileno(), uuid.uuid4(), SIZE, parts)
    return path


def test_one_damaged_partition_table_is_replaced_by_the_other(image: Path) -> None:
    wanted = [Span(START, 64 * MIB), Span(65 * MIB, 4 * MIB)]
    assert gpt(Blocks().load(image)) == wanted
    flip(image, 512 + 40)
    assert gpt(Blocks().load(image)) == wanted
    flip(image, SIZE - 512 + 40)
    with pytest.raises(Unreadable, match="both partition tables"):
        gpt(Blocks().load(image))


def fill(image: Path, files: dict[str, bytes], folder: Path) -> None:
    """Make the ESP, as orchestrator/image/esp.py does it."""
    environment = os.environ | {"PATH": PATH, "MTOOLS_SKIP_CHECK": "1"}

    def tool(*words: str | Path) -> None:
        subprocess.run(words, env=environment, check=True, capture_output=True)

    tool("mkfs.fat", "-F", "32", "-s", "1", "-S", "512", "--offset", str(START // 512), image, str(64 * 1024))
    for parent in ("EFI", "EFI/BOOT", "pycontainer"):
        tool("mmd", "-i", f"{image}@@{START}", f"::/{parent}")
    for path, data in files.items():
        (folder / "passed").write_bytes(data)
        tool("mcopy", "-i", f"{image}@@{START}", folder / "passed", f"::/{path}")


@needs_fat
def test_files_of_the_esp_are_read_by_long_and_short_names(image: Path, tmp_path: Path) -> None:
    data = Random(3).randbytes(700_001)
    fill(
        image,
        {"EFI/BOOT/BOOTX64.EFI": data, "EFI/BOOT/BOOTX64.EFI.OLD": b"old", "pycontainer/record.0": b"x"},
        tmp_path,
    )
    fat = Fat(Blocks().load(image), Span(START, 64 * MIB))
    assert fat.read("EFI/BOOT/BOOTX64.EFI") == data
    assert fat.read("EFI/BOOT/BOOTX64.EFI.OLD") == b"old"
    assert fat.read("efi/boot/bootx64.efi") == data
    for wrong in ("EFI/BOOT/none", "EFI/BOOT", "pycontainer/record.0/further"):
        with pytest.raises(Unreadable):
            fat.read(wrong)


@needs_fat
@pytest.mark.parametrize(
    ("copies", "first", "confirmed"),
    [
        ((record.Record(2, IDS[0]), record.Record(2, IDS[0])), IDS[0], IDS[0]),
        ((record.Record(2, IDS[0]), record.Record(3, IDS[0], IDS[1], 3)), IDS[1], IDS[0]),
        ((record.Record(3, IDS[0], IDS[1], 0), None), IDS[0], IDS[0]),
        ((None, record.Record(4, IDS[1])), IDS[1], IDS[1]),
        ((None, None), "", ""),
    ],
)
def test_the_record_that_counts_is_the_boot_loaders(
    image: Path,
    tmp_path: Path,
    copies: tuple[record.Record | None, record.Record | None],
    first: str,
    confirmed: str,
) -> None:
    files = {grub.LOADER: b"the loader"}
    for number, copy in enumerate(copies):
        files[f"pycontainer/record.{number}"] = b"torn".ljust(1024, b"#") if copy is None else record.encode(copy)
    fill(image, files, tmp_path)
    disk = Blocks().load(image)
    if not first:
        with pytest.raises(Unreadable, match="both boot records"):
            grub.choose(disk, Span(START, 64 * MIB))
        return
    choice = grub.choose(disk, Span(START, 64 * MIB))
    assert (choice.first, choice.confirmed) == (first, confirmed)


def test_a_sparse_image_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "sparse.img"
    with path.open("wb") as stream:
        stream.truncate(64 * MIB)
        stream.seek(33 * MIB + 5)
        stream.write(b"here")
    disk = Blocks().load(path)
    assert len(disk) == 64 * MIB // BLOCK
    assert [number for number, block in enumerate(disk) if any(block)] == [33 * MIB // BLOCK]
    assert b"".join(disk) == path.read_bytes()
