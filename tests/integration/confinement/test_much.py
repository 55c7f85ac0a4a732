# SPDX-License-Identifier: MIT
"""A container that does more at once than the device can take in loses its own records, and nobody else's."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.device import Link, parse_transport
from orchestrator.layers.build import Surroundings
from orchestrator.layers.inputs import DirectorySource
from tests.integration.confinement.rig import ProbeContainer, probe_options
from tests.integration.confinement.test_observe import BUSYBOX, SELF, ShellRevision, shell
from tests.integration.device.rig import Inputs, boot

HERE = Path(__file__).parent


@dataclass
class FloodRevision(ShellRevision):
    """Containers that have the program flood.c as well."""

    def source(self) -> DirectorySource:
        source = super().source()
        program = self.folder / "root/bin/flood"
        argv = ["gcc", "-std=c11", "-Os", "-static", "-Wall", "-Wextra", "-Werror", "-o", program, HERE / "flood.c"]
        if not program.exists():
            subprocess.run(argv, check=True)
        return source


def flood(name: str, observe: dict[str, Any]) -> ProbeContainer:
    options = probe_options(name, command=("/bin/flood",), cpus=2.0)
    return ProbeContainer(name, group=1, options=options, entry={"observe": observe})


def seen(link: Link) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many records there are of each container, and how many were lost of it."""
    events: list[dict[str, Any]] = []
    link.connection().observe(None, 1000, False, events.append)
    told: dict[str, int] = {}
    lost: dict[str, int] = {}
    for each in events:
        into = lost if each["event"] == "lost" else told
        into[each["layer"]] = into.get(each["layer"], 0) + each.get("count", 1)
    return told, lost


def test_one_that_does_much_pushes_nobody_out(inputs: Inputs, around: Surroundings, tmp_path: Path) -> None:
    declared = {"exec": "stop", "allow": {"exec": [BUSYBOX, *SELF]}}
    containers = [
        shell("beside", f"while :; do {BUSYBOX} true; {BUSYBOX} usleep 50000; done", declared),
        flood("strict", {"write": "stop"}),
        flood("much", {"write": "record"}),
    ]
    revision = FloodRevision(tmp_path, inputs, list(containers), around=around, probe=inputs.busybox)
    revision.build()
    control = tmp_path / "control"
    with boot(revision, revision.storage_image(), control=control) as machine:
        # It was more, or this tests nothing.
        machine.expect("container strict: left its declared behaviour: more at once than can be watched", timeout=120)
        with Link(parse_transport(f"unix:{control}"), pause=0.3, settle=0.2) as link:
            before = seen(link)[0].get("beside", 0)
            for _ in range(60):
                told, lost = seen(link)
                if told["beside"] > before + 40 and lost.get("much", 0) > 2000:
                    break
                time.sleep(1)
            rows = {row["name"]: row["state"] for row in link.ask("ps")["containers"]}
    assert told["beside"] > before + 40 and lost["much"] > 2000 and "beside" not in lost, (told, lost)
    assert rows == {"beside": "running", "strict": "failed", "much": "running"}
