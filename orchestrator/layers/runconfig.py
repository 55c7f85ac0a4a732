# SPDX-License-Identifier: MIT
"""The complete OCI runtime configuration of a layer: what the image says, what the product says, and confinement.

OCI runtime specification 1.2, config.md and config-linux.md. The device edits nothing of it, so every mount point that
it names is put into the tree here.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.canonical import canonical_json
from orchestrator.errors import ConfigError
from orchestrator.layers import defaults
from orchestrator.layers.command import checked_command, image_path
from orchestrator.layers.imageconfig import Health, ImageConfig
from orchestrator.layers.init import MACHINE_ID, with_init
from orchestrator.layers.labels import annotations_of
from orchestrator.layers.mounts import check_hidden, emptied, hosts_mount, mounts_of, volumes_of
from orchestrator.layers.options import RunOptions, Volume
from orchestrator.layers.seccomp import seccomp_section
from orchestrator.layers.signals import SIGTERM, signal_number
from orchestrator.layers.tree import Tree
from orchestrator.layers.userns import add_users
from orchestrator.layers.users import User, resolve_user

_CPU_PERIOD = 100_000  # microseconds


@dataclass(frozen=True)
class RunConfig:
    """The runtime configuration (`data`: canonical JSON) and what the supervisor must know beside it.

    `volumes` are all of them, with owner and mode decided: the product's, and one of kind boot for each volume of the
    image that the product does not mention, but for /run and /tmp, which are tmpfs then. `own_users`: it has a user
    namespace. `notes` are remarks for the user.
    """

    data: bytes
    config: dict[str, Any]
    stop_signal: int
    volumes: tuple[Volume, ...]
    health: Health | None
    ports: tuple[str, ...]
    user: User
    own_users: bool
    notes: tuple[str, ...]


def make_run_config(
    image: ImageConfig,
    options: RunOptions,
    tree: Tree,
    *,
    architecture: str,
    profile: dict[str, Any],
    mtime: int = 0,
    kernel: tuple[int, int] = (6, 1),
    apparmor: str = "",
) -> RunConfig:
    """Return the run configuration of a container and add its mount points and working directory to `tree`.

    `profile` is the engines' seccomp profile, `apparmor` the name of the AppArmor profile if there is one, `mtime` the
    time of directories that are made, `kernel` the oldest kernel that the device runs. Raises ConfigError for what
    cannot run: no command, an unknown user, signal, capability or limit, two mounts at one place.
    """
    own = options.tmpfs
    options = with_init(options, image, tree, mtime)
    user = resolve_user(tree, options.user if options.user is not None else image.user, options.groups)
    environment = _environment(image, options, user)
    capabilities = _capabilities(options)
    notes: list[str] = []
    options = replace(options, tmpfs=options.tmpfs + emptied(image, options, tree))
    volumes = volumes_of(image, options, tree, user, notes)
    mounts = mounts_of(options, volumes)
    places = [str(mount["destination"]) for mount in mounts]
    working = image_path(options.working_directory or image.working_directory or "/", "the working directory")
    arguments = checked_command(image, options, tree, environment, working, [m for m in places if m != "/dev"])
    if options.network == "bridge":
        mounts.append(hosts_mount(options, tree, mtime))
    for place in places:
        if place == MACHINE_ID and options.init == "systemd":
            continue  # a file, which is there
        if not place.startswith(("/dev/", "/sys/", "/proc/")):  # what lies there belongs to other mounts
            tree.ensure_directory(place.encode(), mtime=mtime)
    check_hidden(replace(options, tmpfs=own), tree, mounts, notes)
    if not any(working == place or working.startswith(place + "/") for place in places):
        tree.ensure_directory(working.encode(), mtime=mtime)
    kept = sorted(capabilities)
    ambient = kept if user.uid != 0 else []
    config: dict[str, Any] = {
        "ociVersion": defaults.OCI_VERSION,
        "hostname": options.hostname or options.name,
        "root": {"path": "rootfs", "readonly": True},
        "mounts": mounts,
        "process": {
            "terminal": False,
            "user": {"uid": user.uid, "gid": user.gid, "umask": 0o022, "additionalGids": list(user.groups)},
            "args": list(arguments),
            "env": [f"{name}={value}" for name, value in environment.items()],
            "cwd": working,
            # A process that is not root loses what it holds at execve(2) unless it is ambient, and ambient needs
            # inheritable; for root both stay empty, so that nothing survives a change of user.
            "capabilities": {
                "bounding": kept,
                "effective": kept,
                "permitted": kept,
                "inheritable": ambient,
                "ambient": ambient,
            },
            "noNewPrivileges": options.no_new_privileges,
            "rlimits": _rlimits(options),
        },
        "linux": {
            "namespaces": _namespaces(options),
            "cgroupsPath": f"/pycontainer/{options.name}",
            "resources": _resources(options),
            "maskedPaths": list(defaults.MASKED_PATHS),
            "readonlyPaths": list(defaults.READONLY_PATHS),
            "rootfsPropagation": "private",
        },
    }
    if annotations := annotations_of(image.labels, notes) | dict(options.labels):
        config["annotations"] = annotations
    if options.sysctls:
        config["linux"]["sysctl"] = dict(options.sysctls)
    owners = [number for volume in volumes for number in (volume.uid or 0, volume.gid or 0)]
    owners += [number for each in options.tmpfs for number in (each.uid, each.gid)]
    own_users = add_users(config, options, tree, [user.uid, user.gid, *user.groups, *owners])
    if apparmor:
        config["process"]["apparmorProfile"] = apparmor
    if options.devices:
        config["linux"]["devices"] = [
            {
                "path": d.path,
                "type": d.kind,
                "major": d.major,
                "minor": d.minor,
                "fileMode": d.mode,
                "uid": d.uid,
                "gid": d.gid,
            }
            for d in sorted(options.devices, key=lambda d: d.path)
        ]
    if options.seccomp == "default":
        config["linux"]["seccomp"] = seccomp_section(
            profile, architecture=architecture, capabilities=capabilities, kernel=kernel
        )
    stop = options.stop_signal if options.stop_signal is not None else image.stop_signal
    return RunConfig(
        data=canonical_json(config),
        config=config,
        stop_signal=signal_number(stop) if stop != "" else SIGTERM,
        volumes=volumes,
        health=image.health,
        ports=image.ports,
        user=user,
        own_users=own_users,
        notes=tuple(notes),
    )


def _namespaces(options: RunOptions) -> list[dict[str, str]]:
    """Return the namespaces; without one for the network the container is in the device's."""
    found = [{"type": name} for name in ("pid", "mount", "ipc", "uts", "cgroup")]
    if options.network == "none":
        found.append({"type": "network"})
    elif options.network == "bridge":
        found.append({"type": "network", "path": f"{defaults.NETWORK_ROOT}/{options.name}"})
    return found


