# SPDX-License-Identifier: MIT
"""The scenarios: what a device does while its writes are recorded, and what it has promised at each moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from orchestrator.canonical import sha256_digest
from orchestrator.device import DeviceError
from orchestrator.device.answers import Collected, Installed
from tests.integration.updates.devices import Heard
from tests.integration.updates.test_refused import fill
from tests.integration.updates.test_stick import SLOW, drive, make_stick, plug, unplug, wait_for_stick
from tests.powercut.recording import record_line
from tests.powercut.rig import LIMIT, Stage

RECORDS = "volumes/box/data/records"
_RECORDS = 40
_CROWD = 60
"""Blobs of no revision that a device takes are 64 at most; a block of a folder has room for some 50 of their names."""
_WRITTEN_BACK = 40
"""Seconds after which the kernel has written back what is dirty (vm.dirty_expire_centisecs, and its period)."""

# One record, synced, and only then told.
_WRITER = """\
line=' of those that are acknowledged once they are synced'
i=0
while [ $i -lt {count} ]; do
  printf 'record %06d%s\\n' $i "$line" | dd of=/data/records oflag=append conv=notrunc,fsync 2> /dev/null || exit 1
  i=$((i + 1))
  echo $i
done
"""


@dataclass(frozen=True)
class Scenario:
    """`play` runs it; `fresh` begins with an image that was never started, and not with a settled one."""

    name: str
    what: str
    play: Callable[[Stage], None]
    fresh: bool = False


def _begin(stage: Stage) -> None:
    """Switch the device on and wait until it runs the base."""
    stage.mark("power on", choose=["base"], whole=["base"], settled=True)
    stage.device.start()
    stage.device.wait_settled(stage.family.base, timeout=LIMIT)
    stage.mark("base runs")


def _install(stage: Stage, name: str) -> None:
    stage.device.install(stage.made(name), Heard())
    stage.mark(f"{name} is installed", whole=["base", name])


def _try(stage: Stage, name: str) -> None:
    stage.mark(f"{name} may be tried", choose=["base", name])
    outcome = stage.device.attempt(stage.made(name), LIMIT)
    assert outcome.result == "confirmed", outcome
    stage.mark(f"{name} is confirmed", choose=[name], whole=[name])


def _write_records(stage: Stage, count: int = _RECORDS) -> None:
    """Let the app write records, and note each that it says is kept."""
    heard = bytearray()

    def show(name: str, data: bytes) -> None:
        heard.extend(data)
        if lines := heard.decode().split("\n")[:-1]:
            stage.mark(f"record {lines[-1]}", prefix={RECORDS: int(lines[-1])})

    with stage.device.link.dropping():
        status = stage.device.link.connection().execute("box", ["sh", "-c", _WRITER.format(count=count)], show)
    assert status == 0, bytes(heard)
    assert stage.marks[-1].prefix == {RECORDS: count}
    assert record_line(0).decode() in stage.device.shell("head -n 1 /data/records")


def _settle_down(stage: Stage) -> None:
    """Wait for what is written behind: the journal's commit comes every 30 seconds."""
    time.sleep(3)
    stage.mark("end")


def play_live(stage: Stage) -> None:
    stage.made("payload-a")
    _begin(stage)
    _write_records(stage)
    _install(stage, "payload-a")
    _try(stage, "payload-a")
    _settle_down(stage)


def play_full(stage: Stage) -> None:
    stage.made("kernel-a")
    _begin(stage)
    _install(stage, "kernel-a")
    _try(stage, "kernel-a")
    _settle_down(stage)


def _fail(stage: Stage, name: str) -> None:
    """Try a revision that is given back by the device itself."""
    stage.mark(f"{name} may be tried", choose=["base", name])
    outcome = stage.device.attempt(stage.made(name), LIMIT)
    assert outcome.result == "rolled back", outcome
    stage.device.wait_settled(stage.family.base, timeout=LIMIT)
    stage.mark(f"{name} was rolled back", choose=["base"], whole=["base", name])


def play_roll_back(stage: Stage) -> None:
    stage.made("never-well")
    stage.made("kernel-crashing")
    _begin(stage)
    _install(stage, "never-well")
    _fail(stage, "never-well")
    stage.device.install(stage.made("kernel-crashing"))
    stage.mark("kernel-crashing is installed", whole=["base", "kernel-crashing"])
    _fail(stage, "kernel-crashing")
    _settle_down(stage)


def play_bootloader(stage: Stage) -> None:
    stage.made("loader")
    _begin(stage)
    _install(stage, "loader")
    _try(stage, "loader")
    _settle_down(stage)


def play_first_start(stage: Stage) -> None:
    """On a larger disk: storage grows, the key is made, all blobs are sealed."""
    stage.mark("power on", choose=["base"], whole=["base"])
    stage.device.start()
    stage.device.wait_for(r"\] ready:", LIMIT)
    stage.mark("ready")
    stage.device.identity()
    stage.mark("key made")
    stage.device.poll(lambda: "identity: this device has its own key now" in stage.device.text, LIMIT)
    stage.device.poll(lambda: "storage: grew from" in stage.device.text, LIMIT)
    stage.device.poll(lambda: "verify: the other" in stage.device.text, LIMIT)
    stage.device.wait_settled(stage.family.base, timeout=LIMIT)
    stage.mark("settled", settled=True)
    _settle_down(stage)


