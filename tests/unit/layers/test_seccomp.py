# SPDX-License-Identifier: MIT
"""The engines' seccomp profile becomes the rules of one device and one set of capabilities."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import BuildError
from orchestrator.layers.seccomp import load_profile, seccomp_section

SYSTEM_PROFILE = Path("/usr/share/containers/seccomp.json")


OURS = {"add_key", "socket", "clone3", "clone"}


def names(section):
    """The rules that come from the profile, by their first name; ours are tested apart."""
    return [(rule["names"][0], rule["action"]) for rule in section["syscalls"] if rule["names"][0] not in OURS]


def actions(section, call):
    return [(rule["action"], rule.get("args")) for rule in section["syscalls"] if call in rule["names"]]


def test_rules_are_kept_by_architecture_capability_and_kernel(profile):
    section = seccomp_section(profile, architecture="amd64", capabilities=(), kernel=(6, 1))
    assert names(section) == [
        ("read", "SCMP_ACT_ALLOW"),
        ("personality", "SCMP_ACT_ALLOW"),
        ("arch_prctl", "SCMP_ACT_ALLOW"),
        ("chroot", "SCMP_ACT_ERRNO"),
        ("ptrace", "SCMP_ACT_ALLOW"),
    ]
    assert section["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    assert (section["defaultAction"], section["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 38)


def test_a_kept_capability_opens_its_calls(profile):
    section = seccomp_section(profile, architecture="arm64", capabilities={"CAP_SYS_CHROOT"}, kernel=(6, 12))
    assert names(section) == [
        ("read", "SCMP_ACT_ALLOW"),
        ("personality", "SCMP_ACT_ALLOW"),
        ("cacheflush", "SCMP_ACT_ALLOW"),
        ("chroot", "SCMP_ACT_ALLOW"),
        ("ptrace", "SCMP_ACT_ALLOW"),
        ("newcall", "SCMP_ACT_ALLOW"),
    ]
    assert section["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]


def test_rules_have_the_form_of_the_runtime_specification(profile):
    section = seccomp_section(profile, architecture="amd64", capabilities=(), kernel=(4, 0))
    assert section["syscalls"][1]["args"] == [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]
    assert section["syscalls"][3] == {"names": ["chroot"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}
    assert section["syscalls"][4] == {"names": ["old"], "action": "SCMP_ACT_ALLOW"}
    assert all(set(rule) <= {"names", "action", "errnoRet", "args"} for rule in section["syscalls"])


def test_namespaces_are_for_those_who_may_administer_the_system(profile):
    profile["syscalls"].append({"names": ["unshare", "mount", "clone", "clone3"], "action": "SCMP_ACT_ALLOW"})
    section = seccomp_section(profile, architecture="amd64", capabilities={"CAP_SYS_CHROOT"})
    assert actions(section, "unshare") == actions(section, "mount") == [("SCMP_ACT_ERRNO", None)]
    assert actions(section, "clone3") == [("SCMP_ACT_ERRNO", None)]
    flags = {"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    allowed, *refused = actions(section, "clone")
    assert allowed == ("SCMP_ACT_ALLOW", [flags])
    # Each of them by itself, by the error that says so: systemd gives up at any other.
    assert {action for action, _ in refused} == {"SCMP_ACT_ERRNO"}
    assert sum(args[0]["value"] for _, args in refused) == flags["value"] and len(refused) == 7
    assert all(args[0]["value"] == args[0]["valueTwo"] for _, args in refused)
    section = seccomp_section(profile, architecture="amd64", capabilities={"CAP_SYS_ADMIN"})
    for call in ("unshare", "mount", "clone", "clone3"):
        assert actions(section, call) == [("SCMP_ACT_ALLOW", None)]


def test_keyrings_are_for_nobody(profile):
    profile["syscalls"].append({"names": ["keyctl", "add_key"], "action": "SCMP_ACT_ALLOW"})
    section = seccomp_section(profile, architecture="amd64", capabilities={"CAP_SYS_ADMIN"})
    assert actions(section, "keyctl") == actions(section, "add_key") == [("SCMP_ACT_ERRNO", None)]


@pytest.mark.parametrize(("capabilities", "audit"), [((), False), (("CAP_AUDIT_WRITE",), True)])
def test_only_the_usual_sockets_can_be_made(profile, capabilities, audit):
    profile["syscalls"].append({"names": ["socket", "socketcall"], "action": "SCMP_ACT_ALLOW"})
    section = seccomp_section(profile, architecture="amd64", capabilities=capabilities)
    assert actions(section, "socketcall") == []
    rules = [arguments for _, arguments in actions(section, "socket")]
    assert [rule[0]["value"] for rule in rules] == [1, 2, 10, 16, 17, 29, 31]
    without_audit = [{"index": 2, "value": 9, "op": "SCMP_CMP_NE"}]
    assert [rule[1:] for rule in rules if rule[1:]] == ([] if audit else [without_audit])


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["syscalls"].append({"names": ["x"], "action": "A", "includes": {"moonPhase": 1}}),
        lambda p: p["syscalls"].append({"action": "A"}),
        lambda p: p.pop("defaultAction"),
        lambda p: p.update(architectures=["SCMP_ARCH_X86"]),
        lambda p: p["syscalls"].append({"names": ["x"], "action": "A", "includes": {"minKernel": "new"}}),
    ],
)
def test_a_profile_of_unknown_form_is_refused(profile, change):
    change(profile)
    with pytest.raises(BuildError, match="unknown form"):
        seccomp_section(profile, architecture="amd64", capabilities=())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"syscalls": 1}'])
def test_a_file_that_is_no_profile_is_refused(tmp_path, text):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(BuildError):
        load_profile(tmp_path / "p.json")
    with pytest.raises(BuildError):
        load_profile(tmp_path / "missing.json")


@pytest.mark.skipif(not SYSTEM_PROFILE.exists(), reason="containers-common is not installed")
def test_the_profile_of_containers_common_is_understood():
    section = seccomp_section(load_profile(SYSTEM_PROFILE), architecture="amd64", capabilities=())
    allowed = {name for rule in section["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert {"read", "openat", "execve", "futex", "arch_prctl"} <= allowed
    assert not {"bpf", "init_module", "kexec_load", "open_by_handle_at", "chroot", "unshare", "mount"} & allowed
    json.dumps(section)
