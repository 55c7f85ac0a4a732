# SPDX-License-Identifier: MIT
"""The configuration of a container that LXC runs, made from the OCI runtime configuration, so that it is as strict.

lxc.container.conf(5) of LXC 6.0. What LXC cannot do as the OCI configuration says is refused, never left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import jinja2.sandbox

from orchestrator.canonical import canonical_json, read_limited
from orchestrator.errors import ConfigError
from orchestrator.layers import defaults
from orchestrator.layers.lxcseccomp import seccomp_profile

FOLDER = "/run/pycontainer/lxc"
"""LXC's own path on the device: a container's folder there holds `config`, `seccomp` and `rootfs`."""

_TEMPLATE = Path(__file__).with_name("lxc.conf.j2")
_TEMPLATE_MAX = 256 * 1024
_NAMESPACES = {
    "pid": "pid",
    "mount": "mnt",
    "ipc": "ipc",
    "uts": "uts",
    "cgroup": "cgroup",
    "network": "net",
    "user": "user",
}
_MASKED_FILES = frozenset(
    ("/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/timer_list",
     "/proc/timer_stats")
)  # fmt: skip
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class LxcConfig:
    """The run configuration for LXC: `data` is canonical JSON of `config`, `seccomp` and the program's `args`."""

    data: bytes
    config: str
    seccomp: str


def make_lxc_config(name: str, oci: Mapping[str, Any], stop_signal: int, template: Path | None = None) -> LxcConfig:
    """Return what LXC needs to run a container exactly as the OCI runtime configuration `oci` says.

    `template` is the product's own Jinja2 template instead of ours. Raises ConfigError for what LXC cannot do, and for
    a template that cannot be read or names a value that there is none of.
    """
    process = oci["process"]
    if "sysctl" in oci["linux"]:
        raise ConfigError(
            f"the layer {name} cannot have 'sysctls' under LXC",
            "LXC writes them when /proc/sys is read-only already",
            "leave them out, or 'runtime: lxc' of the layer",
        )
    seccomp = seccomp_profile(oci["linux"]["seccomp"]) if "seccomp" in oci["linux"] else ""
    values = {
        "name": name,
        "folder": f"{FOLDER}/{name}",
        "hostname": oci["hostname"],
        "namespaces": _namespaces(name, oci),
        "network": _network(oci),
        "users": _users(oci),
        "mounts": list(_mounts(name, oci)),
        "capabilities": _capabilities(name, process),
        "no_new_privileges": process["noNewPrivileges"],
        "seccomp": bool(seccomp),
        "apparmor": process.get("apparmorProfile", "unconfined"),
        "devices": _device_rules(oci["linux"]["resources"]["devices"]),
        "limits": _limits(oci["linux"]["resources"]),
        "rlimits": [
            (each["type"].removeprefix("RLIMIT_").lower(), f"{each['soft']}:{each['hard']}")
            for each in process["rlimits"]
        ],
        "uid": process["user"]["uid"],
        "gid": process["user"]["gid"],
        "groups": process["user"]["additionalGids"],
        "working_directory": process["cwd"],
        "environment": _environment(process["env"]),
        "stop_signal": stop_signal,
    }
    _check(name, values)
    text = _render(template, values)
    data = canonical_json({"args": process["args"], "config": text, "seccomp": seccomp})
    return LxcConfig(data, text, seccomp)


def _render(template: Path | None, values: Mapping[str, Any]) -> str:
    path = template or _TEMPLATE
    try:
        source = read_limited(path, _TEMPLATE_MAX)
        if len(source) > _TEMPLATE_MAX:
            raise ConfigError(f"the LXC template {path} is too large", f"the limit is {_TEMPLATE_MAX} bytes")
        # Sandboxed: a template is data of the product, not a program that runs on the build machine.
        environment = jinja2.sandbox.SandboxedEnvironment(
            undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
        )
        text = environment.from_string(source.decode()).render(values)
    except jinja2.TemplateSyntaxError as problem:
        raise ConfigError(
            f"{path}:{problem.lineno}: not a Jinja2 template",
            problem.message or "",
            "see docs/distributions.md for what a template may use",
        ) from problem
    except (jinja2.TemplateError, TypeError, ValueError) as problem:
        raise ConfigError(
            f"the LXC template {path} cannot be rendered",
            f"{problem}; it may use: {', '.join(sorted(values))}",
            "see docs/distributions.md for what a template may use",
        ) from problem
    except OSError as problem:
        raise ConfigError(
            f"the LXC template {path} cannot be read", problem.strerror or "", "check 'lxcTemplate' of the layer"
        ) from problem
    return text if text.endswith("\n") else text + "\n"


def _check(name: str, values: Mapping[str, Any]) -> None:
    """Refuse what would be read as something else: a line end begins a key, LXC cuts off blanks and quotes."""

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, (list, tuple)):
            for item in value:
                yield from texts(item)

    for key, value in values.items():
        for text in texts(value):
            if _CONTROL.search(text) or text != text.strip() or text[:1] in ("'", '"'):
                raise ConfigError(
                    f"the layer {name} cannot run under LXC as it is",
                    f"{key.replace('_', ' ')} {text[:80]!r} has a line end or control character in it, or begins or "
                    "ends with a blank or quote, which LXC's configuration cannot hold",
                    "change the value, or leave 'runtime' out",
                )


def _namespaces(name: str, oci: Mapping[str, Any]) -> list[str]:
    for each in oci["linux"]["namespaces"]:
        if each["type"] not in _NAMESPACES:
            raise ConfigError(
                f"the layer {name} cannot have a namespace for {each['type']}s under LXC",
                "its LXC configuration is made for the device's own",
                "leave 'runtime: lxc' out, or relax it with the reason",
            )
    found = [_NAMESPACES[each["type"]] for each in oci["linux"]["namespaces"] if "path" not in each]
    return sorted(found)


