# SPDX-License-Identifier: MIT
"""What a finished build tells of its next steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.build.summary import BuildSummary
from orchestrator.cli.screens import build_screen


@pytest.mark.parametrize("emulated", [True, False])
def test_only_a_machine_that_qemu_shows_is_said_to_run_in_it(emulated: bool) -> None:
    summary = BuildSummary(
        product="kiosk", version="1", machine="board", revision="sha256:" + "a" * 64, layers=[], image="kiosk.img",
        image_size=1, image_used=1, bmap="kiosk.img.bmap", store="store", sbom="sbom", bitbake_tasks=0, assembled=[],
        signed_by=[], emulated=emulated, unchanged=False, seconds=1.0,
    )  # fmt: skip
    following = build_screen(summary, Path("kiosk")).rpartition("next  ")[2].splitlines()
    assert ("run kiosk   boot it in QEMU" in following[0]) == emulated
    assert "flash kiosk.img /dev/sdX   write it to a disk" in following[-1]
    assert len(following) == (2 if emulated else 1)
