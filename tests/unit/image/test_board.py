# SPDX-License-Identifier: MIT
"""What starts a board up to UEFI: read strictly out of a revision, and found where the board looks for it."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import struct
import subprocess
import tarfile
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.canonical import hash_file, sha256_digest
from orchestrator.errors import BuildError, VerificationError
from orchestrator.image import bmap, gpt, storage
from orchestrator.image.board import Area, Board, read_board
from orchestrator.image.writer import ESP_SIZE, ImageRequest, layout, write_image
from orchestrator.run import Tools
from tests.unit.image.test_writer import EPOCH, REVISION, needs_tools

KIB = 1024
SPL = "2e54b353-1271-4842-806f-e436d6af6985"
LOADER = {"name": "loader", "offset": 32 * KIB, "size": 512 * KIB}
UBOOT = {"name": "u-boot", "offset": 8192 * KIB, "size": 4096 * KIB, "type": SPL}


def archive(path: Path, members: dict[str, bytes], areas: list[dict[str, Any]] | None = None, **plan: Any) -> Path:
    value = {"schemaVersion": 1, "areas": areas or [], **plan}
    with tarfile.open(path, "w") as tar:
        for name, data in {"plan.json": json.dumps(value).encode(), **members}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def whole(path: Path) -> Path:
    contents = {"esp/config.txt": b"kernel=u-boot.bin\n", "esp/overlays/a.dtbo": b"o" * 700}
    return archive(
        path, {**contents, "areas/loader": b"L" * 5000, "areas/u-boot": b"U" * 70_001}, areas=[UBOOT, LOADER]
    )


def test_files_and_areas_are_read_in_the_order_of_the_disk(tmp_path: Path) -> None:
    board = read_board(whole(tmp_path / "board.tar"))
    assert dict(board.files) == {"config.txt": b"kernel=u-boot.bin\n", "overlays/a.dtbo": b"o" * 700}
    assert board.areas == (
        Area("loader", 32 * KIB, 512 * KIB, b"L" * 5000),
        Area("u-boot", 8 * storage.MIB, 4 * storage.MIB, b"U" * 70_001, uuid.UUID(SPL)),
    )
    assert board.end == 12 * storage.MIB


@pytest.mark.parametrize(
    ("members", "areas", "plan", "says"),
    [
        ({"areas/loader": b"x"}, [{**LOADER, "offset": 8 * KIB}], {}, "offset"),
        ({"areas/loader": b"x"}, [{**LOADER, "offset": 32 * KIB + 1}], {}, "offset"),
        ({"areas/loader": b"x" * (512 * KIB + 1)}, [LOADER], {}, "its content has"),
        ({"areas/loader": b"x", "areas/u-boot": b"y"}, [LOADER, {**UBOOT, "offset": 64 * KIB}], {}, "overlap"),
        ({"areas/loader": b"x"}, [{**LOADER, "type": "esp"}], {}, "hexadecimal"),
        ({}, [LOADER], {}, "areas/loader"),
        ({"areas/stray": b"x"}, [], {}, "unknown member"),
        ({"esp/EFI/BOOT/BOOTX64.EFI": b"MZ"}, [], {}, "boot loader's own"),
        ({"esp/Pycontainer/record.0": b"x"}, [], {}, "boot loader's own"),
        ({"esp/../x": b"x"}, [], {}, "plain file"),
        ({}, [], {"schemaVersion": 2}, "schemaVersion"),
        ({}, [], {"more": 1}, "more"),
    ],
)
def test_what_is_not_of_the_form_is_refused(
    tmp_path: Path, members: dict[str, bytes], areas: list[dict[str, Any]], plan: dict[str, Any], says: str
) -> None:
    with pytest.raises(VerificationError) as caught:
        read_board(archive(tmp_path / "board.tar", members, areas, **plan))
    assert says in caught.value.why


@given(data=st.binary(max_size=3000))
def test_any_bytes_are_a_board_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.tar"
    path.write_bytes(data)
    try:
        read_board(path)
    except VerificationError as problem:
        assert problem.why


def test_a_machine_without_a_board_has_the_layout_that_it_had() -> None:
    size, partitions = layout("demo", "pc", 32 * storage.MIB)
    assert size == (1 + 64 + 32 + 1) * storage.MIB
    assert [each.start for each in partitions] == [gpt.ALIGNMENT, gpt.ALIGNMENT + ESP_SIZE]


@pytest.fixture
def request_(tmp_path: Path) -> ImageRequest:
    blob = tmp_path / "blob"
    blob.write_bytes(os.urandom(9000))
    digest = sha256_digest(blob.read_bytes())
    efi = tmp_path / "boot.efi"
    efi.write_bytes(b"MZ" + bytes(5000))
    board = read_board(whole(tmp_path / "board.tar"))
    names = ("demo", "some-board", REVISION)
    return ImageRequest(*names, {digest: blob}, {"kernel": digest}, efi, 32 * storage.MIB, "BOOTAA64.EFI", board)


def entries(image: bytes) -> list[tuple[str, uuid.UUID, int, int]]:
    """Name, type, first and last byte of the partitions, as the UEFI specification says where they stand."""
    found = []
    for number in range(128):
        raw = image[1024 + number * 128 : 1152 + number * 128]
        first, last = struct.unpack_from("<QQ", raw, 32)
        if first:
            name = raw[56:].decode("utf-16-le").rstrip("\0")
            found.append((name, uuid.UUID(bytes_le=raw[:16]), first * 512, last * 512 + 511))
    return found


@needs_tools
def test_the_image_has_everything_where_the_board_looks_for_it(request_: ImageRequest, tmp_path: Path) -> None:
    result = write_image(request_, tmp_path / "out.img", Tools(), EPOCH)
    image = result.image.read_bytes()
    start = 12 * storage.MIB
    assert image[32 * KIB :][:5000] == b"L" * 5000
    assert image[8 * storage.MIB :][:70_001] == b"U" * 70_001
    assert not any(image[32 * KIB + 5000 : 8 * storage.MIB])
    # Ours come first, by number; GRUB knows them by it.
    assert entries(image) == [
        ("pycontainer-esp", gpt.ESP_TYPE, start, start + ESP_SIZE - 1),
        ("pycontainer-storage", gpt.LINUX_TYPE, start + ESP_SIZE, start + ESP_SIZE + 32 * storage.MIB - 1),
        ("u-boot", uuid.UUID(SPL), 8 * storage.MIB, start - 1),
    ]
    for name, expected in request_.board.files.items():
        argv = Tools().argv("mtype", "-i", f"{result.image}@@{start}", f"::/{name}")
        assert subprocess.run(argv, check=True, capture_output=True).stdout == expected
    again = write_image(request_, tmp_path / "again.img", Tools(), EPOCH)
    assert hash_file(again.image) == hash_file(result.image)


@needs_tools
def test_flashing_by_the_block_map_brings_the_areas(request_: ImageRequest, tmp_path: Path) -> None:
    result = write_image(request_, tmp_path / "out.img", Tools(), EPOCH)
    image = result.image.read_bytes()
    disk = bytearray(b"\xa5" * result.size)
    for each in bmap.decode(result.block_map.read_bytes()).ranges:
        end = each.offset() + each.length(result.size)
        disk[each.offset() : end] = image[each.offset() : end]
    for area in request_.board.areas:
        assert disk[area.offset :][: len(area.data)] == area.data


@needs_tools
def test_a_file_that_has_no_room_beside_the_boot_loader_fails_the_image(request_: ImageRequest, tmp_path: Path) -> None:
    large = dataclasses.replace(request_, board=Board({"start.elf": b"x" * (ESP_SIZE + 1)}))
    with pytest.raises(BuildError, match="do not fit on the EFI system partition"):
        write_image(large, tmp_path / "out.img", Tools(), EPOCH)
    assert not (tmp_path / "out.img").exists()
