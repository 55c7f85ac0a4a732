# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.emulator.machine import Machine
from orchestrator.emulator.session import Say, Scrolling, expect, run_image
from orchestrator.errors import VerificationError
from tests.unit.emulator.conftest import Faker
from tests.unit.emulator.test_machine import REPOSITORY, gone_within

RUNNER = """
import pathlib, sys
from orchestrator.emulator.qemu import MachineOptions
from orchestrator.emulator.machine import Machine
from orchestrator.emulator.session import run_image
from tests.unit.emulator.conftest import emulator
folder = pathlib.Path(sys.argv[1])
sys.exit(run_image(MachineOptions(emulator(), folder / 'code.fd', folder / 'vars.fd', folder / 'disk.img')))
"""


def test_the_awaited_line_is_returned_whole(fake: Faker) -> None:
    assert expect(fake("boot\n|pycontainer[ 4.5] ready: demo (1.0)\n|"), "ready: demo (1.0)", 10).endswith("demo (1.0)")


def test_a_line_that_comes_in_pieces_keeps_its_spaces(fake: Faker) -> None:
    assert expect(fake("ready: demo |1.0 |(abc)\n|"), "ready:", 10) == "ready: demo 1.0 (abc)"


def test_an_expected_text_is_no_pattern(fake: Faker) -> None:
    with pytest.raises(VerificationError):
        expect(fake("ready\n"), "r.ady", 0.3)


def start(folder: Path, **streams: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-c", RUNNER, folder], env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, **streams
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_presses_the_power_button(fake: Faker, tmp_path: Path, how: signal.Signals) -> None:
    fake("up\n")
    runner = start(tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert runner.stdout is not None
    assert runner.stdout.readline() == b"up\n"
    runner.send_signal(how)
    out, err = runner.communicate(timeout=30)
    assert out == b"goodbye\n", err
    assert b"powering off" in err
    assert runner.returncode == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_the_machine_starts_is_obeyed_when_it_runs(
    fake: Faker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    options = fake("up\n")
    start = Machine.start

    def start_and_be_interrupted(machine: Machine) -> None:
        start(machine)
        os.kill(os.getpid(), how)

    monkeypatch.setattr(Machine, "start", start_and_be_interrupted)
    before = signal.getsignal(how)
    said: list[str] = []
    assert run_image(options, say=said.append) == 0
    assert any("powering off" in line for line in said)
    assert capfd.readouterr().out.endswith("goodbye\n")
    assert signal.getsignal(how) is before


def test_a_device_that_powers_itself_off_ends_the_command(fake: Faker, tmp_path: Path) -> None:
    fake("up\n", "ends")
    done = start(tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.communicate(timeout=30)[0] == b"up\n"
    assert done.returncode == 0


def test_a_qemu_that_fails_while_it_runs_is_an_error(fake: Faker) -> None:
    with pytest.raises(VerificationError, match="QEMU ended by itself"):
        run_image(fake("up\n", "ends", 3), say=lambda _line: None)


READY = "pycontainer[ 1.0] ready: demo 1.0.0\n|"


def test_a_job_is_done_when_the_device_is_ready_and_then_the_text_is_looked_for(fake: Faker, tmp_path: Path) -> None:
    note = tmp_path / "run.json"
    seen: list[object] = []

    def job(machine: Machine, say: Say) -> None:
        seen.append((machine.running(), note.exists(), "ready: demo 1.0.0" in machine.console.text))

    options = fake(f"ready soon\n|{READY}pycontainer[ 9.0] ready: demo 1.0.1\n")
    assert expect(options, "ready:", 10, note=note, job=job).endswith("ready: demo 1.0.1")
    assert seen == [(True, True, True)]
    assert not note.exists()


def test_a_job_that_fails_fails_the_expectation(fake: Faker) -> None:
    def job(machine: Machine, say: Say) -> None:
        raise VerificationError("it was rolled back", "web is not healthy")

    with pytest.raises(VerificationError, match="rolled back"):
        expect(fake(READY), "ready", 10, job=job)


@pytest.mark.parametrize("fails", [False, True])
def test_the_machine_runs_on_after_a_job_and_its_failure_is_the_exit_code(
    fake: Faker, fails: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []

    def job(machine: Machine, say: Say) -> None:
        if fails:
            machine.qmp("system_powerdown")
            raise VerificationError("it was rolled back", "web is not healthy")
        say("it is confirmed")
        machine.qmp("system_powerdown")

    assert run_image(fake(READY), say=said.append, job=job) == (5 if fails else 0)
    assert ("error: it was rolled back\nerror: web is not healthy" if fails else "it is confirmed") in said
    assert capfd.readouterr().out.endswith("goodbye\n")


def test_a_device_that_is_never_ready_leaves_the_job_undone(fake: Faker) -> None:
    def job(machine: Machine, say: Say) -> None:
        raise AssertionError("the device was not ready")

    assert run_image(fake("panic\n", "ends"), say=lambda line: None, job=job) == VerificationError.exit_code


def test_keys_go_to_the_device_and_ctrl_a_x_ends_it(fake: Faker, tmp_path: Path) -> None:
    fake("up\n", "echo")
    ours, theirs = pty.openpty()
    runner = start(tmp_path, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, start_new_session=True)
    os.close(theirs)
    seen = b""

    def until(text: bytes) -> None:
        nonlocal seen
        deadline = time.monotonic() + 20
        while text not in seen:
            assert time.monotonic() < deadline, seen
            if select.select([ours], [], [], 0.1)[0]:
                seen += os.read(ours, 1000)

    until(b"up")
    time.sleep(0.3)
    os.write(ours, b"k\r\x01a\x01c")
    until(b"<" + b"k\r\x01\x03".hex().encode() + b">")
    pid = int((tmp_path / "pid").read_text())
    os.write(ours, b"\x01x")
    assert runner.wait(20) == 0
    assert runner.stderr is not None
    runner.stderr.close()
    os.close(ours)
    assert gone_within(pid, 5)


CLEARS = b"\x1bc\x1b[2J\x1b[01;01H\x1b[=3h\x1b[3J\x1b[H"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_what_clears_the_screen_is_taken_out_however_it_is_cut(size: int) -> None:
    data = b"a" + CLEARS + b"\x1b[1mbold\x1b[0m \x1b[K" + CLEARS + b"z\xc3\xa9\x1b["
    scrolling = Scrolling()
    shown = b"".join(scrolling.feed(data[at : at + size]) for at in range(0, len(data), size))
    assert shown == "a\x1b[1mbold\x1b[0m \x1b[Kz\xe9".encode()
    assert scrolling.rest() == b"\x1b["
    assert scrolling.rest() == b""


def test_what_never_ends_is_not_held_back_for_ever() -> None:
    scrolling = Scrolling()
    shown = b"".join(scrolling.feed(b"1") if at else scrolling.feed(b"\x1b[") for at in range(1000))
    assert len(shown) > 900


def test_the_address_stays_on_the_screen(fake: Faker, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_image(fake("one\x1b|[2|J\x1b[01;|01H two\n", "ends"), say=lambda _line: None) == 0
    assert capfd.readouterr().out == "one two\n"
