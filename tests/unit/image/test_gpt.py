# SPDX-License-Identifier: MIT
from __future__ import annotations

import importlib.util
import shutil
import struct
import subprocess
import uuid
import zlib
from pathlib import Path

import pytest

from orchestrator.image.gpt import ESP_TYPE, LINUX_TYPE, SECTOR, Partition, stable_uuid, table, write

MIB = 1024 * 1024
DISK = uuid.UUID(int=0x1234)
SIZE = 16 * MIB
PARTITIONS = [
    Partition("pycontainer-esp", ESP_TYPE, uuid.UUID(int=1), MIB, 4 * MIB),
    Partition("pycontainer-storage", LINUX_TYPE, uuid.UUID(int=2), 5 * MIB, 10 * MIB),
]


def header(data: bytes) -> tuple[int, ...]:
    """The header's numbers, its own checksum verified (UEFI 2.10, table 5.5)."""
    signature, revision, size, crc, zero = struct.unpack_from("<8sIIII", data)
    assert (signature, revision, size, zero) == (b"EFI PART", 0x10000, 92, 0)
    assert crc == zlib.crc32(data[:16] + bytes(4) + data[20:92])
    own, other, first, last = struct.unpack_from("<QQQQ", data, 24)
    entries, count, entry_size, entries_crc = struct.unpack_from("<QIII", data, 72)
    assert data[56:72] == DISK.bytes_le
    return own, other, first, last, entries, count, entry_size, entries_crc


def test_both_headers_point_at_each_other_and_check_the_same_entries() -> None:
    start, end = table(DISK, SIZE, PARTITIONS)
    sectors = SIZE // SECTOR
    entries = start[2 * SECTOR :]
    crc = zlib.crc32(entries)
    assert header(start[SECTOR:]) == (1, sectors - 1, 34, sectors - 34, 2, 128, 128, crc)
    assert header(end[-SECTOR:]) == (sectors - 1, 1, 34, sectors - 34, sectors - 33, 128, 128, crc)
    assert end[:-SECTOR] == entries


def test_the_protective_mbr_covers_the_whole_disk() -> None:
    mbr = table(DISK, SIZE, PARTITIONS)[0][:SECTOR]
    assert mbr[510:] == b"\x55\xaa"
    assert mbr[446:462] == b"\0\0\2\0\xee\xff\xff\xff" + struct.pack("<II", 1, SIZE // SECTOR - 1)
    assert not any(mbr[462:510])


def test_entries_hold_types_ids_bounds_and_names() -> None:
    entry = table(DISK, SIZE, PARTITIONS)[0][2 * SECTOR + 128 :][:128]
    kind, guid, first, last, flags, name = struct.unpack("<16s16sQQQ72s", entry)
    assert (kind, guid, flags) == (LINUX_TYPE.bytes_le, uuid.UUID(int=2).bytes_le, 0)
    assert (first, last) == (5 * MIB // SECTOR, 15 * MIB // SECTOR - 1)
    assert name.decode("utf-16-le").rstrip("\0") == "pycontainer-storage"


@pytest.mark.parametrize(
    ("start", "size"), [(MIB + 1, MIB), (MIB, MIB + 1), (MIB, 0), (SECTOR * 33, MIB), (3 * MIB, MIB), (15 * MIB, MIB)]
)
def test_a_partition_that_does_not_fit_is_refused(start: int, size: int) -> None:
    with pytest.raises(ValueError, match="partition"):
        table(DISK, SIZE, [PARTITIONS[0], Partition("x", LINUX_TYPE, uuid.UUID(int=3), start, size)])


def test_uuids_depend_on_the_names_alone_and_are_well_formed() -> None:
    one = stable_uuid("demo", "qemu-amd64", "disk")
    assert one == stable_uuid("demo", "qemu-amd64", "disk")
    assert one != stable_uuid("demo", "qemu-amd64", "esp")
    assert stable_uuid("ab", "c") != stable_uuid("a", "bc")
    assert (one.version, one.variant) == (8, uuid.RFC_4122)


@pytest.mark.skipif(shutil.which("sfdisk", path="/usr/sbin:/sbin:/usr/bin") is None, reason="sfdisk is not installed")
def test_sfdisk_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    with image.open("wb") as stream:
        stream.truncate(SIZE)
        write(stream.fileno(), DISK, SIZE, PARTITIONS)
    sfdisk = shutil.which("sfdisk", path="/usr/sbin:/sbin:/usr/bin")
    assert sfdisk is not None
    done = subprocess.run([sfdisk, "--verify", str(image)], capture_output=True, text=True, check=True)
    assert "No errors detected" in done.stdout
    assert done.stderr == ""


def test_the_vector_that_the_device_is_tested_with_is_what_its_maker_makes() -> None:
    folder = Path(__file__).parents[2] / "data" / "gpt"
    spec = importlib.util.spec_from_file_location("make_gpt_vectors", folder / "make_vectors.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    made = maker.files()
    assert sorted(made) == sorted(path.name for path in folder.glob("*.json"))
    for name, text in made.items():
        assert (folder / name).read_text() == text, name
