# SPDX-License-Identifier: MIT
"""What a confined container is refused on the device, and that the same is possible where nothing confines it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.layers.build import Surroundings
from orchestrator.layers.userns import bases
from tests.integration.confinement.refusals import ALLOWED, NEVER, REFUSED, REFUSED_BY_APPARMOR, VOLUMES
from tests.integration.confinement.rig import (
    CAPABLE,
    OTHER_USER,
    Findings,
    ProbeContainer,
    ProbeRevision,
    bare,
    policed,
    probe_options,
    run_probes,
)
from tests.integration.device.rig import Inputs, stat_back


@pytest.fixture(scope="module")
def probed(
    inputs: Inputs, around: Surroundings, probe: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Findings]:
    neighbour = probe_options("neighbour", command=("/probe", "neighbour"))
    gained = {"user": str(OTHER_USER), "command": ("/gain", "gain"), "capabilities": ("DAC_OVERRIDE",)}
    granted = {"capabilities": ("SETUID", "MKNOD"), "no_new_privileges": False, "command": ("/probe", "only", *VOLUMES)}
    containers = [
        ProbeContainer("neighbour", options=neighbour, change=bare),
        ProbeContainer("confined", group=1),
        ProbeContainer("shared", group=1, options=probe_options("shared", users="host")),
        ProbeContainer("bare", group=1, change=bare),
        ProbeContainer("policed", group=1, change=policed),
        ProbeContainer("user", group=2, options=probe_options("user", **gained)),
        ProbeContainer("gaining", group=2, options=probe_options("gaining", no_new_privileges=False, **gained)),
        ProbeContainer("granted", group=2, options=probe_options("granted", **granted)),
    ]
    revision = ProbeRevision(tmp_path_factory.mktemp("probes"), inputs, list(containers), around=around, probe=probe)
    found, console = run_probes(revision)
    # On disk the files of a container with users of its own belong to the same users as those of others.
    for name in ("confined", "bare"):
        said = stat_back(revision.folder / "storage.img", f"/volumes/{name}/data/own")
        assert re.search(r"User: +0 +Group: +0 ", said), said
    assert "the AppArmor policies of 6 containers are in force" in console
    return found


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_inside_a_confined_container(probed: dict[str, Findings], name: str) -> None:
    assert probed["confined"].results[name] == REFUSED[name]


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_without_users_of_its_own_as_well(probed: dict[str, Findings], name: str) -> None:
    assert probed["shared"].results[name] not in ("done", "no process")


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


@pytest.mark.parametrize("what", ["setuid-program", "file-capability"])
def test_a_program_of_the_image_gives_nothing_unless_the_product_allows_it(
    probed: dict[str, Findings], what: str
) -> None:
    assert probed["user"].results[what] == "EPERM"
    assert probed["gaining"].results[what] == "done"


def test_extended_attributes_of_the_image_are_on_the_device(probed: dict[str, Findings]) -> None:
    for name in ("user", "gaining"):
        assert {key: bytes.fromhex(probed[name].facts[key]) for key in CAPABLE} == CAPABLE


def test_the_mount_of_a_volume_alone_refuses_setuid_programs_and_devices(probed: dict[str, Findings]) -> None:
    assert probed["granted"].results == VOLUMES


def test_every_probe_is_expected_and_ran_in_both_containers(probed: dict[str, Findings]) -> None:
    assert probed["neighbour"].results == {"neighbour": "done"}
    assert set(probed["confined"].results) == set(probed["bare"].results) == set(REFUSED) | ALLOWED
    assert {probed["confined"].results[name] for name in ALLOWED} == {"done"}


def test_every_namespace_is_its_own(probed: dict[str, Findings]) -> None:
    confined, shared, host = (probed[name].facts for name in ("confined", "shared", "bare"))
    for name in ("pid", "mnt", "ipc", "uts", "net", "cgroup"):
        assert len({facts[f"ns-{name}"] for facts in (confined, shared, host)}) == 3
    assert confined["ns-user"] != host["ns-user"] == shared["ns-user"]


def test_its_root_is_nobody_on_the_device(probed: dict[str, Findings]) -> None:
    base = bases(["confined"])["confined"]
    assert probed["confined"].facts["uid_map"].split() == probed["confined"].facts["gid_map"].split()
    assert probed["confined"].facts["uid_map"].split() == ["0", str(base), "65536"]
    assert base > 65536


def test_the_kernel_itself_says_what_is_taken_away(probed: dict[str, Findings]) -> None:
    facts = probed["confined"].facts
    assert {facts[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb")} == {"0" * 16}
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    assert (facts["memory.max"], facts["pids.max"], facts["cpu.max"]) == (str(32 * 2**20), "50", "30000 100000")
