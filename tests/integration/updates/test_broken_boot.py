# SPDX-License-Identifier: MIT
"""Revisions that never reach their supervisor: three attempts, then the confirmed one, and the reason is told."""

from __future__ import annotations

import time

import pytest

from tests.integration.updates.devices import Device, Devices
from tests.integration.updates.products import Family, Made

PANIC = r"Kernel panic - not syncing"


def fail_three_times(device: Device, family: Family, made: Made) -> None:
    """Try a revision that does not come up, until the confirmed one is back."""
    device.install(made)
    device.link.ask("try", {"revision": made.id})
    for left in (2, 1, 0):
        device.wait_for(f"booting revision {made.short}, try {left} left")
        device.wait_for(PANIC)
        if made.name == "hangs":
            # It does nothing by itself any more: somebody presses the button.
            time.sleep(2)
            assert "booting" not in device.text.rpartition("Kernel panic")[2]
            device.machine.qmp("system_reset")
    device.wait_for(rf"booting revision {family.base.short}\n")
    device.assert_runs(family.base)
    outcome = device.status().outcome
    assert outcome is not None
    assert (outcome.revision, outcome.result) == (made.id, "rolled back")
    assert outcome.reason == "it did not come up in any of its attempts, or could not be loaded"


@pytest.mark.parametrize("how", ["panics", "hangs", "without-init"])
def test_a_revision_that_never_comes_up_gets_three_attempts(devices: Devices, family: Family, how: str):
    made = family.without_init() if how == "without-init" else family.made(how)
    device = devices.started()
    fail_three_times(device, family, made)
    device.kill()
    found = device.record()
    assert (found.rev, found.attempt, found.left) == (family.base.id, "", 0)
