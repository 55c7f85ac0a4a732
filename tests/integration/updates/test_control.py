# SPDX-License-Identifier: MIT
"""The containers as the control protocol shows and moves them, and who may ask."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from orchestrator.device import DeviceError
from orchestrator.device.answers import StoredVolumes
from tests.integration.conftest import REPOSITORY
from tests.integration.updates.devices import Device, Devices
from tests.integration.updates.products import Family


def keep_asking(device: Device, following: subprocess.Popen[bytes]) -> None:
    """Ask for the page until the one who follows the server's log has seen enough."""
    deadline = time.monotonic() + 60
    while following.poll() is None:
        device.page()
        time.sleep(0.3)
        if time.monotonic() > deadline:
            following.kill()


def test_containers_are_asked_moved_and_looked_into(devices: Devices, family: Family):
    device = devices.started()
    assert device.page(8081) == "box\n"

    # A container's own socket: the verbs that its product grants it, and no other.
    answers = device.shell("""ask '{"verb":"status"}'; ask '{"verb":"version"}'; ask '{"verb":"reboot"}'""")
    status, version, reboot = map(json.loads, answers.splitlines())
    assert (status["revision"], status["state"]) == (family.base.id, "confirmed")
    assert version["product"] == "demo"
    assert "reboot" in reboot["error"]

    # exec: output, errors, status, input.
    heard: dict[str, bytes] = {"out": b"", "err": b""}

    def hear(name: str, data: bytes) -> None:
        heard[name] += data

    connection = device.link.connection()
    assert connection.execute("box", ["sh", "-c", "echo out; echo err >&2; exit 7"], hear) == 7
    assert heard == {"out": b"out\n", "err": b"err\n"}
    assert device.link.connection().execute("box", ["/nothing"], hear) == 127
    with pytest.raises(DeviceError, match="there is no container nobody"):
        device.link.ask("exec", {"container": "nobody", "command": ["true"]})
    with pytest.raises(DeviceError, match="there is no container nobody"):
        device.link.ask("logs", {"container": "nobody"})

    # What it wrote, and what it writes while somebody follows.
    lines: list[str] = []
    device.link.connection().follow("box", 10, False, lines.append)
    assert lines[-1] == "box has started"

    device.link.drop()
    words = ["device", "--to", f"unix:{device.machine.control_path}", "logs", "-f", "-n", "0", "web"]
    with subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli.main", *words],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"},
    ) as following:
        assert following.stdout is not None
        asking = threading.Thread(target=keep_asking, args=(device, following))
        asking.start()
        # The health check of the device asks as well, with HTTP/1.0, and may come first.
        asked = any(b"GET / HTTP/1.1" in line for line in following.stdout)
        following.send_signal(signal.SIGINT)
        asking.join()
    assert asked

    # Figures that the kernel gives.
    box = device.containers()["box"]
    assert box.state == "running" and box.version == "1.0.0-base"
    assert box.pid is not None and box.pid > 1
    assert box.memory is not None and 0 < box.memory < 32 * 2**20
    assert box.cpu_us is not None and box.cpu_us > 0
    assert box.processes is not None and box.processes >= 2
    assert box.running_ms is not None and box.running_ms > 0
    assert re.search(r"^\d+:\d+ rbps=52428800 wbps=41943040 ", device.shell("cat /sys/fs/cgroup/io.max"))
    web = device.containers()["web"]
    assert web.health == "healthy"

    kinds = {(each.name, each.kind) for each in device.link.ask_for("volumes", StoredVolumes).volumes}
    assert kinds == {("data", "permanent"), ("cache", "revision"), ("scratch", "boot")}

    # Stopped by hand it stays stopped; started and restarted it is another process.
    device.link.ask("stop", {"container": "box"})
    assert device.containers()["box"].state == "stopped"
    with pytest.raises(DeviceError, match="box"):
        device.link.ask("exec", {"container": "box", "command": ["true"]})
    device.link.ask("start", {"container": "box"})
    started = device.containers()["box"]
    assert started.state == "running" and started.pid != box.pid
    device.link.ask("restart", {"container": "box"})
    assert device.containers()["box"].pid not in (box.pid, started.pid)
    assert device.page(8081) == "box\n"

    # One that ends by itself comes back, and the revision stays.
    before = device.containers()["box"]
    device.shell("(sleep 0.2; kill 1) >/dev/null 2>&1 &")
    device.poll(lambda: (now := device.containers()["box"]).state == "running" and now.pid != before.pid)
    assert device.containers()["box"].restarts == 1
    device.assert_runs(family.base)
    assert device.text.count("booting revision") == 1


def test_a_required_container_that_is_given_up_restarts_the_device(devices: Devices, family: Family):
    required = family.made("required")
    device = devices.started()
    assert device.update(required).result == "confirmed"
    device.shell("touch /data/fail; (sleep 0.2; kill 1) >/dev/null 2>&1 &")
    device.wait_for("restart: container box, which is required, was given up")
    device.wait_for(f"booting revision {required.short}")
    device.assert_runs(required)
    assert device.shell("ls /data") == ""
