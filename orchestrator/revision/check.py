# SPDX-License-Identifier: MIT
"""What the types of a revision's configuration cannot say: roles, references, order, and what excludes each other."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from orchestrator.deploy import Kind
from orchestrator.errors import PyContainerError
from orchestrator.revision.parts import ContainerLayer, Health

if TYPE_CHECKING:
    from orchestrator.revision.model import RevisionConfig

Refuse = Callable[[str, str], None]

ROLES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "bootloader": (frozenset({"efi"}), frozenset({"board", "sbom"})),
    "bsp": (frozenset({"kernel"}), frozenset({"modules", "firmware", "dtb", "sbom"})),
    "host": (frozenset({"initramfs", "boot-env"}), frozenset({"sbom"})),
    "rootfs": (frozenset({"rootfs", "run-config"}), frozenset({"policy", "sbom"})),
    "app": (frozenset({"rootfs", "run-config"}), frozenset({"policy", "sbom"})),
}
"""For each kind of layer the blob roles that it must have, and those that it may have."""


def check_config(config: RevisionConfig, error: type[PyContainerError]) -> None:
    """Raise `error` for a configuration that makes no sense as a whole."""

    def refuse(layer: str, why: str) -> None:
        raise error(f"layer {layer!r} of the revision is wrong", why)

    try:
        datetime.strptime(config.created, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError as problem:
        raise error("the revision's creation time is no date", config.created) from problem
    names: set[str] = set()
    for layer in config.layers:
        if layer.name in names:
            refuse(layer.name, "two layers have this name")
        names.add(layer.name)
        required, optional = ROLES[layer.kind]
        if lacking := sorted(required - set(layer.blobs)):
            refuse(layer.name, f"a {layer.kind} layer needs the blob {lacking[0]}")
        if layer.blobs.get("sbom", layer.spdx) != layer.spdx:
            refuse(layer.name, "the document that the device has is not the one that the revision names")
        if extra := sorted(set(layer.blobs) - required - optional):
            refuse(layer.name, f"a {layer.kind} layer has no blob {extra[0]}")
    kinds: tuple[Kind, ...] = ("bootloader", "bsp", "host")
    for kind in kinds:
        count = sum(layer.kind == kind for layer in config.layers)
        if count != 1:
            raise error(f"a revision has exactly one {kind} layer", f"this one has {count}")
    started: set[str] = set()
    for container in config.containers():
        for name in (*container.after, *container.after_end):
            if name not in started:
                refuse(container.name, f"it starts after {name!r}, which is not a container that starts before it")
        started.add(container.name)
        _check_container(container, refuse)
    _check_ports(config, refuse)
    _check_users(config, refuse)
    _check_conditions(config, error)


def _check_container(layer: ContainerLayer, refuse: Refuse) -> None:
    volumes = [volume.name for volume in layer.volumes]
    if len(set(volumes)) != len(volumes):
        refuse(layer.name, "two volumes have one name")
    destinations = [volume.destination for volume in layer.volumes]
    if len(set(destinations)) != len(destinations):
        refuse(layer.name, "two volumes have one destination")
    for path in destinations:
        if path == "/" or re.search(r"//|/\.{1,2}(/|\Z)|/\Z", path):
            refuse(layer.name, f"the volume destination {path!r} is not a plain absolute path")
    if layer.health is not None:
        _check_health(layer.name, layer.health, refuse)
    if layer.ports and layer.network != "bridge":
        refuse(layer.name, f"it publishes ports, which needs the network bridge and not {layer.network}")
    if ("policy" in layer.blobs) != (layer.apparmor is not None):
        refuse(layer.name, "it has either a policy or the name of an AppArmor profile, and needs both or none")
    if len(set(layer.control)) != len(layer.control):
        refuse(layer.name, "a verb of the control socket is named twice")


def _check_health(layer: str, health: Health, refuse: Refuse) -> None:
    checks = (health.command, health.tcp, health.http)
    if sum(check is not msgspec.UNSET for check in checks) != 1:
        refuse(layer, "a health check has exactly one of command, tcp and http")
    words = health.command if isinstance(health.command, list) else ["program"]
    if not words[0] or any("\0" in word for word in words):
        refuse(layer, "its health check names no program")


def _check_ports(config: RevisionConfig, refuse: Refuse) -> None:
    owners: dict[tuple[int, str], str] = {}
    for layer in config.containers():
        for port in layer.ports:
            key = (port.host, port.protocol)
            if key in owners:
                also = "twice" if owners[key] == layer.name else f"and {owners[key]} does so already"
                refuse(layer.name, f"it publishes the port {port.host}/{port.protocol} of the device, {also}")
            owners[key] = layer.name


def _check_users(config: RevisionConfig, refuse: Refuse) -> None:
    ranges = sorted(
        (layer.user_namespace.host_id, layer.user_namespace.host_id + layer.user_namespace.size, layer.name)
        for layer in config.containers()
        if layer.user_namespace is not None
    )
    for position, (start, end, name) in enumerate(ranges):
        if end > 2**32 - 1:
            refuse(name, "its users reach beyond the numbers that there are")
        if position and start < ranges[position - 1][1]:
            refuse(name, f"its users are those of {ranges[position - 1][2]} as well")


def _check_conditions(config: RevisionConfig, error: type[PyContainerError]) -> None:
    volumes = {(layer.name, volume.name) for layer in config.containers() for volume in layer.volumes}
    for file in config.confirm.files:
        if (file.layer, file.volume) not in volumes:
            raise error("a condition of the revision is wrong", f"there is no volume {file.volume} of {file.layer}")
        if any(part in ("", ".", "..") for part in file.path.split("/")) or len(file.path.encode()) > 1023:
            raise error("a condition of the revision is wrong", f"{file.path[:80]!r} is no plain path below a volume")
    for place in config.confirm.reachable:
        try:
            ipaddress.ip_address(place.address)
        except ValueError as problem:
            raise error("a condition of the revision is wrong", str(problem)) from problem
        if "%" in place.address:
            raise error("a condition of the revision is wrong", f"{place.address!r} names an interface")
