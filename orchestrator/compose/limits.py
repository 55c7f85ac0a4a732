# SPDX-License-Identifier: MIT
"""Keys of a service that limit it, confine it or loosen that. Compose Specification, 05-services.md and deploy.md."""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestrator.compose import values
from orchestrator.compose.devices import device_numbers
from orchestrator.compose.draft import (
    Draft,
    Handler,
    Needless,
    Refused,
    Rule,
    Value,
    attempt,
    attempt_each,
    follow,
    into,
    into_layer,
    wrong,
)
from orchestrator.compose.engine import give_capabilities
from orchestrator.compose.process import unless_on
from orchestrator.compose.storage import empty_places
from orchestrator.product.fields import FieldError
from orchestrator.product.process import check_sysctls
from orchestrator.product.units import parse_size

_CAPABILITY = re.compile(r"[A-Z][A-Z0-9_]{1,40}")
_WEIGHTS = "the device has no weights among containers"


def _memory(draft: Draft, path: str, value: Value) -> None:
    if value == "0":
        return
    found = values.size(path, value)
    if parse_size(found) < 2**20:
        raise wrong(path, f"{value} is less than 1 MiB")
    draft.layer["memory"] = found


def _cpus(draft: Draft, path: str, value: Value) -> None:
    if value not in ("0", "0.0"):
        draft.layer["cpus"] = values.fraction(path, value)


def _pids(draft: Draft, path: str, value: Value) -> None:
    if value in ("-1", "0"):
        raise wrong(path, "a container always has a limit of processes", "name one, up to 4194304")
    draft.layer["pids"] = values.number(path, value, 1, 4_194_304)


def _quota(draft: Draft, path: str, value: Value) -> None:
    quota = values.number(path, value, 1000)
    period = values.number(path, draft.facts["service"].get("cpu_period") or "100000", 1000, 1_000_000)
    draft.layer["cpus"] = values.fraction(path, f"{quota / period:.4f}")


def _period(draft: Draft, path: str, value: Value) -> None:
    if "cpu_quota" not in draft.facts["service"]:
        draft.tell(path, "needless", "without cpu_quota it limits nothing")


def _swap(draft: Draft, path: str, value: Value) -> None:
    if value in ("0", draft.facts["service"].get("mem_limit")):
        draft.tell(path, "needless", "a device has no swap")
    else:
        draft.refuse(path, "a device has no swap", "limit the memory by mem_limit")


def _ulimits(draft: Draft, path: str, value: Value) -> None:
    if not isinstance(value, Mapping):
        raise wrong(path, "keys with values are expected")
    for name, limit in value.items():
        attempt(draft, f"{path}.{name}", _ulimit, limit)


def _ulimit(draft: Draft, path: str, limit: Value) -> None:
    if isinstance(limit, Mapping):
        if set(limit) != {"soft", "hard"}:
            raise wrong(path, "a limit is a number, or has soft and hard")
        found: Value = {key: values.number(f"{path}.{key}", limit[key]) for key in ("soft", "hard")}
    elif limit == "-1":
        raise wrong(path, "'no limit' is not given", "name a number")
    else:
        found = values.number(path, limit)
    draft.layer.setdefault("ulimits", {})[path.rpartition(".")[2]] = found


def _sysctls(draft: Draft, path: str, value: Value) -> None:
    for name, content in values.pairs(path, value).items():
        try:
            check_sysctls({name: content or ""}, own_network=draft.facts["service"].get("network_mode") != "host")
        except FieldError as problem:
            draft.refuse(f"{path}.{name}", str(problem), problem.hint or "let the rootfs layer set it")
        else:
            draft.layer.setdefault("sysctls", {})[name] = content or ""
            draft.tell(f"{path}.{name}", "honoured")


def _capability(path: str, word: str) -> str:
    name = word.upper().removeprefix("CAP_")
    if not _CAPABILITY.fullmatch(name):
        raise wrong(path, f"{word!r} is no capability", "see capabilities(7)")
    return name


