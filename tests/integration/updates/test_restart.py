# SPDX-License-Identifier: MIT
"""Updates that need a restart: kept, given back by the verb, and given back by the device itself."""

from __future__ import annotations

from tests.integration.updates.devices import Devices
from tests.integration.updates.products import Family


def test_a_changed_kernel_is_tried_over_a_restart_kept_given_back_and_what_lasts_lasts(
    devices: Devices, family: Family
):
    kernel = family.made("kernel")
    device = devices.started()
    identity = device.identity()
    device.shell("for each in data cache scratch; do echo kept > /$each/note; done")
    assert "loglevel=3" not in device.shell("cat /proc/cmdline")

    outcome = device.update(kernel)
    assert outcome.result == "confirmed", outcome
    device.assert_runs(kernel)
    assert f"booting revision {kernel.short}, try 2 left" in device.text
    assert "loglevel=3" in device.shell("cat /proc/cmdline")
    assert device.shell("cat /data/note; ls /cache /scratch") == "kept\n/cache:\n\n/scratch:\n"
    assert device.identity() == identity

    device.link.ask("rollback")
    device.wait_for(f"booting revision {family.base.short}, try 2 left")
    device.assert_runs(family.base)
    assert device.shell("cat /data/note /cache/note; ls /scratch") == "kept\nkept\n"
    assert device.identity() == identity

    device.power_off()
    found = device.record()
    assert (found.rev, found.attempt, found.left) == (family.base.id, "", 0)
    assert device.notes()["previous"] == kernel.id
    assert device.storage_file("state/identity") != b""


def test_a_changed_kernel_whose_app_crashes_is_given_back_over_a_restart_by_the_device_itself(
    devices: Devices, family: Family
):
    device = devices.started()
    outcome = device.update(family.made("kernel-crashing"))
    assert outcome.result == "rolled back"
    assert outcome.reason == "web was restarted 4 times, 3 are allowed"
    device.assert_runs(family.base)
    device.power_off()
    found = device.record()
    assert (found.rev, found.attempt, found.left) == (family.base.id, "", 0)
