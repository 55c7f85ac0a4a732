# SPDX-License-Identifier: MIT
"""docs/revisions.md, block by block, as a user types it; the base is the demo's, so that no BitBake runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import REPOSITORY, Product
from tests.integration.revisions.page import Block, blocks, missing

PAGE = REPOSITORY / "docs" / "revisions.md"


class Walk:
    """A shell whose folder stays from one block to the next."""

    def __init__(self, folder: Path, demo: Product) -> None:
        self.folder = folder
        self.demo = demo
        self.base = folder
        programs = folder / "bin"
        programs.mkdir()
        program = programs / "pycontainer"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m orchestrator.cli.main "$@"\n')
        program.chmod(0o755)
        self.environment = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "PYCONTAINER_HOME": str(REPOSITORY),
            "PYCONTAINER_KEYS": str(folder / "keys"),
        }

    def run(self, block: Block) -> str:
        """Run a block, which must end well; returns what it printed."""
        printed = ""
        for command in block.commands.splitlines():
            if command.startswith("pycontainer build"):
                self.share_base()
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", f'{command}\necho "folder: $PWD" >&2'],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            self.folder = Path(done.stderr.rpartition("folder: ")[2].strip())
            printed += done.stdout
        return printed

    def share_base(self) -> None:
        """Let the product here use what BitBake made for the demo: its recipes are the same."""
        build = self.folder / "build"
        if build.exists():
            return
        build.mkdir()
        name = "bitbake-qemu-amd64"
        (build / name).symlink_to(self.demo.folder / "build" / name)
        shutil.copytree(self.demo.folder / "build" / "layers", build / "layers", symlinks=True)
        shutil.copy(self.demo.folder / "build" / "stamp-qemu-amd64.json", build)


@pytest.fixture(scope="module")
def walked(demo: Product, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Block, str]]:
    walk = Walk(tmp_path_factory.mktemp("walk"), demo)
    return [(block, walk.run(block)) for block in blocks(PAGE)]


def test_every_block_runs_and_prints_what_the_page_says(walked: list[tuple[Block, str]]) -> None:
    assert len(walked) >= 8
    for block, printed in walked:
        assert missing(block.expected, printed) == [], f"{block.heading}:\n{block.commands}\n{printed}"


def test_no_block_of_the_page_is_left_out() -> None:
    fences = [line for line in PAGE.read_text().splitlines() if line.startswith("```")]
    assert set(fences) == {"```sh", "```text", "```"}
    assert fences.count("```sh") == len(blocks(PAGE))
