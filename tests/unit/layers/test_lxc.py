# SPDX-License-Identifier: MIT
"""What LXC runs is as strict as what crun runs, or it is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import BuildError, ConfigError
from orchestrator.layers.imageconfig import ImageConfig
from orchestrator.layers.lxc import make_lxc_config
from orchestrator.layers.lxcseccomp import seccomp_profile
from orchestrator.layers.options import DeviceNode, Rlimit, RunOptions, Tmpfs, Volume
from orchestrator.layers.runconfig import make_run_config


@pytest.fixture
def make(image, profile):
    def make(template=None, **options):
        options = {"name": "web", "command": ("/bin/server", "two words")} | options
        run = make_run_config(ImageConfig(), RunOptions(**options), image, architecture="amd64", profile=profile)
        return make_lxc_config(options["name"], run.config, run.stop_signal, template)

    return make


def values(made, key):
    return [line.partition(" = ")[2] for line in made.config.splitlines() if line.partition(" = ")[0] == key]


def test_the_defaults_confine_as_those_of_crun_do(make):
    made = make(memory=32 << 20, cpus=0.5, processes=7)
    assert values(made, "lxc.cap.keep") == ["none"]
    assert values(made, "lxc.no_new_privs") == ["1"]
    assert values(made, "lxc.rootfs.options") == ["ro"]
    assert values(made, "lxc.namespace.clone") == ["cgroup ipc mnt net pid uts"]
    assert values(made, "lxc.seccomp.profile") == ["/run/pycontainer/lxc/web/seccomp"]
    assert values(made, "lxc.cgroup2.devices.deny") == ["a"]
    assert values(made, "lxc.cgroup2.pids.max") == ["7"]
    assert values(made, "lxc.cgroup2.memory.max") == [str(32 << 20)]
    assert values(made, "lxc.cgroup2.cpu.max") == ["50000 100000"]
    assert values(made, "lxc.prlimit.core") == ["0:0"]
    mounts = values(made, "lxc.mount.entry")
    assert "/dev/null proc/kcore none bind,optional 0 0" in mounts
    assert "proc/sys proc/sys none bind,relative,ro 0 0" in mounts
    assert any(line.startswith("sysfs sys sysfs") and ",ro " in line for line in mounts)


def test_its_users_are_its_own_as_under_crun(make):
    made = make(user_base=65536 * 20)
    assert values(made, "lxc.idmap") == ["u 0 1310720 65536", "g 0 1310720 65536"]
    assert values(made, "lxc.namespace.clone") == ["cgroup ipc mnt net pid user uts"]
    assert values(make(user_base=65536 * 20, users="host"), "lxc.idmap") == []


@pytest.mark.parametrize("network", ["host", "bridge"])
def test_where_the_network_is_not_of_its_users_the_devices_sysfs_is_shown(make, network):
    mounts = values(make(user_base=65536 * 20, network=network), "lxc.mount.entry")
    shown = [line for line in mounts if line.split()[1] in ("sys", "sys/fs/cgroup")]
    assert [line.split()[0] for line in shown] == ["/sys", "tmpfs", "cgroup"]
    assert all("ro" in line.split()[3].split(",") for line in shown)
    for others in ({"network": network}, {"network": "none", "user_base": 65536 * 20}):
        assert any(line.startswith("sysfs sys sysfs") for line in values(make(**others), "lxc.mount.entry"))


def test_every_mount_of_crun_is_there_but_what_lxc_makes_itself(make, image, profile):
    options = RunOptions(name="web", command=("/bin/server",), volumes=(Volume("a", "/data"),), tmpfs=(Tmpfs("/tmp"),))
    run = make_run_config(ImageConfig(), options, image, architecture="amd64", profile=profile)
    made = make_lxc_config("web", run.config, 15)
    places = {line.split()[1] for line in values(made, "lxc.mount.entry")}
    wanted = {str(each["destination"]) for each in run.config["mounts"]} - {"/dev/pts"}
    wanted |= {*run.config["linux"]["maskedPaths"], *run.config["linux"]["readonlyPaths"]}
    assert wanted == {f"/{place}" for place in places}


def test_a_user_without_a_home_has_the_one_that_crun_gives(make):
    assert values(make(user="4242"), "lxc.environment")[-1] == "HOME=/"
    assert [each for each in values(make(environment={"HOME": "/x"}), "lxc.environment") if "HOME" in each] == [
        "HOME=/x"
    ]


def test_the_words_of_the_program_stay_as_they_are(make):
    assert json.loads(make().data)["args"] == ["/bin/server", "two words"]


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("none", {"lxc.net.0.type": ["empty"], "lxc.namespace.share.net": []}),
        ("bridge", {"lxc.net.0.type": [], "lxc.namespace.share.net": ["/run/pycontainer/netns/web"]}),
        ("host", {"lxc.net.0.type": [], "lxc.namespace.share.net": []}),
    ],
)
def test_the_network_is_its_own_or_the_one_that_is_named(make, network, expected):
    made = make(network=network)
    assert {key: values(made, key) for key in expected} == expected
    assert ("net" in values(made, "lxc.namespace.clone")[0].split()) == (network == "none")


@pytest.mark.parametrize("value", ["a\nlxc.cap.keep = sys_admin", "a\rb", "ends in a blank ", "a\x00b", "\x1b[1m"])
def test_no_value_becomes_another_key(make, value):
    with pytest.raises(ConfigError):
        make(environment={"A": value})


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_a_product_says_the_keys_stay_the_same(name, value):
    oci = {
        "hostname": "web",
        "process": {
            "args": ["/bin/server"],
            "env": [f"{name}={value}"],
            "cwd": "/",
            "user": {"uid": 0, "gid": 0, "additionalGids": []},
            "capabilities": {"bounding": []},
            "noNewPrivileges": True,
            "rlimits": [],
        },
        "mounts": [],
        "linux": {
            "namespaces": [],
            "maskedPaths": [],
            "readonlyPaths": [],
            "resources": {"devices": [{"allow": False, "access": "rwm"}], "pids": {"limit": 1}},
        },
    }
    plain = make_lxc_config("web", oci | {"process": oci["process"] | {"env": ["A=B"]}}, 15).config
    try:
        made = make_lxc_config("web", oci, 15).config
    except ConfigError:
        return
    keys = [line.partition("=")[0] for line in plain.split("\n")]
    assert [line.partition("=")[0] for line in made.split("\n")] == keys


def test_a_path_with_blanks_stays_one_word(make):
    entry = next(line for line in values(make(tmpfs=(Tmpfs("/a b"),)), "lxc.mount.entry") if "040" in line)
    assert entry.split()[1] == "a\\040b"


def test_what_lxc_cannot_do_is_refused(make):
    with pytest.raises(ConfigError, match="CAP_NET_RAW"):
        make(user="1000", capabilities=("CAP_NET_RAW",))
    with pytest.raises(ConfigError, match="SYS_BOOT"):
        make(capabilities=("SYS_BOOT",))
    with pytest.raises(ConfigError, match="owner or mode"):
        make(devices=(DeviceNode("/dev/ttyS1", "c", 4, 65, mode=0o600),))
    with pytest.raises(ConfigError, match="sysctls"):
        make(sysctls={"net.core.somaxconn": "512"})


def test_what_the_oci_configuration_says_beyond_the_defaults_is_there(make, image, profile):
    options = RunOptions(
        name="web", command=("/bin/server",), network="bridge", groups=("2000", "2001"), runtime="lxc",
        user_base=1 << 20, rlimits=(Rlimit("nofile", 10, 20),), labels={"colour": "blue"},
        tmpfs=(Tmpfs("/scratch", 4096, 0o700, 7, 8),),
    )  # fmt: skip
    run = make_run_config(
        ImageConfig(), options, image, architecture="amd64", profile=profile, apparmor="pycontainer.web.0"
    )
    made = make_lxc_config("web", run.config, 15)
    assert run.own_users and len(values(made, "lxc.idmap")) == 2
    assert values(made, "lxc.apparmor.profile") == ["pycontainer.web.0"]
    assert values(made, "lxc.init.groups") == ["2000,2001"]
    assert values(made, "lxc.prlimit.nofile") == ["10:20"]
    mounts = values(made, "lxc.mount.entry")
    assert "tmpfs scratch tmpfs nosuid,nodev,noexec,mode=700,size=4096,uid=7,gid=8 0 0" in mounts
    hosts = "/run/pycontainer/hosts/web etc/hosts none bind,ro,nosuid,nodev,noexec,remount 0 0"
    assert hosts in mounts and "blue" not in made.config


def test_a_device_is_shown_and_allowed(make):
    made = make(devices=(DeviceNode("/dev/ttyS1", "c", 4, 65),))
    assert "c 4:65 rw" in values(made, "lxc.cgroup2.devices.allow")
    assert "/dev/ttyS1 dev/ttyS1 none bind,dev,create=file 0 0" in values(made, "lxc.mount.entry")


def test_a_template_of_the_product_replaces_ours(make, tmp_path):
    template = tmp_path / "lxc.conf.j2"
    template.write_text("lxc.uts.name = {{ hostname }}-own")
    assert make(template).config == "lxc.uts.name = web-own\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [("{{ nothing }}", "nothing"), ("{% if %}", "not a Jinja2"), ("{{ ''.__class__.__mro__ }}", "cannot be rendered")],
)
def test_a_template_that_asks_for_what_there_is_not_is_refused(make, tmp_path, text, told):
    template = tmp_path / "lxc.conf.j2"
    template.write_text(text)
    with pytest.raises(ConfigError) as caught:
        make(template)
    assert told in caught.value.what + caught.value.why


def test_the_filter_says_what_the_section_says(make):
    section = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "syscalls": [
            {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["kexec_load"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},  # the default: no rule
            {
                "names": ["clone"],
                "action": "SCMP_ACT_ALLOW",
                "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
            },
            {
                "names": ["socket"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": 22,
                "args": [{"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 9, "op": "SCMP_CMP_EQ"}],
            },
            {
                "names": ["ptrace"],
                "action": "SCMP_ACT_ALLOW",
                "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}],
            },
        ],
    }
    assert seccomp_profile(section).splitlines() == [
        "2",
        "allowlist errno 38",
        "[x86_64]",
        "read allow",
        "write allow",
        "clone allow [0,0,SCMP_CMP_MASKED_EQ,2114060288]",
        "socket errno 22 [0,16,SCMP_CMP_EQ][2,9,SCMP_CMP_EQ]",
        "ptrace allow [0,1,SCMP_CMP_EQ]",
        "ptrace allow [0,2,SCMP_CMP_EQ]",
    ]


def test_a_filter_that_lxc_cannot_have_is_refused():
    section = {"defaultAction": "SCMP_ACT_LOG", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": []}
    with pytest.raises(BuildError, match="SCMP_ACT_LOG"):
        seccomp_profile(section)
