# SPDX-License-Identifier: MIT
"""What the device tests boot: the files that the environment names, or what BitBake deployed for the demo."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.device.rig import Inputs


@pytest.fixture(scope="session")
def inputs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """Kernel, host, modules image and a static busybox for the containers."""
    if named := Inputs.from_environment():
        return named
    busybox = shutil.which("busybox")
    if not busybox or b"ld-linux" in Path(busybox).read_bytes():
        pytest.fail("the containers of these tests are a static busybox: install busybox-static")
    deploy: Path = request.getfixturevalue("deploy_dir")
    modules = tmp_path_factory.mktemp("modules") / "modules.squashfs"
    with (deploy / "bsp/modules.tar").open("rb") as tar:
        subprocess.run(["sqfstar", "-comp", "zstd", "-quiet", "-no-progress", modules], stdin=tar, check=True)
    return Inputs(deploy / "bsp/vmlinuz", deploy / "host/initramfs.cpio.zst", Path(busybox), modules)
