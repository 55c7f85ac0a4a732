# SPDX-License-Identifier: MIT
"""LXC's form of a system call filter, version 2, from the OCI section `linux.seccomp`.

The form is told by LXC's parser only (src/lxc/seccomp.c, parse_config_v2): a list of allowed calls with a default
action, then sections by architecture, each rule a call, its action, and conditions on arguments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.errors import BuildError

_EPERM = 1
_SECTIONS = {
    "SCMP_ARCH_X86_64": "x86_64",
    "SCMP_ARCH_AARCH64": "arm64",
    "SCMP_ARCH_ARM": "arm",
    "SCMP_ARCH_X86": "x86",
}
_ACTIONS = {
    "SCMP_ACT_ALLOW": "allow",
    "SCMP_ACT_KILL": "kill",
    "SCMP_ACT_KILL_PROCESS": "kill",
    "SCMP_ACT_KILL_THREAD": "kill",
    "SCMP_ACT_TRAP": "trap",
}
_COMPARISONS = frozenset(f"SCMP_CMP_{name}" for name in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"))


def seccomp_profile(section: Mapping[str, Any]) -> str:
    """Return the filter as text. Its rules are of the machine's own architecture: programs of a smaller one, such as
    32-bit ones on a 64-bit machine, get the default action for every call.

    Raises BuildError for an action or comparison that the form does not know.
    """
    default = _action(section["defaultAction"], section.get("defaultErrnoRet"))
    own = section["architectures"][0]
    if own not in _SECTIONS:
        raise BuildError(f"LXC's filter has no section for {own}", "", "leave 'runtime: lxc' out on this machine")
    lines = dict.fromkeys(line for call in section["syscalls"] for line in _rules(call, default))
    return "\n".join(["2", f"allowlist {default}", f"[{_SECTIONS[own]}]", *lines]) + "\n"


def _rules(call: Mapping[str, Any], default: str) -> Iterator[str]:
    action = _action(call["action"], call.get("errnoRet"))
    if action == default:
        return  # libseccomp refuses such a rule
    arguments = call.get("args", [])
    indexes = [argument["index"] for argument in arguments]
    # All conditions of a rule must hold, but for several on one argument, of which one must (runtime specification).
    groups = [[each] for each in arguments] if len(set(indexes)) < len(indexes) else [arguments]
    for name in call["names"]:
        for group in groups:
            yield " ".join([name, action, *filter(None, ["".join(map(_condition, group))])])


def _condition(argument: Mapping[str, Any]) -> str:
    compare = argument["op"]
    if compare not in _COMPARISONS:
        raise BuildError(f"LXC's filter has no comparison {compare}", "", "leave 'runtime: lxc' out")
    if compare == "SCMP_CMP_MASKED_EQ":  # the specification's value is the mask
        return f"[{argument['index']},{argument.get('valueTwo', 0)},{compare},{argument['value']}]"
    return f"[{argument['index']},{argument['value']},{compare}]"


def _action(name: str, number: int | None) -> str:
    if name == "SCMP_ACT_ERRNO":
        return f"errno {_EPERM if number is None else number}"
    if name not in _ACTIONS:
        raise BuildError(f"LXC's filter has no action {name}", "", "leave 'runtime: lxc' out")
    return _ACTIONS[name]
