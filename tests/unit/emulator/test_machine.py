# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.device import Link, parse_transport
from orchestrator.emulator.machine import Machine
from orchestrator.emulator.qemu import Forward
from orchestrator.emulator.running import control_socket, noted, the_running
from orchestrator.errors import ConfigError, TryAgainError, VerificationError
from tests.unit.emulator.conftest import Faker

REPOSITORY = Path(__file__).parents[3]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_the_console_can_be_waited_on_and_is_logged(fake: Faker, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "console.log"
    with Machine(fake("first\r\n|rea|dy: demo 1\r\n"), log=log) as machine:
        assert machine.wait_for(r"ready: (.+)\n", 10)[1] == "demo 1"
    assert log.read_bytes() == b"first\r\nready: demo 1\r\n"


def test_text_that_does_not_come_is_an_error_with_the_last_lines(fake: Faker) -> None:
    with (
        Machine(fake("one\ntwo\n")) as machine,
        pytest.raises(VerificationError, match="did not show 'three'") as caught,
    ):
        machine.wait_for("two", 10)
        machine.wait_for("three", 0.2)
    assert caught.value.why == "0.2 seconds passed; its last lines:\none\ntwo"


def test_a_machine_that_ends_before_the_text_comes_is_not_waited_for(fake: Faker) -> None:
    begin = time.monotonic()
    with Machine(fake("panic\n", "ends")) as machine, pytest.raises(VerificationError) as caught:
        machine.wait_for("ready", 60)
    assert caught.value.why == "the machine ended; its last lines:\npanic"
    assert time.monotonic() - begin < 30


def test_how_qemu_ended_and_what_it_complained_of_is_told_and_can_be_asked_for_later(fake: Faker) -> None:
    with Machine(fake("panic\n", "crashes", 134)) as machine, pytest.raises(VerificationError) as caught:
        machine.wait_for("ready", 60)
    assert caught.value.why.startswith(
        "the machine ended, QEMU with status 134 and these words: qemu: no more; its last"
    )
    assert (machine.exit_status, machine.complaint) == (134, "qemu: no more\n")


def test_a_machine_that_was_killed_has_a_status_that_says_so(fake: Faker) -> None:
    with Machine(fake("up\n")) as machine:
        assert machine.exit_status is None
    assert (machine.exit_status, machine.complaint) == (-signal.SIGKILL, "")


def test_the_power_button_ends_the_machine_cleanly(fake: Faker) -> None:
    with Machine(fake("up\n")) as machine:
        machine.wait_for("up", 10)
        assert machine.powerdown(10)
        assert "goodbye" in machine.console.text
        assert not machine.running()


def test_a_guest_that_ignores_the_power_button_is_ended(fake: Faker) -> None:
    with Machine(fake("up\n", "deaf")) as machine:
        pid = machine.pid
        assert not machine.powerdown(0.2)
        assert not alive(pid)


def test_leaving_the_block_ends_qemu_and_removes_its_files(
    fake: Faker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    with Machine(fake("up\n")) as machine:
        pid = machine.pid
        assert alive(pid)
    assert not alive(pid)
    assert list((tmp_path / "t").iterdir()) == []


def test_the_control_port_leads_to_the_device(fake: Faker) -> None:
    with Machine(fake("up\n")) as machine, Link(parse_transport(f"unix:{machine.control_path}"), settle=0.01) as link:
        version = link.connection().version
        assert version is not None
        assert version.product == "demo"


def test_a_long_path_for_temporary_files_is_no_obstacle_for_the_socket(
    fake: Faker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with Machine(fake("up\n")) as machine:
        assert len(os.fsencode(machine.control_path)) < 108
        assert machine.control_path.is_socket()
        folder = machine.control_path.parent
    assert not folder.exists()
    assert list(deep.iterdir()) == []


def test_a_running_machine_is_noted_and_the_note_goes_with_it(fake: Faker, tmp_path: Path) -> None:
    note = tmp_path / "build" / "run.json"
    with Machine(fake("up\n")) as machine:
        with noted(note, machine):
            assert control_socket(note) == machine.control_path
        assert not note.exists()
        with noted(note, machine):
            note.write_text("another machine's")
        assert note.read_text() == "another machine's"
        with pytest.raises(ConfigError, match="no virtual machine"):
            control_socket(note)


def test_a_note_of_a_killed_run_is_out_of_date(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    note = tmp_path / "run.json"
    note.write_text(f'{{"control":"/x","pid":{ended.pid}}}')
    with pytest.raises(ConfigError, match="no virtual machine"):
        control_socket(note)


def test_of_a_products_machines_it_is_the_one_that_runs(fake: Faker, tmp_path: Path) -> None:
    notes = {name: tmp_path / f"run-{name}.json" for name in ("one", "two")}
    with pytest.raises(ConfigError, match="no virtual machine"):
        the_running(notes)
    with Machine(fake("up\n")) as machine, noted(notes["two"], machine):
        assert the_running(notes) == machine.control_path
        with noted(notes["one"], machine), pytest.raises(ConfigError, match="several virtual machines") as caught:
            the_running(notes)
    assert (caught.value.why, caught.value.hint.count("--to unix:")) == ("one, two", 2)


def test_a_qemu_that_fails_at_once_is_explained(fake: Faker) -> None:
    with pytest.raises(VerificationError, match="ended by itself") as caught:
        Machine(fake("qemu: bad machine\n", "fail", 1)).start()
    assert caught.value.why == "qemu: bad machine"


def test_an_image_that_is_in_use_can_be_tried_again(fake: Faker) -> None:
    with pytest.raises(TryAgainError, match="in use"):
        Machine(fake('qemu: Failed to get "write" lock\n', "fail", 1)).start()


def test_a_missing_qemu_is_a_configuration_error(fake: Faker, monkeypatch: pytest.MonkeyPatch) -> None:
    options = fake()
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ConfigError, match="is not installed"):
        Machine(options).start()


def test_a_free_port_is_chosen_and_told(fake: Faker) -> None:
    with Machine(fake("up\n", forwards=(Forward(0, 80),))) as machine:
        assert 1024 <= machine.host_port(80) < 65536
        with pytest.raises(ValueError, match="no port leads"):
            machine.host_port(22)


def test_qmp_answers_and_refusals_reach_the_caller(fake: Faker) -> None:
    with Machine(fake()) as machine:
        assert machine.qmp("query-status") == {}
        with pytest.raises(VerificationError, match="refused bad"):
            machine.qmp("bad")


def test_what_is_typed_reaches_the_machine(fake: Faker) -> None:
    with Machine(fake("up\n", "echo")) as machine:
        machine.wait_for("up", 10)
        machine.send(b"hi\x03")
        assert machine.wait_for("<([0-9a-f]+)>", 10)[1] == b"hi\x03".hex()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_qemu_does_not_outlive_us_however_we_end(fake: Faker, tmp_path: Path, how: signal.Signals) -> None:
    options = fake("up\n")
    script = tmp_path / "holder.py"
    script.write_text(
        "import sys, time, pathlib\n"
        "from orchestrator.emulator.machine import Machine\n"
        "from orchestrator.emulator.qemu import MachineOptions\n"
        "from tests.unit.emulator.conftest import emulator\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "machine = Machine(MachineOptions(emulator(), folder / 'code.fd', folder / 'vars.fd', folder / 'disk.img'))\n"
        "machine.start()\n"
        "print(machine.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, script, tmp_path],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PATH": os.environ["PATH"]},
    )
    assert options.image.exists()
    assert holder.stdout is not None
    pid = int(holder.stdout.readline())
    assert alive(pid)
    holder.send_signal(how)
    holder.wait()
    holder.stdout.close()
    assert gone_within(pid, 10)
