# SPDX-License-Identifier: MIT
"""A kernel without AppArmor runs a revision without its policies and says so, unless the product requires them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from orchestrator.device import Link, parse_transport
from orchestrator.layers.build import Surroundings
from tests.integration.confinement.rig import (
    OTHER_USER,
    ProbeContainer,
    ProbeRevision,
    findings,
    probe_options,
)
from tests.integration.device.rig import Inputs, boot, read_back

OFF = "apparmor=0"


def test_policies_are_done_without_or_required(
    inputs: Inputs, around: Surroundings, probe: Path, tmp_path: Path
) -> None:
    options = probe_options("app", user=str(OTHER_USER), command=("/gain", "gain"))
    free, strict, control = tmp_path / "free", tmp_path / "strict", tmp_path / "control"
    free.mkdir()
    strict.mkdir()
    revision = ProbeRevision(free, inputs, [ProbeContainer("app", options=options)], around=around, probe=probe)
    required = dataclasses.replace(revision, folder=strict, descriptors=[], more={"apparmorRequired": True})

    revision.build()
    storage = revision.storage_image()
    with boot(revision, storage, control=control, arguments=OFF) as machine:
        machine.expect("container app: exited with status 0, done", timeout=120)
        with Link(parse_transport(f"unix:{control}"), pause=0.3, settle=0.2) as link:
            assert link.ask("status")["apparmor"] is False
        machine.press_power_button(0.1)
        console = machine.wait()
    assert "layers: this kernel has no AppArmor: the policies of 1 containers are not in force" in console
    # All else stands.
    assert findings(read_back(storage, "/logs/app.log")).results["setuid-program"] == "EPERM"

    required.build()
    storage = required.storage_image()
    with boot(required, storage, arguments=OFF) as machine:
        console = machine.wait()
    assert "FAILED layers: this kernel has no AppArmor, which the revision requires" in console
    assert read_back(storage, "/logs/app.log") == ""