def _cap_add(draft: Draft, path: str, value: Value) -> None:
    names = sorted({_capability(path, word) for word in values.words(path, value)})
    if "ALL" in names:
        raise wrong(path, "all capabilities together are root on the device", "name those that it needs")
    if names:
        draft.relax("cap_add", capabilities=names)


def _cap_drop(draft: Draft, path: str, value: Value) -> None:
    draft.facts["dropped"] = {_capability(path, word) for word in values.words(path, value)}
    if not draft.around.keep_defaults:
        draft.tell(path, "honoured", "a container has none but those of cap_add")


def _security(draft: Draft, path: str, value: Value) -> None:
    attempt_each(draft, path, values.words(path, value), _option)


def _option(draft: Draft, path: str, word: Value) -> None:
    name, _, setting = word.replace("=", ":", 1).partition(":")
    if name == "no-new-privileges" and setting == "false":
        draft.relax("security_opt", newPrivileges="allowed")
    elif name == "no-new-privileges":
        draft.tell(path, "honoured", "that is so for every container")
    elif name in ("seccomp", "apparmor") and setting == "unconfined":
        draft.relax("security_opt", **{name: setting})
    elif name == "seccomp":
        raise wrong(path, "an own seccomp profile is not taken", "leave it out: the engines' common one is used")
    elif name == "apparmor":
        raise wrong(path, "a profile of this machine is not on the device", "write 'apparmor: FILE' into the layer")
    elif name == "label":
        raise wrong(path, "the device has no SELinux", "remove it")
    else:
        raise wrong(path, f"{name!r} is unknown", "remove it")


def _devices(draft: Draft, path: str, value: Value) -> None:
    attempt_each(draft, path, value, _device)
    if nodes := draft.facts.get("devices"):
        draft.relax("devices", devices=nodes)


def _device(draft: Draft, path: str, item: Value) -> None:
    found: dict[str, str] = {}
    if isinstance(item, str):
        parts = [*item.split(":"), "", ""]
        found = {"source": parts[0], "target": parts[1], "permissions": parts[2]}
    else:
        follow(draft, path, item, {key: into(found, key, values.text) for key in ("source", "target", "permissions")})
    named = found.get("source", "")
    numbers = device_numbers(named)
    if numbers is None:
        raise wrong(
            path,
            f"the numbers of {named} differ from device to device",
            "write it into 'relax: - devices:' with the major and minor number that 'ls -l' shows on the device",
        )
    access = "".join(sorted(set(found.get("permissions") or "rwm"), key="rwm".find))
    node = {"path": found.get("target") or named, "kind": numbers.kind, "major": numbers.major, "minor": numbers.minor}
    draft.facts.setdefault("devices", []).append(node | {"access": access})


def _blkio(draft: Draft, path: str, value: Value) -> None:
    hint = "write 'io: {read: ..., write: ...}' into the layer: it limits the storage disk, whatever its name is"
    draft.refuse(path, "it names disks of another machine", hint)


def _oneself(why: str, hint: str = "") -> Handler:
    """The rule of a namespace key: private is what a container has; anything else is refused."""

    def rule(draft: Draft, path: str, value: Value) -> None:
        if value in (None, "", "private", "none"):
            draft.tell(path, "needless", "that is so")
        else:
            draft.refuse(path, why, hint)

    return rule


def _users(draft: Draft, path: str, value: Value) -> None:
    if value == "host":
        draft.relax("userns_mode", userNamespace="host")
    elif value:
        raise wrong(path, "a container has users of its own, or the device's", "write host, or remove it")
    else:
        draft.tell(path, "needless", "that is so")


def _read_only(draft: Draft, path: str, value: Value) -> None:
    if not values.boolean(path, value):
        draft.refuse(path, "the root file system is never writable", "name what is written to: volumes or tmpfs")


def _replicas(draft: Draft, path: str, value: Value) -> None:
    if values.number(path, value) != 1:
        draft.refuse(path, "a device runs a service once", "write a service for each")
    else:
        draft.tell(path, "needless", "that is so")


