# SPDX-License-Identifier: MIT
"""What a confined container is refused on the device, and that the same is possible where nothing confines it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.layers.build import Surroundings
from tests.integration.confinement.refusals import ALLOWED, NEVER, REFUSED, REFUSED_BY_APPARMOR
from tests.integration.confinement.rig import (
    Findings,
    ProbeContainer,
    ProbeRevision,
    bare,
    policed,
    probe_options,
    run_probes,
)
from tests.integration.device.rig import Inputs


@pytest.fixture(scope="module")
def probed(
    inputs: Inputs, around: Surroundings, probe: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Findings]:
    neighbour = probe_options("neighbour", command=("/probe", "neighbour"))
    containers = [
        ProbeContainer("neighbour", options=neighbour, change=bare),
        ProbeContainer("confined", group=1),
        ProbeContainer("bare", group=1, change=bare),
        ProbeContainer("policed", group=1, change=policed),
    ]
    revision = ProbeRevision(tmp_path_factory.mktemp("probes"), inputs, list(containers), around=around, probe=probe)
    found, console = run_probes(revision)
    assert "the AppArmor policies of 2 containers are in force" in console
    return found


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_inside_a_confined_container(probed: dict[str, Findings], name: str) -> None:
    assert probed["confined"].results[name] == REFUSED[name]


@pytest.mark.parametrize("name", [name for name in REFUSED if name not in NEVER])
def test_the_probe_gets_through_where_nothing_confines_it(probed: dict[str, Findings], name: str) -> None:
    assert probed["bare"].results[name] == "done"


@pytest.mark.parametrize("name", sorted(REFUSED_BY_APPARMOR))
def test_apparmor_alone_refuses_it(probed: dict[str, Findings], name: str) -> None:
    assert probed["policed"].results[name] in ("EACCES", "EPERM")


def test_what_apparmor_leaves_to_others_is_known(probed: dict[str, Findings]) -> None:
    results = probed["policed"].results
    assert {name for name in REFUSED if results[name] == "done"} == set(REFUSED) - REFUSED_BY_APPARMOR - NEVER


def test_a_container_runs_under_its_own_profile_in_enforcing_mode(probed: dict[str, Findings]) -> None:
    assert re.fullmatch(r"pycontainer\.confined\.[0-9a-f]{12} \(enforce\)", probed["confined"].facts["apparmor"])
    assert probed["bare"].facts["apparmor"] == "unconfined"


def test_every_probe_is_expected_and_ran_in_both_containers(probed: dict[str, Findings]) -> None:
    assert probed["neighbour"].results == {"neighbour": "done"}
    assert set(probed["confined"].results) == set(probed["bare"].results) == set(REFUSED) | ALLOWED
    assert {probed["confined"].results[name] for name in ALLOWED} == {"done"}


def test_every_namespace_is_its_own_but_that_of_users(probed: dict[str, Findings]) -> None:
    confined, host = probed["confined"].facts, probed["bare"].facts
    for name in ("pid", "mnt", "ipc", "uts", "net", "cgroup"):
        assert confined[f"ns-{name}"] != host[f"ns-{name}"]


def test_the_kernel_itself_says_what_is_taken_away(probed: dict[str, Findings]) -> None:
    facts = probed["confined"].facts
    assert {facts[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {"0" * 16}
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    assert (facts["memory.max"], facts["pids.max"], facts["cpu.max"]) == (str(32 * 2**20), "50", "30000 100000")
