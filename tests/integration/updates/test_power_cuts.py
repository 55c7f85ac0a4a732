# SPDX-License-Identifier: MIT
"""The power is cut at instants all over an update, and every time the device starts as the old revision or the new.

Each of two machines goes to and fro between two revisions that differ in the kernel's
arguments and in a payload. The first cuts fall into the copying, the last into the confirmation. The instants are drawn
anew each time; PYCONTAINER_SEED repeats what a failure tells, and PYCONTAINER_CUTS says how many. The 6 by default, one
in each phase, take a processor without KVM about four minutes; tests/powercut cuts a recording everywhere.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from orchestrator.device import DeviceError, LinkError
from tests.integration.updates.devices import Device, Devices, Heard
from tests.integration.updates.products import Family, Made

CUTS = int(os.environ.get("PYCONTAINER_CUTS", "6"))
SEED = int(os.environ.get("PYCONTAINER_SEED") or random.SystemRandom().randrange(2**32))
MACHINES = 2


@dataclass
class Update:
    """One update in a thread of its own, which ends without a word when the power is cut."""

    device: Device
    made: Made
    share: float = 0.0
    """How much of what is to be sent has been."""
    problem: BaseException | None = None

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        def show(phase: str, done: int, total: int) -> None:
            if phase == "send":
                self.share = done / max(total, 1)

        try:
            self.device.install(self.made, Heard(on_show=show))
            self.share = 2.0
            self.device.link.ask("try", {"revision": self.made.id}, timeout=120)
        except LinkError:
            pass
        except (DeviceError, OSError) as problem:
            self.problem = problem


def said(device: Device, first: str, then: str = "") -> Callable[[], bool]:
    """Whether the console has shown something, and something else after it."""
    return lambda: first in (text := device.text) and then in text.partition(first)[2]


# What comes first, and then how many seconds at most: each begins where the one before is about to end.
def phases(update: Update, chance: random.Random) -> list[tuple[str, Callable[[], bool], float]]:
    device, short = update.device, update.made.short
    share = chance.random()
    return [
        ("while blobs are sent", lambda: update.share >= share, 0.0),
        ("while it is proven and noted", lambda: update.share >= 1.0, 2.0),
        ("while it goes down", said(device, f"restart: to try revision {short}"), 3.0),
        ("in the boot loader or the kernel", said(device, f"booting revision {short}"), 10.0),
        ("while containers start", said(device, f"trial: revision {short}"), 6.0),
        ("while it is confirmed", said(device, f"trial: revision {short}", "container web: healthy"), 2.5),
    ]


def cut(device: Device, made: Made, phase: int, chance: random.Random) -> str:
    """Begin an update, cut the power in a phase of it, and return what was cut."""
    update = Update(device, made)
    name, begun, most = phases(update, chance)[phase]
    delay = chance.uniform(0, most)
    thread = update.start()
    deadline = time.monotonic() + 240
    while not begun():
        assert update.problem is None, update.problem
        assert time.monotonic() < deadline, f"{name} never came\n{device.text[-3000:]}"
        time.sleep(0.01)
    time.sleep(delay)
    device.machine.kill()
    thread.join(60)
    assert not thread.is_alive()
    device.kill()
    return f"{name} + {delay:.2f} s"


def torment(device: Device, family: Family, number: int, told: list[str]) -> None:
    """Cut the power of one device again and again; `told` gets what was cut when."""
    chance = random.Random(SEED * MACHINES + number)
    pair = [family.made("kernel-a"), family.made("kernel-b")]
    runs = family.base
    for index in range(number, CUTS, MACHINES):
        target = next(made for made in pair if made is not runs)
        what = cut(device, target, index * 6 // CUTS if CUTS >= 6 else index, chance)
        record = device.record_that_counts()
        told.append(f"machine {number}, cut {index}, {what}: {record.ok[:16]}")
        device.start()
        status = device.wait_settled(runs, target)
        old, runs = runs, target if status.revision == target.id else runs
        device.assert_runs(runs)
        told[-1] += f", {'old' if runs is old else 'new'}"
    target = next(made for made in pair if made is not runs)
    outcome = device.update(target)
    assert outcome.result == "confirmed", outcome
    device.assert_runs(target)


def test_a_superblock_that_was_torn_is_mended_at_the_start(devices: Devices, family: Family):
    device = devices.new()
    # Its first sector is of another time than the second one, in which the checksum is: one more mount is counted.
    device.flip_bit(device.storage_at(1024 + 0x34))
    device.start()
    device.assert_runs(family.base)
    assert re.search(r"storage: \S+ repaired, mounted", device.text), device.text
    device.shell("echo kept > /data/note; sync")
    device.restart()
    device.assert_runs(family.base)
    assert device.shell("cat /data/note") == "kept\n"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(MACHINES))
def test_after_a_power_cut_at_any_instant_the_device_is_the_old_or_the_new_one(
    devices: Devices, family: Family, number: int
):
    device = devices.started()
    told: list[str] = []
    try:
        torment(device, family, number, told)
    except BaseException as problem:
        problem.add_note("\n".join([f"PYCONTAINER_SEED={SEED} PYCONTAINER_CUTS={CUTS}", *told]))
        raise
    assert len(told) == len(range(number, CUTS, MACHINES))
