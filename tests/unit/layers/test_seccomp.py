# SPDX-License-Identifier: MIT
"""The engines' seccomp profile becomes the rules of one device and one set of capabilities."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import BuildError
from orchestrator.layers.seccomp import load_profile, seccomp_section

SYSTEM_PROFILE = Path("/usr/share/containers/seccomp.json")


def names(section):
    return [(rule["names"][0], rule["action"]) for rule in section["syscalls"]]


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
    assert not {"bpf", "init_module", "kexec_load", "open_by_handle_at", "chroot"} & allowed
    json.dumps(section)
