# SPDX-License-Identifier: MIT
"""Every way a build is stopped leaves no process, and says so with its status."""

from __future__ import annotations

import os
import signal
import time

import pytest

pytestmark = pytest.mark.integration

SLEEPY = """
do_first() {
    touch ${OUT}/running
    sleep SECONDS
    touch ${OUT}/finished
}
do_second() {
    touch ${OUT}/second
}
addtask first
addtask second after do_first before do_build
"""


def test_the_first_interrupt_lets_the_running_task_finish_and_starts_no_other(build):
    build.recipe("sleepy", SLEEPY.replace("SECONDS", "3"))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a job of `sh -c '... &'` inherits it
    try:
        run = build.start("sleepy")
    finally:
        signal.signal(signal.SIGINT, before)
    build.wait_for("running")
    os.kill(run.process.pid, signal.SIGINT)
    run.finish()
    assert run.status == 1
    assert (build.out / "finished").exists() and not (build.out / "second").exists()
    assert run.events[-1] == {"event": "exit", "status": 1}
    assert build.processes() == []


@pytest.mark.parametrize("signals", [[signal.SIGINT, signal.SIGINT], [signal.SIGTERM]], ids=["INT-INT", "TERM"])
def test_the_second_interrupt_or_a_termination_ends_the_running_task(build, signals):
    build.recipe("sleepy", SLEEPY.replace("SECONDS", "300"))
    run = build.start("sleepy")
    build.wait_for("running")
    for number in signals:
        os.kill(run.process.pid, number)
        time.sleep(0.6)
    before = time.monotonic()
    run.finish(timeout=20)
    assert run.status == 1
    assert time.monotonic() - before < 15
    assert not (build.out / "finished").exists()
    assert build.processes() == []


def test_a_task_that_ignores_the_request_to_end_is_killed(build):
    build.recipe(
        "stubborn",
        """
python do_stay() {
    import signal, time
    from pathlib import Path
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(d.getVar("OUT"), "running").touch()
    time.sleep(300)
}
addtask stay before do_build
""",
    )
    run = build.start("stubborn")
    build.wait_for("running")
    os.kill(run.process.pid, signal.SIGTERM)
    assert run.finish(timeout=30).status == 1
    assert build.processes() == []


KILLS_ITS_WORKER = """
python do_kill() {
    import os
    import subprocess
    os.kill(os.getppid(), 9)
    subprocess.run(["sleep", "300"])
}
addtask kill before do_build
"""


def test_a_killed_worker_stops_the_build_with_a_message_and_takes_its_tasks_along(build):
    build.recipe("murder", KILLS_ITS_WORKER)
    build.recipe("next", 'do_build[depends] = "murder:do_build"\n')
    before = time.monotonic()
    run = build.run("next")
    assert run.status == 1
    assert "exited unexpectedly" in run.text
    assert time.monotonic() - before < 30
    assert build.processes() == []


def test_a_killed_server_ends_the_client_the_worker_and_its_tasks(build):
    build.recipe("sleepy", SLEEPY.replace("SECONDS", "300"))
    run = build.start("sleepy")
    build.wait_for("running")
    os.kill(int((build.folder / "bitbake.lock").read_text().split()[0]), signal.SIGKILL)
    run.finish(timeout=20)
    assert run.status == 1
    assert "bitbake-server" in run.text
    assert build.processes(patience=15) == []
