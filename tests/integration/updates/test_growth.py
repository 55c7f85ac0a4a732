# SPDX-License-Identifier: MIT
"""First starts: the device's own key, and storage that grows to the disk, also when the power fails meanwhile."""

from __future__ import annotations

import random
import re
import subprocess
import time

from orchestrator.image.board import read_board
from orchestrator.image.writer import layout
from tests.integration.updates.devices import Device, Devices
from tests.integration.updates.products import STORAGE_MIB, Family

LARGER = 256 * 2**20
CUTS = 2


def enlarge(device: Device) -> None:
    with device.image.open("r+b") as stream:
        stream.truncate(device.image.stat().st_size + LARGER)


def grown(device: Device) -> bool:
    room = device.status().storage
    return room is not None and room.size > STORAGE_MIB * 2**20 + LARGER // 2


def assert_sound(device: Device, start: int | None = None) -> None:
    """The disk, while it is off: its table, and its storage without a fault; that starts where it does on a PC."""
    checked = subprocess.run(["sgdisk", "-v", device.image], capture_output=True, text=True, check=False)
    assert "No problems found" in checked.stdout, checked.stdout + checked.stderr
    start = start or layout("demo", "qemu-amd64", STORAGE_MIB * 2**20)[1][1].start
    fsck = [*device.family.tools.argv("e2fsck"), "-f", "-n", f"{device.image}?offset={start}"]
    done = subprocess.run(fsck, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_storage_grows_to_a_larger_disk_on_the_first_start_and_the_key_is_made_once(devices: Devices, family: Family):
    device = devices.new(family.image)
    enlarge(device)
    family.made("payload-a")
    device.start()
    # An install at once, while all blobs are still being sealed behind the containers' start.
    device.wait_for(r"\] ready:")
    device.install(family.made("payload-a"))
    assert device.revisions()[family.made("payload-a").id].complete
    device.poll(lambda: "identity: this device has its own key now" in device.text)
    device.poll(lambda: re.search(r"storage: grew from \d+ to \d+ MiB", device.text) is not None)
    device.wait_settled(family.base)
    identity = device.identity()
    assert grown(device)
    device.power_off()
    assert_sound(device)
    device.start()
    device.assert_runs(family.base)
    assert device.identity() == identity
    assert "own key now" not in device.text and "grew from" not in device.text
    assert grown(device)


def test_behind_what_starts_a_board_storage_grows_and_nothing_of_that_is_touched(devices: Devices, family: Family):
    made, image = family.on_a_board()
    before = image.read_bytes()[34 * 512 : 12 * 2**20]
    assert b"loader" in before and b"u-boot" in before
    device = devices.new(image)
    enlarge(device)
    device.start()
    device.poll(lambda: re.search(r"storage: grew from \d+ to \d+ MiB", device.text) is not None)
    device.wait_settled(made)
    assert grown(device)
    assert device.update(family.made("page")).result == "confirmed"
    device.power_off()
    _, partitions = layout("demo", "qemu-amd64", STORAGE_MIB * 2**20, read_board(family.folder / "board.tar"))
    assert [each.name for each in partitions] == ["pycontainer-esp", "pycontainer-storage", "u-boot"]
    assert partitions[0].start == 12 * 2**20
    assert_sound(device, partitions[1].start)
    with device.image.open("rb") as stream:
        assert stream.seek(34 * 512) and stream.read(len(before)) == before


def test_a_power_cut_while_storage_grows_loses_nothing(devices: Devices, family: Family):
    device = devices.new()
    delays: list[float] = []
    try:
        grow_with_cuts(device, family, delays)
    except AssertionError as problem:
        problem.add_note(f"the power was cut {delays} s after it was ready")
        raise


def grow_with_cuts(device: Device, family: Family, delays: list[float]) -> None:
    for _ in range(CUTS):
        enlarge(device)
        delays.append(random.SystemRandom().uniform(0, 0.4))
        device.start()
        device.wait_for(r"\] ready:")
        time.sleep(delays[-1])
        device.kill()
    device.start()
    device.assert_runs(family.base)
    device.poll(lambda: (room := device.status().storage) is not None and room.size > CUTS * LARGER)
    device.power_off()
    assert_sound(device)
