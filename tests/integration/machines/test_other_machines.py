# SPDX-License-Identifier: MIT
"""Machines of another architecture than this computer's: built here, booted, updated, and rolled back.

The revisions, the device and what is asserted of them are those of the tests of updates.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.machines.read import machine
from tests.integration.conftest import REPOSITORY, Product, copy_demo
from tests.integration.updates.devices import Device
from tests.integration.updates.products import Family
from tests.integration.updates.test_broken_boot import fail_three_times

MACHINES = ("qemu-arm64",)
BOOT_SECONDS = 300.0


@pytest.fixture(scope="session", params=MACHINES)
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Product:
    """The demo for another machine."""
    folder = tmp_path_factory.mktemp(request.param)
    product = copy_demo(folder / "product", folder / "keys", request.param)
    product.build()
    return product


@pytest.fixture(scope="session")
def family(other: Product, tmp_path_factory: pytest.TempPathFactory) -> Family:
    return Family(other, tmp_path_factory.mktemp("family"), box=False)


@pytest.fixture
def device(family: Family, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Device]:
    """A device that is off; the parameter is the firmware's number in the machine's data."""
    described = machine(REPOSITORY, family.product.machine)
    assert described.data is not None and described.data.emulator is not None
    names = [each.name for each in described.data.emulator.firmware]
    if request.param >= len(names):
        pytest.skip(f"{family.product.machine} has one firmware")
    made = Device(family, family.image, tmp_path, firmware=names[request.param])
    yield made
    made.kill()


@pytest.mark.parametrize("device", [0], indirect=True)
def test_it_boots_to_its_page_and_is_updated_with_and_without_a_restart(device: Device, family: Family) -> None:
    device.start()
    device.wait_settled(family.base, timeout=BOOT_SECONDS)
    device.assert_runs(family.base)
    assert device.update(family.made("page")).result == "confirmed"
    device.assert_runs(family.made("page"))
    assert device.text.count("booting revision") == 1
    assert device.update(family.made("kernel")).result == "confirmed"
    device.assert_runs(family.made("kernel"))
    assert f"booting revision {family.made('kernel').short}, try 2 left" in device.text
    device.kill()
    found = device.record()
    assert (found.rev, found.attempt) == (family.made("kernel").id, "")


@pytest.mark.parametrize("device", [1], indirect=True)
def test_by_its_other_firmware_a_revision_that_never_comes_up_is_rolled_back(device: Device, family: Family) -> None:
    device.start()
    device.wait_settled(family.base, timeout=BOOT_SECONDS)
    fail_three_times(device, family, family.made("panics"))
    device.kill()
    found = device.record()
    assert (found.rev, found.attempt, found.left) == (family.base.id, "", 0)
