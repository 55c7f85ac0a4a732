# SPDX-License-Identifier: MIT
"""Updates in which only containers differ: no restart, the rest goes on; and back again when the new is not well."""

from __future__ import annotations

import re
from typing import Any

import pytest

from orchestrator.device import DeviceError
from tests.integration.conftest import pycontainer
from tests.integration.updates.devices import Device, Devices
from tests.integration.updates.products import Family


def boots(device: Device) -> int:
    """How often the boot loader started something since the machine was switched on."""
    return device.text.count("booting revision")


def programs(device: Device, container: str) -> list[str]:
    """The paths of what was started in a container that is observed."""
    events: list[dict[str, Any]] = []
    with device.link.dropping():
        device.link.connection().observe(container, 1000, False, events.append)
    return [each["path"] for each in events if each["event"] == "exec"]


def test_a_changed_app_is_exchanged_while_the_rest_runs_and_is_there_after_a_power_cut(
    devices: Devices, family: Family
):
    page = family.made("page")
    device = devices.started()
    before = device.containers()
    assert family.base.headline in device.page()
    device.shell("for each in data cache scratch; do echo kept > /$each/note; done")
    device.link.drop()
    known = ("--product", family.product.folder)
    done = pycontainer("device", "--to", f"unix:{device.machine.control_path}", *known, "update", page.bundle)
    assert done.code == 0, done.err
    assert "confirmed after" in done.err
    # The page lies in an image of more than a megabyte; the device takes the rest of it from the one that it has.
    (sent,) = re.findall(r"is installed, \d+ blobs? w\w+ sent, ([\d.]+) kB", done.err)
    image = next(each for each in page.revision.blobs() if (each.layer, each.role) == ("web", "rootfs"))
    assert image.size > 1024 * 1024
    assert float(sent) * 1000 < image.size / 4
    after = device.containers()
    assert after["rootfs"].pid == before["rootfs"].pid
    assert after["web"].pid != before["web"].pid
    # It has a volume of its revision's own, so it had to change places too.
    assert after["box"].pid != before["box"].pid
    assert device.shell("cat /data/note /scratch/note") == "kept\nkept\n"
    assert device.shell("ls /cache") == ""
    device.assert_runs(page)
    # Of the one that went on the update asks to be told what it starts, and is told from then on.
    device.shell("true", "rootfs")
    device.poll(lambda: any(path.endswith("/sh") for path in programs(device, "rootfs")))
    assert boots(device) == 1
    status = device.status()
    assert status.record is not None
    device.kill()

    found = device.record()
    assert (found.rev, found.attempt, found.generation) == (page.id, "", status.record.generation)
    device.start()
    device.assert_runs(page)
    outcome = device.status().outcome
    assert outcome is not None
    assert (outcome.revision, outcome.result) == (page.id, "confirmed")
    assert device.shell("cat /data/note; ls /cache /scratch") == "kept\n/cache:\n\n/scratch:\n"


def test_an_app_that_is_not_well_is_taken_back_without_a_restart_and_the_reason_is_kept(
    devices: Devices, family: Family
):
    device = devices.started()
    rootfs = device.containers()["rootfs"].pid
    reason = ""
    numbers: list[int] = []
    for name, pattern in (
        ("crashing", r"web was restarted 4 times, 3 are allowed"),
        ("never-well", r"not confirmed within 6 s: .*web is not (up|healthy).*"),
    ):
        made = family.made(name)
        outcome = device.update(made)
        assert outcome.result == "rolled back"
        assert re.fullmatch(pattern, outcome.reason), outcome.reason
        device.assert_runs(family.base)
        assert device.containers()["rootfs"].pid == rootfs
        kept = device.status().outcome
        assert kept is not None
        assert (kept.revision, kept.result, kept.reason) == (made.id, "rolled back", outcome.reason)
        assert kept.trial not in numbers
        numbers.append(kept.trial)
        reason = outcome.reason
    assert boots(device) == 1
    device.restart()
    device.assert_runs(family.base)
    kept = device.status().outcome
    assert kept is not None
    assert kept.reason == reason
    device.kill()
    assert device.record().rev == family.base.id


def test_a_power_cut_during_a_live_trial_ends_it_and_a_product_may_ask_for_somebodys_word(
    devices: Devices, family: Family
):
    held = family.made("held")
    device = devices.started()
    device.install(held)
    device.link.ask("try", {"revision": held.id})
    wait_for_word(device)
    assert held.headline in device.page()
    with pytest.raises(DeviceError, match="an update is under way"):
        device.link.ask("gc")
    device.restart()
    device.assert_runs(family.base)
    outcome = device.status().outcome
    assert outcome is not None
    assert (outcome.revision, outcome.result) == (held.id, "rolled back")
    assert outcome.reason == "the device was restarted during the trial"

    # The whole id or its beginning; the word, and back by the verb.
    device.link.ask("try", {"revision": held.short})
    wait_for_word(device)
    device.link.ask("confirm")
    device.assert_runs(held)
    device.link.ask("rollback")
    device.assert_runs(family.base)
    assert boots(device) == 1
    device.power_off()
    assert device.record().rev == family.base.id
    assert device.notes()["previous"] == held.id


def wait_for_word(device: Device) -> None:
    """Until the trial waits for nothing but confirmation by hand."""
    device.poll(lambda: (trial := device.status().trial) is not None and trial.waiting == ["confirmation by hand"])
