# SPDX-License-Identifier: MIT
"""The distributions' product: built once, on a copy of the demo's BitBake folder, and booted once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.integration.confinement.conftest import probe
from tests.integration.conftest import Product
from tests.integration.distributions.running import Running, make, start

__all__ = ["probe"]


@pytest.fixture(scope="session")
def distributions(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product, built."""
    folder = tmp_path_factory.mktemp("distributions")
    # Its host and its layers are others than the demo's, whose tests count on finding theirs.
    bitbake = folder / "product/build/bitbake-qemu-amd64"
    shutil.copytree(request.getfixturevalue("demo").folder / "build/bitbake-qemu-amd64", bitbake, symlinks=True)
    yield make(folder / "product", folder / "keys")
    shutil.rmtree(bitbake)


@pytest.fixture(scope="package")
def running(distributions: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The product in QEMU, for as long as these tests last: seven containers take their share of the processors."""
    machine = start(distributions, tmp_path_factory.mktemp("running"))
    try:
        yield machine
    finally:
        machine.end()
