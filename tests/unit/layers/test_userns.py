# SPDX-License-Identifier: MIT
"""Which containers have users of their own, and which numbers these are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from orchestrator.layers.imageconfig import ImageConfig
from orchestrator.layers.nodes import BytesContent, File
from orchestrator.layers.options import DeviceNode, RunOptions, Volume
from orchestrator.layers.runconfig import make_run_config
from orchestrator.layers.tree import Tree
from orchestrator.layers.userns import SIZE, bases, why_shared


@given(st.sets(st.text(st.characters(codec="ascii"), min_size=1), max_size=64))
def test_no_two_layers_share_a_number_and_none_is_the_devices(names):
    found = bases(names)
    assert set(found) == names
    assert len(set(found.values())) == len(names)
    for base in found.values():
        assert base % SIZE == 0
        assert base >= SIZE and base + SIZE < 2**32


def test_a_layer_keeps_its_numbers_when_others_come():
    assert bases(["web"])["web"] == bases(["web", "db", "cache"])["web"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"network": "host"}, None),
        ({"network": "bridge", "ports": ("80/tcp to its port 80",)}, None),
        ({"capabilities": ("CAP_CHOWN", "SETUID")}, None),
        ({"capabilities": ("NET_ADMIN",)}, None),
        ({"capabilities": ("NET_ADMIN",), "network": "host"}, "NET_ADMIN would be without effect"),
        ({"capabilities": ("NET_RAW",), "network": "bridge"}, "NET_RAW would be without effect"),
        (
            {"capabilities": ("NET_BIND_SERVICE",), "network": "bridge"},
            "NET_BIND_SERVICE would be without effect, and the bridge needs it for no port",
        ),
        ({"capabilities": ("NET_BIND_SERVICE",)}, None),
        ({"capabilities": ("SYS_TIME",)}, "SYS_TIME would be without effect"),
        ({"devices": (DeviceNode("/dev/ttyS1", "c", 4, 65),)}, "the devices"),
        ({"control": ("status",)}, "the control socket"),
        ({"sysctls": {"net.core.somaxconn": "9"}}, "the kernel settings"),
        ({"users": "host"}, "the product file"),
        ({"runtime": "lxc"}, None),
        ({"runtime": "lxc", "lxc_template": Path("own.j2")}, "what users it has"),
        ({"init": "systemd"}, "systemd, its own init"),
    ],
)
def test_it_has_users_of_its_own_where_nothing_needs_the_devices(change, why):
    found = why_shared(RunOptions(name="web", **change))
    assert found is None if why is None else found is not None and found.startswith(why)


def config(options, uid=0):
    tree = Tree()
    tree.add(b"/server", File(mode=0o755, uid=uid, content=BytesContent(b"x")))
    image = ImageConfig(command=("/server",))
    return make_run_config(image, options, tree, architecture="amd64", profile={}).config


def options(**more):
    return RunOptions(name="web", seccomp="unconfined", user_base=SIZE * 20, **more)


def test_the_configuration_maps_its_users():
    linux = config(options())["linux"]
    assert {"type": "user"} in linux["namespaces"]
    assert linux["uidMappings"] == linux["gidMappings"] == [{"containerID": 0, "hostID": SIZE * 20, "size": SIZE}]
    shared = config(options(users="host"))["linux"]
    assert {"type": "user"} not in shared["namespaces"] and "uidMappings" not in shared


@pytest.mark.parametrize("where", ["file", "process", "volume"])
def test_users_that_it_has_not_are_refused(where):
    volumes = (Volume("data", "/data", uid=SIZE if where == "volume" else 5),)
    given = options(user=str(SIZE) if where == "process" else None, volumes=volumes)
    with pytest.raises(ConfigError, match="the user or group 65536"):
        config(given, SIZE if where == "file" else 0)
