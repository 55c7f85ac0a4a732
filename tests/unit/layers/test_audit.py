# SPDX-License-Identifier: MIT
"""What a container's relaxations weigh together."""

from __future__ import annotations

import pytest

from orchestrator.layers import defaults
from orchestrator.layers.audit import GRADES, grade, rate_container
from orchestrator.layers.options import DeviceNode, Rlimit, RunOptions

BOUNDED = {"name": "web", "user": "www", "memory": 2**25, "cpus": 1.0}


def points(**more):
    return rate_container(RunOptions(**BOUNDED | more)).points


def test_a_container_that_relaxes_nothing_and_is_bounded_has_no_points_and_all_holds():
    rating = rate_container(RunOptions(**BOUNDED))
    assert (rating.points, rating.grade, rating.found) == (0, "A", ())
    assert len(rating.holds) == 14


def test_what_the_product_file_leaves_open_counts_a_little():
    rating = rate_container(RunOptions(name="web"))
    assert [(each.key, each.points) for each in rating.found] == [("memory", 5), ("cpus", 1)]
    # Root of its own users is nobody; root of the device's is not.
    assert points(user="root") == 0
    assert points(user="root", users="host") == points(user="0:0", users="host") == points(users="host") + 5
    assert points(processes=100_000) == 2


def test_everything_that_is_relaxed_counts():
    for change in (
        {"network": "host"}, {"network": "bridge"}, {"ports": ("80/tcp to its port 80",)}, {"seccomp": "unconfined"},
        {"apparmor": "unconfined"}, {"no_new_privileges": False}, {"control": ("status",)},
        {"devices": (DeviceNode("/dev/ttyS1", "c", 4, 65),)}, {"users": "host"},
    ):  # fmt: skip
        rating = rate_container(RunOptions(**BOUNDED | change))
        keys = {each.key for each in rating.found}
        assert rating.points > 0 and len(keys - {"users"}) == (0 if "users" in change else 1), change
        assert len(rating.holds) >= 12, change


@pytest.mark.parametrize("name", sorted(defaults.CAPABILITIES))
def test_every_capability_counts(name):
    assert points(capabilities=(name,)) > 0


def test_an_init_weighs_what_it_keeps():
    rating = rate_container(RunOptions(**BOUNDED | {"user": "root", "init": "busybox"}))
    kept = [each for each in rating.found if each.key == "init" and "capability" in each.what]
    assert len(kept) == 7 and sum(each.points for each in kept) == points(
        capabilities=("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID")
    )
    assert {"init", "users", "user"} == {each.key for each in rating.found}
    assert "has no capability" not in rating.holds and "has an AppArmor profile" in rating.holds


def test_lxc_relaxes_nothing_and_a_template_vouches_for_nothing(tmp_path):
    assert rate_container(RunOptions(**BOUNDED | {"runtime": "lxc"})).found == ()
    own = rate_container(RunOptions(**BOUNDED | {"runtime": "lxc", "lxc_template": tmp_path / "own.j2"}))
    assert own.holds == () and own.grade == "D"


def test_a_profile_of_the_products_own_is_no_default_and_is_told(tmp_path):
    rating = rate_container(RunOptions(**BOUNDED | {"apparmor_profile": tmp_path / "web.apparmor"}))
    (found,) = rating.found
    assert found.what == "is confined by the AppArmor profile web.apparmor instead of ours"
    assert (found.points, "has an AppArmor profile" in rating.holds) == (5, True)


def test_core_dumps_are_told():
    assert points(rlimits=(Rlimit("core", 0, 2**20),)) == 1
    assert points(rlimits=(Rlimit("core", 0, 0), Rlimit("nofile", 9, 9))) == 0


def test_what_gives_the_device_away_has_the_worst_grades():
    assert grade(points(capabilities=("SYS_MODULE",))) == "D"
    assert grade(points(capabilities=("SYS_ADMIN",), seccomp="unconfined", apparmor="unconfined")) == "E"
    assert grade(points(devices=(DeviceNode("/dev/mem", "c", 1, 1),), control=("exec",))) == "E"
    disk = DeviceNode("/dev/sda", "b", 8, 0, "r")
    assert points(devices=(disk,)) < points(devices=(DeviceNode("/dev/sda", "b", 8, 0, "rw"),))


def test_grades_follow_each_other():
    assert [grade(most) for most in GRADES.values()] == list(GRADES)
    assert [grade(most + 1) for most in GRADES.values()] == ["B", "C", "D", "E"]
