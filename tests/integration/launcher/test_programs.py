# SPDX-License-Identifier: MIT
"""The server and the worker alone: what they refuse, and that they end with their peer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pycontainer_bitbake import home

pytestmark = pytest.mark.integration


@pytest.fixture
def programs(cache: Path) -> Path:
    return home.ensure(cache / "pycontainer") / "bin"


def worker(programs: Path, data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, programs / "bitbake-worker", "decafbad"], input=data, capture_output=True, timeout=20
    )


def test_a_worker_ends_when_its_server_is_gone(programs):
    done = worker(programs, b"")
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"")


def test_a_worker_that_gets_no_commands_ends_and_says_why_in_an_event(programs):
    done = worker(programs, b"GET / HTTP/1.0\r\n\r\n")
    assert done.returncode == 1
    assert done.stdout.startswith(b"<event>") and b"no command starts with" in done.stdout


def test_a_worker_unpickles_nothing_that_is_not_in_a_whole_known_frame(programs, tmp_path):
    bomb = b"cos\nsystem\n(S'touch %s/pwned'\ntR." % str(tmp_path).encode()
    size = len(bomb).to_bytes(4, "big")
    for data in (bomb, b"<ping>" + size + bomb + b"</ping>", b"<quit>" + size + bomb + b"</quiz>"):
        assert worker(programs, data).returncode == 1
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("name", ["bitbake-worker", "bitbake-server"])
def test_a_program_that_is_started_by_hand_says_so(programs, name):
    done = subprocess.run(
        [sys.executable, programs / name], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 1
    assert "not by hand" in done.stderr


def test_a_server_on_the_network_is_refused(build):
    run = build.run("--bind", "127.0.0.1:9999", "any")
    assert run.status == 1
    assert "network server is not supported" in run.text
    assert build.processes() == []


def test_a_second_bitbake_in_the_same_build_directory_waits_for_the_first(build):
    build.recipe("nap", "do_nap() {\n    touch ${OUT}/running\n    sleep 2\n}\naddtask nap before do_build\n")
    first = build.start("nap")
    build.wait_for("running")
    second = build.start("nap")
    assert first.finish().status == 0, first.text
    assert second.finish().status == 0, second.text
    assert build.processes() == []
