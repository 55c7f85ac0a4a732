# SPDX-License-Identifier: MIT
"""Bundles on USB sticks: found by label or by looking at all disks, pulled out in the middle, damaged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from orchestrator.device import DeviceError
from orchestrator.device.answers import Installed
from orchestrator.run import run
from tests.integration.updates.devices import Device, Devices
from tests.integration.updates.products import Family

SLOW = 500_000
"""Bytes a second of the stick that is pulled out: slow enough to be caught in the middle."""


def make_stick(family: Family, image: Path, label: str, bundle: Path) -> Path:
    """A FAT file system with a bundle beside other files."""
    with image.open("wb") as stream:
        stream.truncate(48 * 2**20)
    run([*family.tools.argv("mkfs.fat"), "-F", "32", "-n", label, image])
    other = image.with_suffix(".txt")
    other.write_text("nothing of interest\n")
    run([*family.tools.argv("mcopy"), "-i", image, other, "::/readme.txt"])
    run([*family.tools.argv("mcopy"), "-i", image, bundle, "::/update.tar"])
    return image


def plug(device: Device, drive: str) -> None:
    device.machine.qmp("device_add", {"driver": "usb-storage", "id": f"usb-{drive}", "drive": drive, "bus": "usb.0"})


def unplug(device: Device, drive: str) -> None:
    device.machine.qmp("device_del", {"id": f"usb-{drive}"})


def drive(name: str, image: Path, more: str = "") -> tuple[str, ...]:
    return ("-drive", f"id={name},if=none,format=raw,readonly=on,file={image}{more}")


def refusal(device: Device, **arguments: Any) -> str:
    """Why the device does not install."""
    with pytest.raises(DeviceError) as refused:
        device.link.ask("install", arguments, timeout=120)
    return refused.value.why


def wait_for_stick(device: Device, label: str) -> None:
    """Until the device has found a stick that was plugged in; it is asked for a revision that is not there."""
    missing = f"no attached disk has the label {label}"
    device.poll(lambda: refusal(device, label=label, revision="0000") != missing)


def test_a_stick_is_found_by_label_pulled_out_and_completed_by_another(
    devices: Devices, family: Family, tmp_path: Path
):
    made = family.made("payload-a")
    damaged = tmp_path / "damaged.tar"
    shutil.copyfile(family.made("payload-b").bundle, damaged)
    with damaged.open("r+b") as stream:
        stream.seek(PAYLOAD_AT)
        byte = stream.read(1)[0]
        stream.seek(PAYLOAD_AT)
        stream.write(bytes([byte ^ 1]))
    device = devices.started(
        extra=(
            "-device", "qemu-xhci,id=usb",
            *drive("slow", make_stick(family, tmp_path / "slow.img", "SLOWSTICK", made.bundle),
                   f",throttling.bps-read={SLOW}"),
            *drive("whole", make_stick(family, tmp_path / "whole.img", "WHOLE", made.bundle)),
            *drive("damaged", make_stick(family, tmp_path / "damaged.img", "DAMAGED", damaged)),
        )
    )  # fmt: skip
    assert refusal(device) == "no disk with a file system is attached"

    plug(device, "slow")
    wait_for_stick(device, "SLOWSTICK")
    before = device.containers()
    seen: dict[str, int] = {}

    def part(value: dict[str, Any]) -> None:
        step = value.get("progress", {})
        if step.get("step") == "copy" and step["done"] > step["total"] // 10 and not seen:
            seen.update(done=step["done"], total=step["total"])
            unplug(device, "slow")

    with pytest.raises(DeviceError, match="Input/output error"):
        device.link.ask("install", {"label": "SLOWSTICK"}, on_part=part, timeout=120)
    assert seen
    assert made.id not in device.revisions()
    assert {name: each.pid for name, each in device.containers().items()} == {
        name: each.pid for name, each in before.items()
    }
    assert family.base.headline in device.page()

    plug(device, "whole")
    wait_for_stick(device, "WHOLE")
    found = device.link.ask_for("install", Installed, timeout=120)
    assert found.revision.removeprefix("sha256:") == made.id
    assert 0 < found.copied <= seen["total"] - seen["done"], "it began anew"
    unplug(device, "whole")

    plug(device, "damaged")
    wait_for_stick(device, "DAMAGED")
    assert "digest" in refusal(device)
    assert set(device.revisions()) == {family.base.id, made.id}
    assert device.attempt(made).result == "confirmed"
    device.assert_runs(made)


PAYLOAD_AT = 8 * 2**20
"""Somewhere in the largest blob of a bundle with a payload."""
