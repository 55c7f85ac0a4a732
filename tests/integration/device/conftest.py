# SPDX-License-Identifier: MIT
"""What the device tests boot: the files that the environment names, or what BitBake deployed for the demo."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.integration.device.rig import Inputs


@pytest.fixture(scope="session")
def inputs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """Kernel, host, modules image and a static busybox for the containers."""
    if named := Inputs.from_environment():
        return named
    return inputs_of(request.getfixturevalue("deploy_dir"), tmp_path_factory.mktemp("modules"))


def inputs_of(deploy: Path, folder: Path) -> Inputs:
    """Return what to boot of a deploy folder; the modules' image lies in `folder` afterwards."""
    busybox = shutil.which("busybox")
    if not busybox or _interpreted(Path(busybox)):
        pytest.fail("the containers of these tests are a static busybox: install busybox-static")
    modules = folder / "modules.squashfs"
    with (deploy / "bsp/modules.tar").open("rb") as tar:
        subprocess.run(["sqfstar", "-comp", "zstd", "-quiet", "-no-progress", modules], stdin=tar, check=True)
    return Inputs(deploy / "bsp/vmlinuz", deploy / "host/initramfs.cpio.zst", Path(busybox), modules)


def _interpreted(program: Path) -> bool:
    """Whether a 64-bit ELF program asks for a dynamic loader (elf(5), PT_INTERP)."""
    data = program.read_bytes()
    offset, size, count = (*struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54))
    return any(struct.unpack_from("<I", data, offset + index * size)[0] == 3 for index in range(count))