def play_garbage(stage: Stage) -> None:
    stage.made("payload-a")
    stage.made("page")
    _begin(stage)
    _install(stage, "payload-a")
    _install(stage, "page")
    stage.mark("garbage may be collected", whole=["base"])
    found = stage.device.link.ask_for("gc", Collected)
    assert found.removed.revisions == 2, found
    stage.mark("garbage is collected")
    stage.device.shell("sync")
    _install(stage, "page")
    _settle_down(stage)


def _rest(data: bytes, offset: int) -> Iterator[bytes]:
    return iter((data[offset:],))


def play_crowded(stage: Stage) -> None:
    """So many blobs that their folder outgrows its first block, and their removal, each written back to its place.

    The boot loader reads that folder without the journal: a name that it needs must not be on its way between blocks.
    """
    stage.made("kernel-a")
    _begin(stage)
    with stage.device.link.dropping():
        connection = stage.device.link.connection()
        for number in range(_CROWD):
            data = b"a blob that no revision refers to, number %d\n" % number
            connection.put(sha256_digest(data), len(data), partial(_rest, data))
    stage.mark("crowded")
    stage.device.shell("sync")
    _install(stage, "kernel-a")
    _try(stage, "kernel-a")
    stage.mark("the crowd may go", whole=["kernel-a"])
    stage.device.link.ask_for("gc", Collected)
    stage.device.shell("sync")
    time.sleep(_WRITTEN_BACK)
    stage.mark("the crowd is gone")


def play_records(stage: Stage) -> None:
    _begin(stage)
    _write_records(stage, 150)
    stage.mark("written")


def play_logs(stage: Stage) -> None:
    """An app that says so much that its log is rotated, several times."""
    _begin(stage)
    _write_records(stage, 5)
    for _ in range(3):
        stage.device.shell("yes 'what an app has to say' | head -c 1500000 > /proc/1/fd/1")
        stage.device.shell("sync")
    assert stage.device.shell("head -n 1 /data/records")
    _settle_down(stage)


def play_stick(stage: Stage) -> None:
    """A bundle on a stick that is pulled out while it is copied, and another stick afterwards."""
    made = stage.made("payload-a")
    family, device, work = stage.family, stage.device, stage.work
    device.extra = (
        "-device", "qemu-xhci,id=usb",
        *drive("slow", make_stick(family, work / "slow.img", "SLOWSTICK", made.bundle), f",throttling.bps-read={SLOW}"),
        *drive("whole", make_stick(family, work / "whole.img", "WHOLE", made.bundle)),
    )  # fmt: skip
    _begin(stage)
    plug(device, "slow")
    wait_for_stick(device, "SLOWSTICK")
    pulled: list[int] = []

    def part(value: dict[str, Any]) -> None:
        step = value.get("progress", {})
        if step.get("step") == "copy" and step["done"] > step["total"] // 3 and not pulled:
            pulled.append(step["done"])
            unplug(device, "slow")

    try:
        device.link.ask("install", {"label": "SLOWSTICK"}, on_part=part, timeout=120)
    except DeviceError as problem:
        assert "Input/output error" in problem.why, problem
    assert pulled
    stage.mark("the stick is pulled out")
    plug(device, "whole")
    wait_for_stick(device, "WHOLE")
    device.link.ask_for("install", Installed, timeout=120)
    stage.mark("payload-a is installed", whole=["base", "payload-a"])
    _settle_down(stage)


def play_full_disk(stage: Stage) -> None:
    """Too little room for an update, which is refused; then there is room again."""
    stage.made("payload-a")
    _begin(stage)
    _write_records(stage, 5)
    fill(stage.device, 4 * 2**20)
    try:
        stage.device.install(stage.made("payload-a"))
        raise AssertionError("it was installed on a full disk")
    except DeviceError as problem:
        assert "free" in problem.why, problem
    stage.mark("refused")
    stage.device.shell("rm /data/filler; sync")
    _install(stage, "payload-a")
    _try(stage, "payload-a")
    _settle_down(stage)


SCENARIOS = {
    each.name: each
    for each in (
        Scenario("live", "app-only live update, confirmed, after acknowledged records of an app", play_live),
        Scenario("full", "update of the BSP over a restart, confirmed", play_full),
        Scenario("roll-back", "a live update and one over a restart, both given back by the device", play_roll_back),
        Scenario("bootloader", "an update with a new boot loader, which is put on the ESP", play_bootloader),
        Scenario("first-start", "the first start on a larger disk: growth, key, seals", play_first_start, fresh=True),
        Scenario("garbage", "two installed revisions collected, one of them installed anew", play_garbage),
        Scenario("crowded", "a folder of blobs that grows by a block, and shrinks again", play_crowded),
        Scenario("records", "an app that syncs record by record and tells each", play_records),
        Scenario("logs", "an app whose log is rotated", play_logs),
        Scenario("stick", "a stick pulled out, and another that brings the rest", play_stick),
        Scenario("full-disk", "an update that does not fit, and fits later", play_full_disk),
    )
}
