# SPDX-License-Identifier: MIT
"""Boards, as far as no board is needed: the boot loader layer is built, and found in an image where the ROM looks.

Everything that starts the board is looked up in the image's own bytes, against what its makers say of the place.
"""

from __future__ import annotations

import json
import os
import shlex
import struct
import subprocess
import sys
from pathlib import Path

from orchestrator.canonical import sha256_digest
from orchestrator.image.board import read_board
from orchestrator.image.writer import ESP_SIZE, ImageRequest, write_image
from orchestrator.run import Tools
from tests.integration.conftest import REPOSITORY

EPOCH = 1_700_000_000
SECTOR = 512
LAYER = REPOSITORY / "meta-pycontainer-debian"
ACCEPTED = {"PYCONTAINER_LICENSE_FLAGS": "non-free-firmware_raspi-firmware"}


class Board:
    """A build folder for one machine, and a disk image with its boot loader layer and next to nothing in storage."""

    def __init__(self, folder: Path, machine: str) -> None:
        self.folder, self.machine = folder, machine
        (folder / "conf").mkdir(parents=True)
        bblayers = f'BBPATH = "${{TOPDIR}}"\nBBFILES ?= ""\nBBLAYERS = "{LAYER}"\n'
        (folder / "conf/bblayers.conf").write_text(bblayers)
        (folder / "conf/local.conf").write_text(f'MACHINE = "{machine}"\n')

    def bitbake(self, **environment: str) -> tuple[int, str]:
        init = f". {shlex.quote(str(LAYER / 'oe-init-build-env'))} {shlex.quote(str(self.folder))}"
        done = subprocess.run(
            ["bash", "-c", f"{init} && exec bitbake pycontainer-bootloader"],
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    @property
    def deployed(self) -> Path:
        return self.folder / "tmp/deploy/images" / self.machine

    @property
    def tools(self) -> Tools:
        return Tools(self.deployed / "native-tools/bin")

    def built(self) -> Path:
        """Build the layer and return an image that has it."""
        status, text = self.bitbake(**ACCEPTED)
        assert status == 0, text
        fragment = json.loads((self.deployed / "bootloader/layer.json").read_bytes())
        files = {role: self.deployed / each["path"] for role, each in fragment["files"].items()}
        blob = self.folder / "blob"
        blob.write_bytes(b"kernel")
        digest = sha256_digest(b"kernel")
        request = ImageRequest(
            "boards", self.machine, "sha256:" + "ab" * 32, {digest: blob}, {"kernel": digest}, files["efi"],
            16 << 20, files["efi"].name, read_board(files["board"]),
        )  # fmt: skip
        return write_image(request, self.folder / "disk.img", self.tools, EPOCH).image

    def read(self, image: Path, start: int, name: str) -> bytes:
        argv = self.tools.argv("mtype", "-i", f"{image}@@{start}", f"::/{name}")
        return subprocess.run(argv, check=True, capture_output=True).stdout


def partitions(image: Path) -> list[tuple[str, int, int]]:
    """Name, first sector and size in sectors of each partition, from the primary GUID partition table."""
    with image.open("rb") as stream:
        assert stream.read(SECTOR)[450] == 0xEE
        assert stream.read(8) == b"EFI PART"
        stream.seek(2 * SECTOR)
        raw = stream.read(128 * 128)
    found = []
    for number in range(128):
        entry = raw[number * 128 : number * 128 + 128]
        first, last = struct.unpack_from("<QQ", entry, 32)
        if first:
            found.append((entry[56:].decode("utf-16-le").rstrip("\0"), first, last - first + 1))
    return found


def at(image: Path, sector: int, count: int) -> bytes:
    with image.open("rb") as stream:
        stream.seek(sector * SECTOR)
        return stream.read(count)


def test_a_raspberry_pi_finds_its_firmware_u_boot_and_device_tree_beside_grub(tmp_path: Path) -> None:
    board = Board(tmp_path / "build", "raspberrypi4-64")
    status, text = board.bitbake()
    assert status != 0
    assert text.count("the licence of raspi-firmware is not accepted") == 1
    assert "Traceback" not in text
    image = board.built()
    # The firmware takes the first FAT partition that the table names, and reads config.txt from its root.
    assert partitions(image)[0] == ("pycontainer-esp", 2048, ESP_SIZE // SECTOR)
    start = 2048 * SECTOR
    lines = board.read(image, start, "config.txt").decode().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert settings == {"arm_64bit": "1", "enable_uart": "1", "upstream_kernel": "1", "kernel": "u-boot.bin"}
    assert b"U-Boot 20" in board.read(image, start, "u-boot.bin")
    assert board.read(image, start, "start4.elf")[:4] == b"\x7fELF"
    assert len(board.read(image, start, "fixup4.dat")) > 1000
    for name in ("bcm2711-rpi-4-b", "bcm2711-rpi-400", "bcm2711-rpi-cm4"):
        tree = board.read(image, start, f"{name}.dtb")
        assert tree[:4] == b"\xd0\x0d\xfe\xed" and len(tree) == struct.unpack_from(">I", tree, 4)[0]
        assert b"brcm,bcm2711" in tree
    assert board.read(image, start, "EFI/BOOT/BOOTAA64.EFI")[:2] == b"MZ"
    document = json.loads((board.deployed / "bootloader/bootloader.spdx.json").read_bytes())
    assert {"raspi-firmware", "u-boot-rpi"} <= {each["name"] for each in document["packages"]}


def test_a_rockchip_finds_its_loader_and_u_boot_before_the_first_partition(tmp_path: Path) -> None:
    board = Board(tmp_path / "build", "rockpro64")
    image = board.built()
    # The ROM's header, of which its own cipher makes the same first bytes each time (U-Boot, tools/rkcommon.c).
    assert at(image, 64, 4) == bytes.fromhex("3b8cdcfc")
    fit = at(image, 16384, 8)
    assert fit[:4] == b"\xd0\x0d\xfe\xed"
    assert [(name, first) for name, first, _ in partitions(image)] == [
        ("pycontainer-esp", 32768),
        ("pycontainer-storage", 32768 + ESP_SIZE // SECTOR),
    ]
    assert board.read(image, 32768 * SECTOR, "EFI/BOOT/BOOTAA64.EFI")[:2] == b"MZ"
