# SPDX-License-Identifier: MIT
"""What containers do is told on the control socket, and one that leaves its declared behaviour is stopped."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.device import Link, parse_transport
from orchestrator.layers.build import Surroundings
from orchestrator.layers.inputs import DirectorySource
from tests.integration.confinement.rig import ProbeContainer, ProbeRevision, probe_options
from tests.integration.conftest import pycontainer
from tests.integration.device.rig import Inputs, Machine, boot

BUSYBOX = "/bin/busybox"
ALL = {"exec": "record", "connect": "record", "write": "record"}
SELF = ["/proc/self/exe"]


@dataclass
class Told:
    """What one boot of these containers told."""

    machine: Machine
    console: str
    containers: dict[str, dict[str, Any]]
    events: list[dict[str, Any]]
    control: Path

    def of(self, layer: str, event: str) -> list[dict[str, Any]]:
        return [each for each in self.events if (each["layer"], each["event"]) == (layer, event)]


@dataclass
class ShellRevision(ProbeRevision):
    """Containers of BusyBox's shell, confined as the orchestrator does it."""

    def source(self) -> DirectorySource:
        root = self.folder / "root"
        if not root.exists():
            (root / "bin").mkdir(parents=True)
            shutil.copy(self.probe, root / "bin/busybox")
            (root / "bin/sh").symlink_to("busybox")
        return DirectorySource(root)


def shell(name: str, script: str, observe: dict[str, Any] | None, **entry: Any) -> ProbeContainer:
    options = probe_options(name, command=("/bin/sh", "-c", f"{script}; while :; do {BUSYBOX} sleep 1000; done"))
    return ProbeContainer(name, options=options, entry={"observe": observe, **entry})


def settled(link: Link) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what was told, and the containers, once those that are to do something have done the last of it."""
    for _ in range(60):
        events: list[dict[str, Any]] = []
        link.connection().observe(None, 1000, False, events.append)
        rows: list[dict[str, Any]] = link.ask("ps")["containers"]
        done = {each["layer"] for each in events if each.get("refused")}
        if done == {"seen", "kept"} and not any(row["state"] == "ending" for row in rows):
            break
        time.sleep(0.5)
    return events, rows


@pytest.fixture(scope="module")
def told(inputs: Inputs, around: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("observe")
    connect = f"{BUSYBOX} nc -w 1"
    health = {"command": [BUSYBOX, "true"], "startPeriodMs": 0, "intervalMs": 300, "timeoutMs": 20000, "retries": 3}
    everything = {
        "exec": "stop", "connect": "stop", "write": "stop",
        "allow": {"exec": [BUSYBOX, *SELF], "connect": [{"address": "127.0.0.0/8"}], "write": ["/tmp/"]},
    }  # fmt: skip
    act = f"echo 1 >/data/x; echo 1 >/tmp/x; echo 1 >/dev/null; {connect} 127.0.0.1 9; echo 1 2>/tmp/y >/bin/x"
    containers = [
        shell("seen", f"{connect} ::1 9; {BUSYBOX} nslookup -timeout=1 name 127.0.0.1; {act}", ALL),
        shell("kept", act, everything, health=health),
        shell("runner", f"{BUSYBOX} true; {BUSYBOX} touch /data/survived", {"exec": "stop", "allow": {"exec": SELF}}),
        shell("caller", f"{connect} 127.0.0.1 9; {connect} 127.0.0.2 9", {
            "connect": "stop", "allow": {"connect": [{"address": "127.0.0.1", "port": 9}]}}),
        shell("writer", "echo 1 >/data/x; echo 1 >/tmp/x", {"write": "stop"}),
        shell("quiet", act, None),
    ]  # fmt: skip
    revision = ShellRevision(folder, inputs, list(containers), around=around, probe=inputs.busybox)
    revision.build()
    control = folder / "control"
    with boot(revision, revision.storage_image(), control=control) as machine:
        machine.expect("container quiet: running")
        machine.expect("container kept: healthy", timeout=120)
        for name in ("runner", "caller", "writer"):
            machine.expect(f"container {name}: left its declared behaviour", count=2, timeout=120)
        with Link(parse_transport(f"unix:{control}"), pause=0.3, settle=0.2) as link:
            events, rows = settled(link)
        yield Told(machine, machine.text, {row["name"]: row for row in rows}, events, control)


def test_each_thing_that_a_container_did_is_told_with_who_and_when(told: Told):
    assert [each["path"] for each in told.of("seen", "exec")][:2] == ["/bin/sh", BUSYBOX]
    peers = [(each["address"], each["port"], each["protocol"]) for each in told.of("seen", "connect")]
    assert peers == [("::1", 9, "tcp"), ("127.0.0.1", 53, "udp"), ("127.0.0.1", 9, "tcp")]
    writes = [(each["path"], each.get("refused", False)) for each in told.of("seen", "write")]
    assert writes == [("/tmp/x", False), ("/tmp/y", False), ("/bin/x", True)]
    first = told.of("seen", "exec")[0]
    assert first["pid"] == told.containers["seen"]["pid"] and first["uid"] == 0 and first["program"] == "sh"
    assert all(each["time"].endswith("Z") and each["bootMs"] > 0 for each in told.events)
    assert [each["declared"] for each in told.of("seen", "exec")][:2] == [True, False]


@pytest.mark.parametrize(
    ("layer", "what"),
    [("runner", f"exec {BUSYBOX}"), ("caller", "connect 127.0.0.2:9/tcp"), ("writer", "write /tmp/x")],
)
def test_a_container_that_leaves_its_declared_behaviour_is_stopped_and_has_failed(told: Told, layer: str, what: str):
    row = told.containers[layer]
    assert (row["state"], row["last"]) == ("failed", f"left its declared behaviour: {what}")
    assert f"container {layer}: left its declared behaviour: {what}, given up" in told.console


def test_one_that_keeps_to_it_runs_on_with_its_health_check(told: Told):
    row = told.containers["kept"]
    assert (row["state"], row["health"], row["restarts"]) == ("running", "healthy", 0)
    assert all(each["declared"] for each in told.of("kept", "exec") + told.of("kept", "connect"))
    assert [each["path"] for each in told.of("kept", "write") if not each["declared"]] == ["/bin/x"]


def test_only_what_is_asked_for_is_told(told: Told):
    assert told.containers["quiet"]["state"] == "running"
    assert not [each for each in told.events if each["layer"] == "quiet"]
    assert {each["event"] for each in told.events if each["layer"] == "caller"} == {"connect"}
    assert {each["event"] for each in told.events if each["layer"] == "writer"} == {"write"}


def test_the_command_line_shows_the_record(told: Told):
    place = f"unix:{told.control}"
    shown = pycontainer("device", "--to", place, "observe", "caller", "--json")
    assert [each["address"] for each in json.loads(shown.out)["events"]] == ["127.0.0.1", "127.0.0.2"]
    lines = pycontainer("device", "--to", place, "observe", "caller").out.splitlines()
    assert lines[1].endswith(", not declared") and "127.0.0.2:9/tcp  by busybox" in lines[1]
    refused = pycontainer("device", "--to", place, "observe", "quiet")
    assert refused.code == 5 and "its product does not ask for it" in refused.err
