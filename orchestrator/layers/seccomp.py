# SPDX-License-Identifier: MIT
"""Make the OCI seccomp section from the container engines' common profile.

The profile (share/containers/seccomp.json of containers-common) holds rules with conditions: architectures, kept
capabilities, kernel version. An engine drops the rules whose conditions do not hold and hands the rest to the runtime;
so do we, for the device and not for this machine. OCI runtime specification, config-linux, "Seccomp".
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from orchestrator.canonical import read_limited
from orchestrator.errors import BuildError

_SIZE_MAX = 4 * 1024 * 1024

ARCHITECTURES = {
    "amd64": "SCMP_ARCH_X86_64",
    "arm64": "SCMP_ARCH_AARCH64",
    "arm": "SCMP_ARCH_ARM",
    "386": "SCMP_ARCH_X86",
    "riscv64": "SCMP_ARCH_RISCV64",
}
"""libseccomp's names of the machines' architectures."""

_PROFILE_NAMES = {"386": "x86"}

_EPERM, _ENOSYS = 1, 38

_NEW_NAMESPACES = 0x7E020000
"""The CLONE_NEW flags that clone(2) takes."""

_NAMESPACE_CALLS = frozenset(
    {
        "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree", "pivot_root",
        "setns", "umount", "umount2", "unshare",
    }
)  # fmt: skip
"""Of no use but in a namespace of one's own, or with CAP_SYS_ADMIN."""

_KEY_CALLS = frozenset({"add_key", "keyctl", "request_key"})

_NETLINK, _NETLINK_AUDIT = 16, 9
_SOCKET_FAMILIES = {"UNIX": 1, "INET": 2, "INET6": 10, "NETLINK": _NETLINK, "PACKET": 17, "CAN": 29, "BLUETOOTH": 31}
"""What containers may speak: linux/socket.h."""


def load_profile(path: Path) -> dict[str, Any]:
    """Return a profile file as JSON; raises BuildError when it is missing, too large or no profile."""
    try:
        data = read_limited(path, _SIZE_MAX)
        profile = json.loads(data)
    except (OSError, ValueError) as problem:
        raise BuildError(
            f"the seccomp profile {path} cannot be read", str(problem), "build the base again"
        ) from problem
    if len(data) > _SIZE_MAX or not isinstance(profile, dict) or not isinstance(profile.get("syscalls"), list):
        raise BuildError(f"{path} is no seccomp profile", "it has no list of syscalls", "build the base again")
    return profile


def seccomp_section(
    profile: dict[str, Any], *, architecture: str, capabilities: Collection[str], kernel: tuple[int, int] = (6, 1)
) -> dict[str, Any]:
    """Return `linux.seccomp` for a container that keeps `capabilities` (CAP_ names) on `architecture` (amd64, arm64).

    `kernel` is the oldest kernel that the device runs. Raises BuildError for a profile of unknown form.
    """
    try:
        return _section(profile, architecture, frozenset(capabilities), kernel)
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        raise BuildError("the seccomp profile has an unknown form", repr(problem), "build the base again") from problem


def _section(
    profile: dict[str, Any], architecture: str, capabilities: frozenset[str], kernel: tuple[int, int]
) -> dict[str, Any]:
    own = ARCHITECTURES[architecture]
    if profile.get("architectures") and profile.get("archMap"):
        raise ValueError("it has both architectures and archMap")
    names = list(profile.get("architectures") or [])
    for entry in profile.get("archMap") or []:
        if entry["architecture"] == own:
            names = [own, *(entry.get("subArchitectures") or [])]
            break
    section: dict[str, Any] = {"defaultAction": profile["defaultAction"], "architectures": names or [own]}
    if profile.get("defaultErrnoRet") is not None:
        section["defaultErrnoRet"] = profile["defaultErrnoRet"]
    machine = _PROFILE_NAMES.get(architecture, architecture)
    rules = [_rule(call) for call in profile["syscalls"] if _applies(call, machine, capabilities, kernel)]
    section["syscalls"] = _tightened(rules, capabilities)
    return section


def _tightened(rules: list[dict[str, Any]], capabilities: frozenset[str]) -> list[dict[str, Any]]:
    """Return the rules without keyrings, with the usual sockets and, unless the container may administer the system,
    without namespaces."""
    admin = "CAP_SYS_ADMIN" in capabilities
    refused = _KEY_CALLS if admin else _KEY_CALLS | _NAMESPACE_CALLS
    # socketcall is what old 32-bit programs call; what it asks for lies in memory, where no filter sees it.
    replaced = refused | {"socket", "socketcall"} | (set() if admin else {"clone", "clone3"})
    found = []
    for rule in rules:
        if names := [name for name in rule["names"] if name not in replaced]:
            found.append(rule | {"names": names})
    found.append({"names": sorted(refused), "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM})
    for family in _SOCKET_FAMILIES.values():
        args = [{"index": 0, "value": family, "op": "SCMP_CMP_EQ"}]
        if family == _NETLINK and "CAP_AUDIT_WRITE" not in capabilities:
            args.append({"index": 2, "value": _NETLINK_AUDIT, "op": "SCMP_CMP_NE"})
        found.append({"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": args})
    if not admin:
        # The flags of clone3 lie in memory as well: libraries fall back to clone when it is missing.
        found.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS})
        flags = {"index": 0, "value": _NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
        found.append({"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [flags]})
        # Programs that do without a namespace, as systemd for its generators, do so when it is not permitted.
        for flag in _bits(_NEW_NAMESPACES):
            one = {"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}
            found.append({"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM, "args": [one]})
    return found


def _bits(flags: int) -> list[int]:
    return [1 << place for place in range(flags.bit_length()) if flags >> place & 1]


def _applies(call: dict[str, Any], machine: str, capabilities: frozenset[str], kernel: tuple[int, int]) -> bool:
    excludes, includes = call.get("excludes") or {}, call.get("includes") or {}
    unknown = (set(excludes) | set(includes)) - {"arches", "caps", "minKernel"}
    if unknown:
        raise ValueError(f"a rule has the unknown condition {sorted(unknown)[0]!r}")
    if machine in (excludes.get("arches") or []) or capabilities & set(excludes.get("caps") or []):
        return False
    if excludes.get("minKernel") and kernel >= _version(excludes["minKernel"]):
        return False
    if includes.get("arches") and machine not in includes["arches"]:
        return False
    if includes.get("minKernel") and kernel < _version(includes["minKernel"]):
        return False
    return capabilities >= set(includes.get("caps") or [])


def _rule(call: dict[str, Any]) -> dict[str, Any]:
    rule: dict[str, Any] = {"names": list(call.get("names") or [call["name"]]), "action": call["action"]}
    if call.get("errnoRet") is not None:
        rule["errnoRet"] = call["errnoRet"]
    arguments = []
    for argument in call.get("args") or []:
        item = {"index": argument["index"], "value": argument["value"], "op": argument["op"]}
        if argument.get("valueTwo"):
            item["valueTwo"] = argument["valueTwo"]
        arguments.append(item)
    if arguments:
        rule["args"] = arguments
    return rule


def _version(text: str) -> tuple[int, int]:
    major, minor = str(text).split(".")[:2]
    return int(major), int(minor)
