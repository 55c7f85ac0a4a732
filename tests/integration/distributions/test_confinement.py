# SPDX-License-Identifier: MIT
"""What a container is refused under LXC: the same as under crun, by the same probes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.confinement.refusals import ALLOWED, REFUSED
from tests.integration.confinement.rig import (
    Findings,
    ProbeContainer,
    ProbeRevision,
    bare,
    probe_options,
    run_probes,
    surroundings,
)
from tests.integration.conftest import Product
from tests.integration.device.conftest import inputs_of
from tests.integration.distributions.running import lxc_template

# LXC mounts /sys read-only in the container's own namespace of users.
ANSWERS = {"write-sys": "EROFS"}


@pytest.fixture(scope="module")
def boot(
    distributions: Product, probe: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Findings, Findings, str]:
    """What the probes found in a container of LXC's, in one of which a mask cannot be mounted, and the console."""
    folder = tmp_path_factory.mktemp("probes")
    # On a file no file system is mounted, root or not.
    unmasked = probe_options("unmasked", runtime="lxc", lxc_template=lxc_template(folder / "unmasked.j2", "version"))
    containers = [
        ProbeContainer("neighbour", options=probe_options("neighbour", command=("/probe", "neighbour")), change=bare),
        ProbeContainer("confined", group=1, options=probe_options("confined", runtime="lxc")),
        ProbeContainer("unmasked", group=1, options=unmasked, end="lxc failed: "),
    ]
    inputs = inputs_of(distributions.deploy, folder)
    around = surroundings(distributions.deploy, folder / "layers")
    found, console = run_probes(ProbeRevision(folder, inputs, list(containers), around=around, probe=probe))
    assert found["neighbour"].results == {"neighbour": "done"}
    return found["confined"], found["unmasked"], console


@pytest.fixture(scope="module")
def probed(boot: tuple[Findings, Findings, str]) -> Findings:
    return boot[0]


def test_everything_is_refused_under_lxc_as_well(probed: Findings) -> None:
    assert probed.results == REFUSED | dict.fromkeys(ALLOWED, "done") | ANSWERS


def test_the_kernel_itself_says_what_is_taken_away_under_lxc(probed: Findings) -> None:
    facts = probed.facts
    assert {facts[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {"0" * 16}
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    assert (facts["memory.max"], facts["pids.max"], facts["cpu.max"]) == (str(32 * 2**20), "50", "30000 100000")
    assert re.fullmatch(r"pycontainer\.confined\.[0-9a-f]{12} \(enforce\)", facts["apparmor"])


def test_nothing_is_started_under_lxc_when_what_is_there_cannot_be_masked(boot: tuple[Findings, Findings, str]) -> None:
    _, unmasked, console = boot
    assert (unmasked.results, unmasked.facts) == ({}, {})
    assert 'Failed to mount "tmpfs" on "/run/pycontainer/lxc-root/proc/version"' in console
    assert (
        "container unmasked: lxc failed: lxc: unmasked: cannot be started, LXC's lines on the console say why"
        in console
    )
