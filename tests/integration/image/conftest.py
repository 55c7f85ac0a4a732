# SPDX-License-Identifier: MIT
"""A disk with two revisions whose kernel panics at once: all that is needed to see GRUB's choice.

The kernel, boot loader, tools and firmware are those of the built demo, or of the deploy folder PYCONTAINER_DEPLOY. To
work on the boot loader alone, PYCONTAINER_TEST_KERNEL names a kernel, and the rest is the host's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.canonical import sha256_digest
from orchestrator.deploy import Deploy, Emulator, Firmware
from orchestrator.emulator.qemu import MachineOptions
from orchestrator.image import bmap, gpt, record
from orchestrator.image.writer import ESP_SIZE, ImageRequest, layout, used_spans, write_image
from orchestrator.revision import boot_env
from orchestrator.run import Tools

sys.path.append(str(Path(__file__).parents[3] / "meta-pycontainer" / "lib"))
from pycontainer import memdisk

EPOCH = 1_700_000_000
CONFIRMED = "a" * 64
TRIED = "b" * 64
GRUB_CFG = Path(__file__).parents[3] / "meta-pycontainer/recipes-bsp/pycontainer-bootloader/files/grub.cfg"
GRUB_PRELOADED = "part_gpt fat ext2 regexp normal"
GRUB_MODULES = "part_gpt fat ext2 normal linux loadenv test echo regexp probe sleep reboot"
# The end of a cpio archive in the "newc" form, without any file before it.
EMPTY_CPIO = b"070701" + b"0" * 88 + b"0000000B" + b"0" * 8 + b"TRAILER!!!\0\0\0\0"


@dataclass(frozen=True)
class Parts:
    """What a bootable disk is made of, and the machine that boots it."""

    tools: Tools
    kernel: Path
    efi: Path
    emulator: Emulator
    firmware_code: Path
    firmware_vars: Path
    efi_name: str = "BOOTX64.EFI"


@pytest.fixture(scope="session")
def parts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    kernel = os.environ.get("PYCONTAINER_TEST_KERNEL")
    if kernel is not None:
        return _host_parts(Path(kernel), tmp_path_factory.mktemp("grub"))
    given = os.environ.get("PYCONTAINER_DEPLOY")
    deploy = Deploy(Path(given) if given else request.getfixturevalue("deploy_dir"))
    emulator, tree = deploy.manifest.emulator, deploy.manifest.tools
    assert emulator is not None and tree is not None
    return Parts(
        tools=Tools(deploy.resolve(tree.path) / "bin"),
        kernel=deploy.verified(deploy.of_kind("bsp")[0].files["kernel"]),
        efi=deploy.verified(deploy.of_kind("bootloader")[0].files["efi"]),
        emulator=emulator,
        firmware_code=deploy.resolve(emulator.firmware[0].code),
        firmware_vars=deploy.resolve(emulator.firmware[0].variables),
        efi_name=deploy.efi_name(),
    )


def _host_parts(kernel: Path, folder: Path) -> Parts:
    """Make the boot loader as the base over OE-core does, of the host's GRUB."""
    efi, archive = folder / "BOOTX64.EFI", folder / "memdisk.tar"
    platform = Path("/usr/lib/grub/x86_64-efi")
    memdisk.write(archive, platform, GRUB_MODULES.split(), GRUB_CFG, EPOCH)
    subprocess.run(
        ["grub-mkimage", "-d", platform, "-O", platform.name, "-o", efi, "-p", "(memdisk)/boot/grub", "-m", archive,
         *GRUB_PRELOADED.split(), "memdisk", "tar"],
        check=True,
    )  # fmt: skip
    emulator = Emulator(
        binary="qemu-system-x86_64", machine="q35", cpu="max", memory_mi_b=256, smp=1, console="ttyS0",
        firmware=[Firmware(name="edk2", kind="pflash", code="")],
    )  # fmt: skip
    firmware = Path("/usr/share/OVMF")
    return Parts(Tools(), kernel, efi, emulator, firmware / "OVMF_CODE_4M.fd", firmware / "OVMF_VARS_4M.fd")


@dataclass(frozen=True)
class Disk:
    """An image that tests read and write as the device would."""

    image: Path
    parts: Parts
    scratch: Path

    @property
    def options(self) -> MachineOptions:
        return MachineOptions(
            emulator=self.parts.emulator,
            firmware_code=self.parts.firmware_code,
            firmware_vars=self.parts.firmware_vars,
            image=self.image,
            persist=True,
        )

    def write_records(self, first: bytes, second: bytes) -> None:
        for slot, data in enumerate((first, second)):
            source = self.scratch / "record"
            source.write_bytes(data)
            self._mtools("mcopy", "-o", source, f"::/pycontainer/record.{slot}")

    def records(self) -> tuple[record.Record | None, record.Record | None]:
        found = [record.decode(self._mtools("mtype", f"::/pycontainer/record.{slot}")) for slot in range(2)]
        return found[0], found[1]

    def remove(self, path: str) -> None:
        self.debugfs(f"rm {path}")

    def debugfs(self, *commands: str) -> None:
        script = self.scratch / "commands"
        script.write_text("".join(f"{command}\n" for command in commands))
        where = f"{self.image}?offset={gpt.ALIGNMENT + ESP_SIZE}"
        subprocess.run(self.parts.tools.argv("debugfs", "-w", "-f", script, where), check=True, capture_output=True)

    def _mtools(self, program: str, *arguments: str | Path) -> bytes:
        argv = self.parts.tools.argv(program, "-i", f"{self.image}@@{gpt.ALIGNMENT}", *arguments)
        return subprocess.run(
            argv, check=True, stdout=subprocess.PIPE, env={**os.environ, "MTOOLS_SKIP_CHECK": "1"}
        ).stdout


@pytest.fixture
def disk(parts: Parts, tmp_path: Path) -> Disk:
    contents = {
        "kernel": parts.kernel.read_bytes(),
        "initramfs": EMPTY_CPIO,
        "boot-env": boot_env([f"console={parts.emulator.console},115200", "panic=-1"]),
    }
    links = {name: sha256_digest(data) for name, data in contents.items()}
    blobs = {}
    for name, data in contents.items():
        blobs[links[name]] = tmp_path / name
        blobs[links[name]].write_bytes(data)
    request = ImageRequest(
        product="demo",
        machine="qemu-amd64",
        revision=f"sha256:{CONFIRMED}",
        blobs=blobs,
        links=links,
        efi=parts.efi,
        efi_name=parts.efi_name,
        storage_size=96 * 1024 * 1024,
    )
    made = write_image(request, tmp_path / "disk.img", parts.tools, EPOCH)
    disk = Disk(made.image, parts, tmp_path)
    disk.debugfs(
        f"mkdir revisions/{TRIED}",
        *(
            f"symlink revisions/{TRIED}/{name} ../../blobs/sha256/{digest.removeprefix('sha256:')}"
            for name, digest in links.items()
        ),
    )
    size, partitions = layout(request.product, request.machine, request.storage_size)
    with disk.image.open("rb") as stream:
        block_map = bmap.map_image(stream.fileno(), size, used_spans(disk.image, size, *partitions))
    made.block_map.write_bytes(bmap.encode(block_map))
    return disk
