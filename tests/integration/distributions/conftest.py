# SPDX-License-Identifier: MIT
"""The distributions' product: built once, on a copy of the demo's BitBake folder, and booted once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.distributions.running import Running, make, start


@pytest.fixture(scope="session")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The running product. PYC_BITBAKE may name a BitBake folder that was built before, and is built further."""
    folder = tmp_path_factory.mktemp("distributions")
    if named := os.environ.get("PYC_BITBAKE"):
        bitbake = Path(named)
    else:
        bitbake = folder / "bitbake"
        shutil.copytree(request.getfixturevalue("demo").folder / "build/bitbake-qemu-amd64", bitbake, symlinks=True)
    machine = start(make(folder / "product", bitbake, folder / "keys"), folder)
    try:
        yield machine
    finally:
        if machine.process.poll() is None:
            machine.process.terminate()
            machine.process.wait(60)