def _users(oci: Mapping[str, Any]) -> list[str]:
    """Return the maps of a container's own users and groups; none when it has the device's."""
    return [
        f"{letter} {each['containerID']} {each['hostID']} {each['size']}"
        for letter, key in (("u", "uidMappings"), ("g", "gidMappings"))
        for each in oci["linux"].get(key, [])
    ]


def _network(oci: Mapping[str, Any]) -> str:
    """Return `none` (a network of its own, empty), `host`, or the path of the one to join."""
    for each in oci["linux"]["namespaces"]:
        if each["type"] == "network":
            return str(each.get("path", "none"))
    return "host"


def _environment(variables: Sequence[str]) -> list[str]:
    """Return the environment with the HOME that crun gives to a user who has none."""
    own = any(variable.startswith("HOME=") for variable in variables)
    return [*variables] if own else [*variables, "HOME=/"]


def _escaped(path: str) -> str:
    """Return a path as fstab(5) writes it."""
    return path.replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011").replace("#", "\\043")


def _entry(source: str, place: str, kind: str, options: Sequence[str]) -> str:
    return f"{_escaped(source)} {_escaped(place.lstrip('/'))} {kind} {','.join(options)} 0 0"


def _mounts(name: str, oci: Mapping[str, Any]) -> Iterator[str]:
    spaces = {each["type"]: each for each in oci["linux"]["namespaces"]}
    # The kernel mounts a new sysfs only for the users that the network belongs to: others see
    # the device's, as under crun.
    foreign = "user" in spaces and "path" in spaces.get("network", {"path": ""})
    memory: list[str] = []  # what is empty when it is mounted: places in it are made then
    for mount in oci["mounts"]:
        place, kind, options = str(mount["destination"]), str(mount["type"]), [*mount["options"]]
        if place == "/dev/pts":
            continue  # LXC makes it itself, and the nodes in what is mounted at /dev by then
        if any(place.startswith(each + "/") for each in memory):
            options.append("create=dir")
        if kind == "tmpfs":
            memory.append(place)
        if kind == "sysfs" and foreign:
            # With what is mounted in it, which must not be laid bare.
            yield _entry("/sys", place, "none", ["rbind", *options, "remount"])
            # The device's control groups lie there by now, and the kernel mounts none right above them.
            yield _entry("tmpfs", f"{place}/fs/cgroup", "tmpfs", ["ro", "nosuid", "nodev", "noexec"])
        elif kind == "bind":
            # LXC passes over a bind's flags unless it is told to mount it again.
            yield _entry(str(mount["source"]), place, "none", [*_flags(options), "remount"])
        else:
            kind = "cgroup2" if kind == "cgroup" else kind
            yield _entry(str(mount["source"]), place, kind, options)
    for device in oci["linux"].get("devices", []):
        if (device["fileMode"], device["uid"], device["gid"]) != (0o660, 0, 0):
            raise ConfigError(
                f"the layer {name} cannot have the device {device['path']} with an owner or mode under LXC",
                "LXC shows the device's own node, whose owner and mode are the device's",
                "leave out 'mode', 'uid' and 'gid' of the device, or 'runtime: lxc' of the layer",
            )
        yield _entry(device["path"], device["path"], "none", ["bind", "dev", "create=file"])
    # Kernels differ in which of these they have. On the device the program that starts LXC takes `optional` out of
    # those that are there, because LXC passes over every failure of an optional mount.
    for path in oci["linux"]["maskedPaths"]:
        if path in _MASKED_FILES:
            yield _entry("/dev/null", path, "none", ["bind", "optional"])
        else:
            yield _entry("tmpfs", path, "tmpfs", ["ro", "nosuid", "nodev", "noexec", "optional"])
    for path in oci["linux"]["readonlyPaths"]:
        relative = path.lstrip("/")
        needed = [] if path == "/proc/sys" else ["optional"]
        yield _entry(relative, path, "none", ["bind", "relative", "ro", *needed])


def _flags(options: Sequence[str]) -> list[str]:
    """Return mount options without the propagation, which LXC makes private by itself."""
    return [option for option in options if option not in ("rprivate", "private")]


def _capabilities(name: str, process: Mapping[str, Any]) -> list[str]:
    kept = sorted(process["capabilities"]["bounding"])
    if kept and process["user"]["uid"] != 0:
        raise ConfigError(
            f"the layer {name} cannot keep {', '.join(kept)} under LXC",
            "LXC gives capabilities to root only, and the container runs as another user",
            "run it as root, or leave 'runtime: lxc' out",
        )
    if "CAP_SYS_BOOT" in kept:
        raise ConfigError(
            f"the layer {name} cannot keep CAP_SYS_BOOT under LXC",
            "a reboot in it would be done by LXC itself, behind the back of the device's supervisor",
            "leave the capability out: a shutdown inside ends the container without it",
        )
    return [each.removeprefix("CAP_").lower() for each in kept]


def _device_rules(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the devices that are allowed; all others are not, which `defaults.device_rules` begins with."""
    allowed = []
    for rule in rules[1:]:
        if not rule["allow"]:
            raise ValueError("only the first device rule may forbid")
        minor = rule.get("minor", "*")
        allowed.append(f"{rule['type']} {rule['major']}:{minor} {rule['access']}")
    assert rules[0] == defaults.device_rules()[0]
    return allowed


def _limits(resources: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [("pids.max", str(resources["pids"]["limit"]))]
    if "memory" in resources:
        found.append(("memory.max", str(resources["memory"]["limit"])))
    if "cpu" in resources:
        found.append(("cpu.max", f"{resources['cpu']['quota']} {resources['cpu']['period']}"))
    return found
