# SPDX-License-Identifier: MIT
"""Which of the default confinements a layer gives up, why, and how much each weighs, for the summary and the audit.

Points tell how far a program that was taken over gets with it: 1 to 5 a little, 10 to 20 to other parts of the device,
from 40 on to the device itself. They are added up; `grade` is the scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.layers.init import capabilities_of
from orchestrator.layers.options import DeviceNode, RunOptions
from orchestrator.layers.userns import why_shared

GRADES = {"A": 10, "B": 25, "C": 45, "D": 70}
"""The points up to which a grade goes; what has more has the grade E."""

# capabilities(7): what each is good for to somebody who wants out.
_CAPABILITIES = {
    "SYS_MODULE": 60, "SYS_RAWIO": 60, "SYS_ADMIN": 45, "MAC_ADMIN": 25, "BPF": 25, "SYS_PTRACE": 20, "SYS_BOOT": 20,
    "MAC_OVERRIDE": 20, "DAC_READ_SEARCH": 15, "CHECKPOINT_RESTORE": 15, "PERFMON": 12, "NET_ADMIN": 12, "MKNOD": 8,
    "DAC_OVERRIDE": 8, "SETFCAP": 8, "SYS_TIME": 6, "SYSLOG": 6, "SYS_RESOURCE": 6, "SYS_TTY_CONFIG": 6, "SETUID": 4,
    "SETGID": 4, "SETPCAP": 4, "CHOWN": 4, "FOWNER": 4, "NET_RAW": 4, "NET_BIND_SERVICE": 1, "KILL": 1,
    "AUDIT_WRITE": 1,
}  # fmt: skip
_OTHER_CAPABILITY = 5

_VERBS = {
    "exec": 40, "install": 15, "put": 5, "try": 15, "confirm": 10, "rollback": 10, "start": 8, "stop": 8, "restart": 8,
    "gc": 5, "reboot": 10, "poweroff": 10, "logs": 3,
}  # fmt: skip
_READING_VERB = 1

_MEMORY_DEVICES = ("/dev/mem", "/dev/kmem", "/dev/port")


@dataclass(frozen=True)
class Relaxation:
    """One confinement given up: `key` is the key of the product file, `reason` what it says there (may be empty),
    `points` what it weighs."""

    key: str
    what: str
    reason: str
    points: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Rating:
    """What a container, or the product as a whole, adds up to: `holds` are the confinements that are whole."""

    points: int
    grade: str
    found: tuple[Relaxation, ...]
    holds: tuple[str, ...]


def grade(points: int) -> str:
    """Return the grade, A to E, that so many points give."""
    return next((letter for letter, most in GRADES.items() if points <= most), "E")


def rate(found: Sequence[Relaxation], holds: Sequence[str] = ()) -> Rating:
    """Return the rating of what was found."""
    points = sum(each.points for each in found)
    return Rating(points, grade(points), tuple(found), tuple(holds))


def rate_container(options: RunOptions) -> Rating:
    """Return the rating of a container: its relaxations, and what its product leaves without a bound."""
    found = [*relaxations(options), *_unbounded(options)]
    broken = {each.key for each in found}
    if options.lxc_template is not None:
        return rate(found)  # what holds is the template's word
    if options.init is not None:
        broken.add("capabilities")
    return rate(found, [text for key, text in _DEFAULTS if key not in broken])


_DEFAULTS = (
    ("network", "has a network of its own, without any card"),
    ("capabilities", "has no capability"),
    ("seccomp", "makes only the system calls of the default filter"),
    ("apparmor", "has an AppArmor profile"),
    ("new_privileges", "gains no privileges by running a program"),
    ("devices", "uses no device"),
    ("control", "cannot ask the device for anything"),
    ("users", "has users of its own, who are nobody on the device"),
    ("user", "does not run as the device's root"),
    ("memory", "has a limit of memory"),
    ("cpus", "has a limit of processor time"),
    ("pids", "has a limit of processes"),
    ("namespaces", "has namespaces of its own for processes, mounts, IPC, host name and control groups"),
    ("root", "has a read-only root, and masked and read-only kernel paths"),
)


def _unbounded(options: RunOptions) -> list[Relaxation]:
    found = []
    shared = why_shared(options)
    if shared and options.users == "own":
        found.append(Relaxation("users", "has no users of its own, but the device's", shared, 3))
    if shared and (options.user is None or options.user.partition(":")[0] in ("", "0", "root")):
        text = "may run as root" if options.user is None else "runs as root"
        found.append(Relaxation("user", text, _unset("user", options.user), 5))
    if options.memory is None:
        found.append(Relaxation("memory", "has no limit of memory", _unset("memory"), 5))
    if options.cpus is None:
        found.append(Relaxation("cpus", "has no limit of processor time, only its share", _unset("cpus"), 1))
    if any(each.name.upper().removeprefix("RLIMIT_") == "CORE" and each.hard for each in options.rlimits):
        found.append(Relaxation("core", "may write its memory to a file", "'ulimits' of the product file", 1))
    if options.processes > 4096:
        found.append(Relaxation("pids", f"may have {options.processes} processes", "'pids' of the product file", 2))
    return found


def _unset(key: str, value: str | None = None) -> str:
    return f"the product file sets no '{key}'" if value is None else f"'{key}' of the product file"


def relaxations(options: RunOptions) -> list[Relaxation]:
    """Return what `options` allow beyond the defaults, in a fixed order."""
    reasons = dict(options.reasons)
    reasons |= {name.upper().removeprefix("CAP_"): text for name, text in options.reasons.items()}

    def made(key: str, what: str, points: int, one: str = "") -> Relaxation:
        return Relaxation(key, what, reasons.get(one) or reasons.get(key, ""), points)

    found = []
    if options.network == "host":
        found.append(made("network", "shares the device's network", 15))
    if options.network == "bridge":
        found.append(made("network", "has an address on the device's bridge", 3))
    found += [made("ports", f"publishes {port}", 1, port) for port in options.ports]
    for name in sorted({name.upper().removeprefix("CAP_") for name in options.capabilities}):
        points = _CAPABILITIES.get(name, _OTHER_CAPABILITY)
        found.append(made("capabilities", f"keeps the capability {name}", points, name))
    own = set(options.capabilities)
    for name in sorted({each.removeprefix("CAP_") for each in capabilities_of(options) if each not in own}):
        why = f"{options.init}, its own init, needs it"
        points = _CAPABILITIES.get(name, _OTHER_CAPABILITY)
        found.append(Relaxation("init", f"keeps the capability {name}", why, points))
    if options.init is not None:
        what = "makes control groups below its own"
        found.append(Relaxation("init", what, f"{options.init} limits its services by them", 1))
    if options.lxc_template is not None:
        what = f"is confined by the LXC template {options.lxc_template.name} instead of ours"
        found.append(Relaxation("lxcTemplate", what, "lxcTemplate in the product file", 45))
    if options.seccomp == "unconfined":
        found.append(made("seccomp", "may use every system call", 25))
    if options.apparmor == "unconfined":
        found.append(made("apparmor", "has no AppArmor profile", 10))
    elif options.apparmor_profile is not None:
        what = f"is confined by the AppArmor profile {options.apparmor_profile.name} instead of ours"
        found.append(Relaxation("apparmor_profile", what, "apparmor in the product file", 5))
    if options.users == "host":
        found.append(made("users", "has no users of its own, but the device's", 3))
    if not options.no_new_privileges:
        found.append(made("new_privileges", "may gain privileges by setuid programs and file capabilities", 8))
    for device in sorted(options.devices, key=lambda device: device.path):
        text = f"may use {device.path} ({device.kind} {device.major}:{device.minor}, {device.access})"
        found.append(made("devices", text, _device_points(device), device.path))
    if options.control:
        points = max(_VERBS.get(verb, _READING_VERB) for verb in options.control)
        found.append(made("control", f"may ask the device for {', '.join(options.control)}", points))
    return found


def _device_points(device: DeviceNode) -> int:
    if device.path in _MEMORY_DEVICES or (device.kind, device.major) == ("c", 1):
        return 60
    if device.kind == "b":
        return 40 if set(device.access) & set("wm") else 20
    return 4