def _deploy_mode(draft: Draft, path: str, value: Value) -> None:
    if value in ("replicated", "global"):
        draft.tell(path, "needless", "a device runs a service once")
    else:
        draft.refuse(path, f"the mode {value} is none of a service that runs", "remove it")


_SWARM = "there is one device, and no swarm"
LIMITS: dict[str, Rule] = {"cpus": _cpus, "memory": _memory, "pids": _pids}
RESOURCES: dict[str, Rule] = {
    "limits": lambda draft, path, value: follow(draft, path, value, LIMITS),
    "reservations": Refused("nothing is reserved on a device", "limit what the others take"),
}
DEPLOY: dict[str, Rule] = {
    "mode": _deploy_mode,
    "replicas": _replicas,
    "resources": lambda draft, path, value: follow(draft, path, value, RESOURCES),
    "endpoint_mode": Refused(_SWARM, "remove it"),
    "placement": Refused(_SWARM, "remove it"),
    "labels": Refused("they belong to a service of a swarm", "write 'labels' of the service itself"),
    "update_config": Refused("an update is of the whole revision", "see 'confirm' in docs/product-file.md"),
    "rollback_config": Refused("a device goes back by itself, as a whole", "see docs/updates.md"),
}
RULES: dict[str, Rule] = {
    "mem_limit": _memory,
    "cpus": _cpus,
    "pids_limit": _pids,
    "cpu_quota": _quota,
    "cpu_period": _period,
    "cpu_shares": Refused(_WEIGHTS, "limit it by cpus"),
    "cpu_count": Refused("it belongs to another operating system", "limit it by cpus"),
    "cpu_percent": Refused("it belongs to another operating system", "limit it by cpus"),
    "cpu_rt_period": Refused("real-time groups are not in the device's kernel", "limit it by cpus"),
    "cpu_rt_runtime": Refused("real-time groups are not in the device's kernel", "limit it by cpus"),
    "cpuset": Refused("a container is not bound to processors", "limit it by cpus"),
    "mem_reservation": Refused("nothing is reserved on a device", "limit what the others take, by mem_limit"),
    "mem_swappiness": Needless("a device has no swap"),
    "memswap_limit": _swap,
    "oom_kill_disable": unless_on("a container that takes too much memory is ended", "raise its mem_limit"),
    "oom_score_adj": Refused("the device decides what it ends when its memory is full", "limit it by mem_limit"),
    "blkio_config": _blkio,
    "storage_opt": Refused("the root file system is read-only and has no size to limit", "remove it"),
    "ulimits": _ulimits,
    "sysctls": _sysctls,
    "shm_size": into_layer("shmSize", values.size),
    "cap_add": _cap_add,
    "cap_drop": _cap_drop,
    "security_opt": _security,
    "privileged": unless_on("it would own the device", "name what it needs: cap_add, devices"),
    "devices": _devices,
    "device_cgroup_rules": Refused("a rule without a device gives nothing", "name the devices under 'devices'"),
    "gpus": Refused("no driver for it is on the device", "bring the device by 'devices'"),
    "read_only": _read_only,
    "cgroup": _oneself("a container sees its own control group only", "remove it"),
    "cgroup_parent": Refused("the device puts each container into a group of its own", "remove it"),
    "ipc": _oneself("a container shares no memory with others", "let them speak over the network"),
    "pid": _oneself("a container sees its own processes only", "remove it"),
    "userns_mode": _users,
    "uts": _oneself("a container has a host name of its own", "remove it"),
    "scale": _replicas,
}


def finish(draft: Draft) -> None:
    """Give what an engine gives where that was asked for, and say what is tighter than there."""
    give_capabilities(draft, draft.facts.get("dropped", set()))
    if not any("no-new-privileges" in str(word) for word in draft.facts["service"].get("security_opt") or []):
        draft.tightened.append("no new privileges: sudo, ping and other setuid programs gain nothing")
    if str(draft.facts["service"].get("read_only", "")).lower() != "true":
        if draft.around.keep_defaults:
            empty_places(draft)
        draft.tightened.append("a read-only root file system: what it writes goes to volumes and tmpfs, or fails")
