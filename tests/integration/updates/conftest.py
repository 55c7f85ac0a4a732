# SPDX-License-Identifier: MIT
"""One family of revisions for all tests of updates, and devices that run them in QEMU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Product
from tests.integration.updates.devices import Device, Devices
from tests.integration.updates.products import Family


@pytest.fixture(scope="session")
def family(demo: Product, tmp_path_factory: pytest.TempPathFactory) -> Family:
    """The product of these tests; its revisions are built when they are asked for."""
    return Family(demo, tmp_path_factory.mktemp("updates"))


@pytest.fixture(scope="session")
def settled(family: Family, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base's image after its first start: sealed, with a key of its own, and switched off in order. Copy it."""
    folder = tmp_path_factory.mktemp("settled")
    device = Device(family, family.image, folder)
    device.start()
    device.assert_runs(family.base)
    device.poll(lambda: "identity: this device has its own key now" in device.text)
    device.poll(lambda: "verify: the other" in device.text)
    device.power_off()
    return device.image


@pytest.fixture
def devices(family: Family, settled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devices]:
    """Makes devices that run the base; they end with the test."""
    made = Devices(family, settled, tmp_path_factory.mktemp("devices"))
    yield made
    made.kill()