def _environment(image: ImageConfig, options: RunOptions, user: User) -> dict[str, str]:
    found = {"PATH": defaults.PATH, **dict(image.environment), **dict(options.environment)}
    if user.home:
        found.setdefault("HOME", user.home)
    for name, value in found.items():
        if not name or "=" in name or "\0" in name + value:
            raise ConfigError(f"{name!r} is no name of an environment variable")
    return dict(sorted(found.items()))


def check_options(options: RunOptions) -> None:
    """Refuse, before anything is built, what no image could make right; raises ConfigError."""
    _capabilities(options)
    _rlimits(options)
    if options.stop_signal is not None:
        signal_number(options.stop_signal)


def _capabilities(options: RunOptions) -> frozenset[str]:
    found = frozenset("CAP_" + name.upper().removeprefix("CAP_") for name in options.capabilities)
    for name in sorted(found.difference(defaults.CAPABILITIES)):
        raise ConfigError(f"there is no capability {name}", "Linux does not know it", "see capabilities(7)")
    return found


def _rlimits(options: RunOptions) -> list[dict[str, Any]]:
    limits = {"RLIMIT_NOFILE": (1024, 65536), "RLIMIT_CORE": (0, 0)}
    for item in options.rlimits:
        name = "RLIMIT_" + item.name.upper().removeprefix("RLIMIT_")
        if name not in defaults.RLIMITS:
            raise ConfigError(f"there is no resource limit {item.name}", "", "see setrlimit(2)")
        if not 0 <= item.soft <= item.hard < 2**64:
            raise ConfigError(f"the limit {name} is not possible", f"soft {item.soft}, hard {item.hard}")
        limits[name] = (item.soft, item.hard)
    return [{"type": name, "soft": soft, "hard": hard} for name, (soft, hard) in sorted(limits.items())]


def _resources(options: RunOptions) -> dict[str, Any]:
    rules = defaults.device_rules()
    for device in sorted(options.devices, key=lambda device: device.path):
        if not posixpath.normpath(device.path).startswith("/dev/") or not set(device.access) <= set("rwm"):
            raise ConfigError(f"the device {device.path!r} is not possible", "it must lie in /dev, access of r, w, m")
        rules.append(
            {"allow": True, "type": device.kind, "major": device.major, "minor": device.minor, "access": device.access}
        )
    found: dict[str, Any] = {"devices": rules, "pids": {"limit": options.processes}}
    if options.processes < 1:
        raise ConfigError("a container needs at least one process", f"processes is {options.processes}")
    if options.memory is not None:
        if options.memory < 1024 * 1024:
            raise ConfigError("the memory limit is too small", f"{options.memory} bytes; the least is 1 MiB")
        found["memory"] = {"limit": options.memory}
    if options.cpus is not None:
        quota = round(options.cpus * _CPU_PERIOD)
        if not 1000 <= quota <= 1024 * _CPU_PERIOD:
            raise ConfigError("the CPU limit is not possible", f"cpus is {options.cpus}; from 0.01 to 1024")
        found["cpu"] = {"quota": quota, "period": _CPU_PERIOD}
    return found
