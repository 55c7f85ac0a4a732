# SPDX-License-Identifier: MIT
"""A kernel that hangs after its supervisor has started is ended by the hardware's watchdog."""

from __future__ import annotations

from tests.integration.updates.devices import Devices
from tests.integration.updates.products import Family

# QEMU's chipset ignores its watchdog unless told otherwise.
HEEDED = ("-global", "ICH9-LPC.noreboot=false", "-action", "watchdog=reset")


def test_the_watchdog_ends_a_kernel_that_hangs_in_its_trial_and_the_attempt_is_counted(
    devices: Devices, family: Family
):
    made = family.made("nmi-hangs")
    device = devices.started(extra=HEEDED)
    assert device.status().watchdog
    device.install(made)
    device.link.ask("try", {"revision": made.id})
    device.wait_for(f"booting revision {made.short}, try 2 left")
    device.wait_for("watchdog: iTCO_wdt")
    # A fault that the kernel answers by standing still for ever.
    device.machine.qmp("inject-nmi")
    device.wait_for("Kernel panic - not syncing: NMI")
    device.wait_for(f"booting revision {made.short}, try 1 left")
    device.assert_runs(made)
