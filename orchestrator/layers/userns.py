# SPDX-License-Identifier: MIT
"""User namespaces: which containers have users of their own, and which numbers these have on the device.

User 0 of a container is nobody on the device, and nobody in another container. Its files keep the owners that they have
in the image and on disk: the device mounts them with the owners mapped. user_namespaces(7), mount_setattr(2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from orchestrator.errors import ConfigError
from orchestrator.layers.options import RunOptions
from orchestrator.layers.tree import Tree

SIZE = 65536
"""How many users and groups a container has: all that systems give out by themselves are below."""

_RANGES = 65000
_FIRST = 16

# What works on the container's own files, processes and users, and so within a namespace of users as well.
_OWN = frozenset(
    {
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETFCAP", "SETGID", "SETPCAP",
        "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
# Those over a network that belongs to the same namespace.
_NETWORK = frozenset({"NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW"})


def bases(names: Iterable[str]) -> dict[str, int]:
    """Return the device's number of each layer's user 0: by its name, so that it stays when others come and go."""
    found: dict[str, int] = {}
    for name in sorted(names):
        place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % _RANGES
        while (base := (_FIRST + place) * SIZE) in found.values():
            place = (place + 1) % _RANGES
        found[name] = base
    return found


def why_shared(options: RunOptions) -> str | None:
    """Return why a container cannot have users of its own, or None when it has them."""
    if options.users == "host":
        return "the product file says so"
    if options.lxc_template is not None:
        return "what users it has is the word of its own LXC template"
    if options.init is not None:
        return f"{options.init}, its own init, makes control groups, which belong to the device's users"
    if options.devices:
        return "the devices that it uses belong to the device's users"
    if options.control:
        return "the control socket knows the device's users"
    if options.sysctls:
        return "the kernel settings that it asks for are those of the device's users"
    kept = {name.upper().removeprefix("CAP_") for name in options.capabilities}
    allowed = _OWN | _NETWORK if options.network == "none" else _OWN
    if beyond := sorted(kept - allowed):
        needless = ", and the bridge needs it for no port" if beyond == ["NET_BIND_SERVICE"] else ""
        return f"{beyond[0]} would be without effect{needless if options.network == 'bridge' else ''}"
    return None


def mapping(options: RunOptions) -> list[dict[str, int]]:
    """Return `uidMappings` and `gidMappings` of the runtime configuration; empty without users of its own."""
    if not options.user_base or why_shared(options) is not None:
        return []
    return [{"containerID": 0, "hostID": options.user_base, "size": SIZE}]


def add_users(config: dict[str, Any], options: RunOptions, tree: Tree, numbers: Iterable[int]) -> bool:
    """Give a runtime configuration its user namespace; returns whether it has one.

    `numbers` are the users and groups of its process. Raises ConfigError when the image knows others than there are.
    """
    found = mapping(options)
    if not found:
        return False
    highest = max([*numbers, *(max(node.uid, node.gid) for _, node in tree.walk())])
    if highest >= SIZE:
        raise ConfigError(
            f"the layer {options.name} has the user or group {highest}",
            f"a container with users of its own has those below {SIZE}",
            "give files and process other owners, or relax it: userNamespace: host",
        )
    config["linux"]["namespaces"].append({"type": "user"})
    config["linux"]["uidMappings"] = config["linux"]["gidMappings"] = found
    return True
