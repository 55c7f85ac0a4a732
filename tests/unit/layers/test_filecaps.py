# SPDX-License-Identifier: MIT
"""A program with capabilities in its file, which the kernel starts only in a container that has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError
from orchestrator.layers import defaults
from orchestrator.layers.filecaps import ATTRIBUTE, check, needed
from orchestrator.layers.imageconfig import parse_image_config
from orchestrator.layers.nodes import BytesContent, File
from orchestrator.layers.options import RunOptions
from orchestrator.layers.runconfig import make_run_config

# What setcap(8) writes.
SERVE = "0100000200040000000000000000000000000000"  # cap_net_bind_service=ep


def program(attribute: str | bytes) -> File:
    value = bytes.fromhex(attribute) if isinstance(attribute, str) else attribute
    return File(mode=0o755, xattrs={ATTRIBUTE: value}, content=BytesContent(b""))


@pytest.mark.parametrize(
    ("attribute", "names"),
    [
        (SERVE, {"NET_BIND_SERVICE"}),
        ("0000000200040000000000000000000000000000", set()),  # =p: it starts with what it gets
        ("0100000200000000000400000000000000000000", set()),  # =ei
        ("0100000200300000000000000001000000000000", {"NET_ADMIN", "NET_RAW", "CHECKPOINT_RESTORE"}),
        ("010000010004000000000000", {"NET_BIND_SERVICE"}),  # revision 1
        ("010000030004000000000000000000000000000000000000", {"NET_BIND_SERVICE"}),  # revision 3, of the first user
        ("0100000300040000000000000000000000000000e8030000", set()),  # of another namespace's first user
        ("01000002000400000000000000000000000000", set()),  # cut off
        ("0100000400040000000000000000000000000000", set()),  # a revision that no kernel knows
        ("", set()),
    ],
)
def test_what_a_program_needs_is_read_from_its_file(attribute, names):
    assert needed(program(attribute)) == names


@given(st.binary(max_size=30))
def test_any_attribute_is_read(data):
    assert {f"CAP_{name}" for name in needed(program(data))} <= set(defaults.CAPABILITIES)


def test_the_capabilities_are_in_the_kernels_order():
    """linux/capability.h; a sample, and none twice."""
    known = {"CHOWN": 0, "SETPCAP": 8, "IPC_LOCK": 14, "SYS_ADMIN": 21, "MKNOD": 27, "MAC_ADMIN": 33, "SYSLOG": 34,
             "AUDIT_READ": 37, "CHECKPOINT_RESTORE": 40}  # fmt: skip
    assert {name: defaults.CAPABILITIES.index(f"CAP_{name}") for name in known} == known
    assert len(set(defaults.CAPABILITIES)) == len(defaults.CAPABILITIES) == 41


def test_a_program_that_the_kernel_would_not_start_is_refused_with_what_it_needs():
    with pytest.raises(ConfigError) as caught:
        check(program(SERVE), "/bin/serve", "web", ["CHOWN"])
    assert "NET_BIND_SERVICE" in caught.value.why and "capabilities: [NET_BIND_SERVICE]" in caught.value.hint
    check(program(SERVE), "/bin/serve", "web", ["cap_net_bind_service", "CHOWN"])
    check(File(mode=0o755, content=BytesContent(b"")), "/bin/serve", "web", [])


def test_the_command_of_a_layer_is_looked_at_wherever_it_lies(image, profile):
    image.get(b"/bin/server").xattrs = {ATTRIBUTE: bytes.fromhex(SERVE)}
    config = parse_image_config({"Entrypoint": ["server"], "Env": ["PATH=/sbin:/bin"]})

    def make(**more):
        options = RunOptions("web", **more)
        return make_run_config(config, options, image, architecture="amd64", profile=profile, mtime=9)

    with pytest.raises(ConfigError, match="cannot run 'server'"):
        make()
    assert make(capabilities=("NET_BIND_SERVICE",)).config["process"]["args"] == ["server"]
