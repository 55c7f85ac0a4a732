# SPDX-License-Identifier: MIT
"""A container's AppArmor profile: what it says for which options, whose name it has, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.layers.apparmor import default_profile, make_policy, read_profile
from orchestrator.layers.options import DeviceNode, RunOptions
from orchestrator.run import Tools

OWN = """\
# A profile as its author wrote it: profile in a comment.
profile web flags=(attach_disconnected) {
  /srv/** r,
  signal (send, receive) peer=web,
  ptrace read peer=webmail,
}
"""


def policy(options: RunOptions, folder: Path):
    return make_policy(options, Tools(), folder, None)


def own(folder: Path, text: str) -> RunOptions:
    (folder / "web.apparmor").write_text(text)
    return RunOptions(name="web", apparmor_profile=folder / "web.apparmor")


def test_the_same_options_give_the_same_bytes_under_the_same_name(tmp_path):
    first, second = (tmp_path / name for name in ("one", "two"))
    first.mkdir()
    second.mkdir()
    assert policy(RunOptions(name="web"), first) == policy(RunOptions(name="web"), second)


def test_the_name_tells_the_layer_and_changes_with_what_the_policy_says(tmp_path):
    names = [
        policy(options, tmp_path).name
        for options in (RunOptions(name="web"), RunOptions(name="web", capabilities=("KILL",)), RunOptions(name="db"))
    ]
    assert [name.rpartition(".")[0] for name in names] == ["pycontainer.web", "pycontainer.web", "pycontainer.db"]
    assert len({name.rpartition(".")[2] for name in names}) == 3
    data = policy(RunOptions(name="web"), tmp_path)
    assert data.name.encode() + b"\0" in data.data


def test_an_unconfined_container_has_no_policy(tmp_path):
    assert policy(RunOptions(name="web", apparmor="unconfined"), tmp_path) is None


def test_only_what_the_container_keeps_is_allowed():
    plain = default_profile(RunOptions(name="web"))
    assert "capability" not in plain and "  mount," not in plain and "userns" not in plain
    init = default_profile(RunOptions(name="web", init="busybox", capabilities=("KILL",)))
    assert init.count("  capability kill,\n") == 1 and "  capability setuid,\n" in init and "  mount," not in init
    lxc = default_profile(RunOptions(name="web", runtime="lxc"))
    assert re.findall(r"capability (\w+),", lxc) == ["setgid", "setuid"]
    admin = default_profile(RunOptions(name="web", capabilities=("CAP_SYS_ADMIN", "NET_RAW")))
    assert "  capability net_raw,\n  capability sys_admin,\n" in admin
    assert "  mount,\n" in admin and "deny mount fstype=(securityfs" in admin


def test_a_device_that_is_given_is_not_denied():
    assert "/dev/kmsg" in default_profile(RunOptions(name="web"))
    messages = DeviceNode("/dev/kmsg", "c", 1, 11)
    disk = DeviceNode("/dev/sda", "b", 8, 0)
    text = default_profile(RunOptions(name="web", devices=(messages, disk)))
    assert "/dev/kmsg" not in text and "mmcblk" not in text and "/dev/mem " in text


def test_a_profile_of_the_product_gets_the_containers_name_and_may_speak_of_itself(tmp_path):
    options = own(tmp_path, OWN)
    text = read_profile(tmp_path / "web.apparmor")
    assert text.count("@name@") == 2 and "peer=webmail" in text and "profile @name@ flags" in text
    assert policy(options, tmp_path).name.startswith("pycontainer.web.")
    assert policy(options, tmp_path) != policy(RunOptions(name="web"), tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has 0"),
        ("/usr/bin/x { }\n", "has 0"),
        ("profile a { }\nprofile b { }\n", "has 2"),
        ("profile a { }\n/usr/bin/x { }\n", "/usr/bin/x"),
        ("profile a {\n  nonsense\n}\n", "syntax error"),
        ("profile a {\n  include <no/such>\n}\n", "no/such"),
        ("profile a {\n", "syntax error"),
    ],
)
def test_a_file_that_does_not_define_exactly_one_profile_is_refused(tmp_path, text, why):
    options = own(tmp_path, text)
    with pytest.raises(ConfigError, match=r"web\.apparmor cannot be used") as caught:
        policy(options, tmp_path)
    assert why in caught.value.why


def test_a_missing_or_oversized_profile_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_profile(tmp_path / "missing")
    options = own(tmp_path, "profile a {\n" + "# long\n" * 100_000 + "}\n")
    with pytest.raises(ConfigError, match="too large"):
        policy(options, tmp_path)
