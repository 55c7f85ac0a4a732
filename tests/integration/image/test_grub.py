# SPDX-License-Identifier: MIT
"""GRUB's choice of a revision, made by the real GRUB under UEFI firmware in QEMU."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable

import pytest

from orchestrator.emulator import machine as machine_module
from orchestrator.emulator.machine import Machine
from orchestrator.image.record import Record, choose, encode
from tests.integration.image.conftest import CONFIRMED, TRIED, Disk

pytestmark = pytest.mark.integration

LINE = re.compile(r"pycontainer: (.+)\n")
BOOT_SECONDS = 90
A, B = CONFIRMED[:12], TRIED[:12]


def first_lines(disk: Disk, count: int = 1) -> list[str]:
    """Boot, and return the first lines that GRUB says."""
    with Machine(disk.options) as machine:
        return [machine.wait_for(LINE, BOOT_SECONDS)[1] for _ in range(count)]


def torn(data: bytes) -> bytes:
    """Half of a record written over another one: the generation is new, the rest is old."""
    return data.replace(b"gen=7\n", b"gen=9\n")


GARBAGE: list[Callable[[bytes], bytes]] = [torn, lambda _: bytes(1024), lambda data: data[:150].ljust(1024, b"\xff")]


@pytest.mark.parametrize(("first", "second"), [(6, 5), (5, 6), (9, 10)])
def test_the_record_with_the_higher_generation_wins(disk: Disk, first: int, second: int) -> None:
    disk.write_records(encode(Record(first, CONFIRMED)), encode(Record(second, TRIED)))
    assert first_lines(disk) == [f"booting revision {A if first > second else B}"]


@pytest.mark.parametrize("spoil", GARBAGE)
@pytest.mark.parametrize("slot", [0, 1])
def test_a_damaged_record_yields_to_the_other_copy(disk: Disk, spoil: Callable[[bytes], bytes], slot: int) -> None:
    bad, good = spoil(encode(Record(7, TRIED))), encode(Record(6, CONFIRMED))
    disk.write_records(*((bad, good) if slot == 0 else (good, bad)))
    assert first_lines(disk) == [f"booting revision {A}"]


def test_two_damaged_records_stop_with_a_message_and_no_prompt(disk: Disk) -> None:
    disk.write_records(b"\xff" * 1024, bytes(1024))
    with Machine(disk.options) as machine:
        assert machine.wait_for(LINE, BOOT_SECONDS)[1] == "both boot records are damaged"
        assert machine.wait_for(LINE, 10)[1] == "nothing to boot; restarting in 30 seconds"
        said = machine.console.text
        for key in (b"c", b"\x1b", b"c", b"\r", b"\x03", b"e", b"\r"):
            machine.send(key)
        time.sleep(3)
        assert machine.console.text == said


def test_a_kernel_that_panics_is_tried_three_times_and_then_rolled_back(disk: Disk) -> None:
    disk.write_records(encode(Record(3, CONFIRMED)), encode(Record(4, CONFIRMED, TRIED, 3)))
    with Machine(disk.options) as machine:
        for left in (2, 1, 0):
            assert machine.wait_for(LINE, BOOT_SECONDS)[1] == f"booting revision {B}, try {left} left"
            arguments = machine.wait_for(r"Kernel command line: (.+)\n", BOOT_SECONDS)[1].split()
            assert f"pycontainer.revision={TRIED}" in arguments
            assert disk.records() == (Record(4, CONFIRMED, TRIED, left),) * 2
        assert machine.wait_for(LINE, BOOT_SECONDS)[1] == f"booting revision {A}"
        arguments = machine.wait_for(r"Kernel command line: (.+)\n", BOOT_SECONDS)[1].split()
    assert f"pycontainer.revision={CONFIRMED}" in arguments
    assert disk.records() == (Record(4, CONFIRMED),) * 2


def test_the_kernel_learns_where_storage_and_boot_partition_are(disk: Disk) -> None:
    with Machine(disk.options) as machine:
        arguments = machine.wait_for(r"Kernel command line: (.+)\n", BOOT_SECONDS)[1].split()
    assert "panic=-1" in arguments
    uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    for name in ("storage", "esp"):
        assert any(re.fullmatch(f"pycontainer.{name}={uuid}", each) for each in arguments), arguments


def test_a_revision_without_kernel_costs_no_restart(disk: Disk) -> None:
    disk.remove(f"revisions/{TRIED}/kernel")
    disk.write_records(encode(Record(4, CONFIRMED, TRIED, 3)), encode(Record(3, CONFIRMED)))
    assert first_lines(disk, 2) == [f"revision {B} cannot be loaded", f"booting revision {A}"]
    assert disk.records() == (Record(4, CONFIRMED),) * 2


def test_an_attempt_counted_in_one_copy_only_stays_counted(disk: Disk) -> None:
    """The power went between the two writes of the count."""
    disk.write_records(encode(Record(4, CONFIRMED, TRIED, 3)), encode(Record(4, CONFIRMED, TRIED, 1)))
    assert first_lines(disk) == [f"booting revision {B}, try 0 left"]


def test_a_try_is_counted_although_one_copy_is_beyond_repair(disk: Disk) -> None:
    disk.write_records(bytes(1024), encode(Record(4, CONFIRMED, TRIED, 2)))
    assert first_lines(disk) == [f"booting revision {B}, try 1 left"]
    records = disk.records()
    assert choose(records) == 1
    assert records == (None, Record(4, CONFIRMED, TRIED, 1))


def test_what_cannot_be_counted_is_not_tried(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    original = machine_module.command

    def read_only(*arguments: object, **named: object) -> list[str]:
        argv = original(*arguments, **named)  # type: ignore[arg-type]
        return [word.replace("snapshot=off", "readonly=on") for word in argv]

    monkeypatch.setattr(machine_module, "command", read_only)
    disk.write_records(encode(Record(4, CONFIRMED, TRIED, 3)), encode(Record(4, CONFIRMED, TRIED, 3)))
    assert first_lines(disk, 2) == [
        "the boot record cannot be written; the new revision is not tried",
        f"booting revision {A}",
    ]


def test_the_confirmed_revision_missing_is_said(disk: Disk) -> None:
    disk.remove(f"revisions/{CONFIRMED}/initramfs")
    with Machine(dataclasses.replace(disk.options, reboot=False)) as machine:
        assert machine.wait_for(LINE, BOOT_SECONDS)[1] == f"revision {A} cannot be loaded"
        assert machine.wait_for(LINE, 10)[1] == "the confirmed revision cannot be loaded"
        # On a busy build machine GRUB mismeasures its clock by several times.
        assert machine.wait(300), "GRUB did not restart"
