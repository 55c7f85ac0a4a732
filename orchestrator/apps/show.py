# SPDX-License-Identifier: MIT
"""What will run in a layer, value by value, and who says so: the image, a published layer itself, the product file, or
the default."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.apps.inspect import Inspected
from orchestrator.layers.audit import relaxations
from orchestrator.layers.userns import why_shared
from orchestrator.product.layerfile import defaults_of
from orchestrator.product.model import Layer
from orchestrator.product.observation import Peer
from orchestrator.product.supervision import Health

Origin = Literal["image", "layer", "product", "default", "image, layer", "image, product", "layer, product"]


@dataclass(frozen=True)
class Value:
    """One thing that holds for a container: its name, its value in words, and where that comes from."""

    key: str
    text: str
    origin: Origin
    data: Any = None


def values(layer: Layer, found: Inspected) -> list[Value]:
    """Return everything that holds for a container, in the order in which one asks for it."""
    parts = (_published, _program, _watch, _reach, _places, _confinement, _observed, _limits, _life)
    return [value for part in parts for value in part(layer, found)]


def _published(layer: Layer, found: Inspected) -> Iterator[Value]:
    """Where a published layer came from, who signed it, and what it is granted without having asked for it."""
    if found.taken is None:
        return
    config = found.taken.layer.config
    text = f"{config.name} {config.version}, {found.taken.layer.id}"
    by = f" by {config.supplier}" if config.supplier else ""
    yield Value("published", text + by, "product", {"layer": config.name, "manifest": found.taken.layer.id})
    yield Value("signed by", ", ".join(found.taken.keyids), "layer", list(found.taken.keyids))
    for each in found.taken.unused:
        yield Value("not asked for", each, "product", each)


def _program(layer: Layer, found: Inspected) -> Iterator[Value]:
    image, run, process = found.image, found.run, found.run.config["process"]
    if found.options.runtime != "crun":
        yield Value("runtime", found.options.runtime, "product")
    yield Value("command", _shell(process["args"]), _command_origin(layer, found), process["args"])
    for text in process["env"]:
        name, _, content = text.partition("=")
        yield Value("environment", f"{name}={content}", _environment_origin(name, layer, found), text)
    named = layer.user if layer.user is not None else image.user
    groups = f", groups {', '.join(map(str, run.user.groups))}" if run.user.groups else ""
    number = f"{run.user.uid}:{run.user.gid}{groups}"
    who = {"name": named, "uid": run.user.uid, "gid": run.user.gid, "groups": list(run.user.groups)}
    yield Value("user", f"{number} ({named})" if named else number, _either(found, "user", image.user), who)
    place = process["cwd"]
    yield Value("directory", place, _either(found, "working_directory", image.working_directory), place)
    yield Value("host name", run.config["hostname"], _either(found, "hostname"), run.config["hostname"])
    for name, content in run.config.get("annotations", {}).items():
        by = found.says("labels") if name in layer.labels else "image"
        yield Value("label", f"{name}={content}", by, {name: content})


def _watch(layer: Layer, found: Inspected) -> Iterator[Value]:
    number = found.run.stop_signal
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    yield Value("stop signal", f"{name} ({number})", _either(found, "stop_signal", found.image.stop_signal), number)
    own, of_image = layer.health, found.image.health
    if isinstance(own, Health):
        check = _shell(own.command) if own.command else f"port {own.tcp} accepts" if own.tcp else ""
        check = check or f"GET port {own.http.port if own.http else 0}{own.http.path if own.http else ''}"
        data = {"check": check, "interval": own.interval}
        yield Value("health", f"{check}, every {own.interval}", found.says("health"), data)
    elif own == "none":
        yield Value("health", "not asked", found.says("health"))
    elif of_image is not None:
        check = _shell(of_image.command)
        yield Value("health", f"{check}, every {of_image.interval / 1000:g}s", "image", {"check": check})
    else:
        yield Value("health", "not asked: well as long as it runs", "default")


def _reach(layer: Layer, found: Inspected) -> Iterator[Value]:
    network = found.options.network
    words = {"none": "none", "host": "the device's own", "bridge": "an address on the device's bridge"}
    yield Value("network", words[network], "default" if network == "none" else "product", network)
    for port in layer.published:
        text = f"{port.on_host} of the device leads to its {port.container}"
        yield Value("port", text, "product", port._asdict())
    for exposed in found.run.ports:
        yield Value("exposes", exposed, "image", exposed)


def _places(layer: Layer, found: Inspected) -> Iterator[Value]:
    own = {volume.name for volume in layer.volumes}
    kinds = {"permanent": "kept", "revision": "kept for the revision", "boot": "kept until the device restarts"}
    for volume in found.run.volumes:
        owner = f"{volume.uid}:{volume.gid} {volume.mode or 0:04o}"
        text = f"{volume.destination}: {volume.name}, {kinds[volume.kind]}, {owner}{', read-only' * volume.read_only}"
        origin: Origin = found.says("volumes") if volume.name in own else "image"
        yield Value("volume", text, origin, {"name": volume.name, "destination": volume.destination,
                                             "kind": volume.kind, "readOnly": volume.read_only})  # fmt: skip
    tmpfs = {each.destination for each in layer.in_memory}
    places = {volume.destination for volume in found.run.volumes}
    for mount in found.run.config["mounts"]:
        place = str(mount["destination"])
        if place not in places:
            by: Origin = (
                found.says("tmpfs") if place in tmpfs else "image" if place in found.image.volumes else "default"
            )
            yield Value("mount", f"{place}: {mount['type']}, {','.join(mount['options'])}", by, mount)
    for item in layer.files:
        yield Value("file", f"{item.destination}: {item.source}", "product", item.destination)


def _confinement(layer: Layer, found: Inspected) -> Iterator[Value]:
    kept = found.run.config["process"]["capabilities"]["bounding"]
    shown = ", ".join(name.removeprefix("CAP_") for name in kept) or "none"
    yield Value("capabilities", shown, "product" if kept else "default", kept)
    seccomp = "the engines' default profile" if found.options.seccomp == "default" else "unconfined"
    yield Value("seccomp", seccomp, "default" if found.options.seccomp == "default" else "product", seccomp)
    yield _apparmor(layer, found)
    yield _users(found)
    if found.options.no_new_privileges:
        yield Value("privileges", "no new ones (setuid, file capabilities)", "default", True)
    else:
        yield Value("privileges", "new ones by setuid programs and file capabilities", "product", False)
    yield Value("root", "read-only", "default", True)
    for each in relaxations(found.options):
        yield Value("relaxed", f"{each.what}: {each.reason}", "product", {"what": each.what, "reason": each.reason})


def _apparmor(layer: Layer, found: Inspected) -> Value:
    name = found.run.config["process"].get("apparmorProfile")
    if found.options.apparmor == "unconfined":
        return Value("AppArmor", "unconfined", "product")
    if layer.apparmor is not None:
        return Value("AppArmor", f"the profile of {layer.apparmor}", "product", name)
    return Value("AppArmor", "the default profile", "default", name)


def _users(found: Inspected) -> Value:
    own = found.run.config["linux"].get("uidMappings")
    if own:
        first = own[0]["hostID"]
        return Value("users", f"its own: its root is the user {first} of the device", "default", first)
    why = why_shared(found.options)
    return Value("users", f"the device's: {why}", "product")


def _observed(layer: Layer, found: Inspected) -> Iterator[Value]:
    """What of its doings is recorded, and what it is stopped for."""
    if layer.observe is None:
        return
    allow = layer.observe.allow
    peers = [_peer(each) for each in allow.connect]
    kinds = (
        ("exec", "programs", layer.observe.exec, allow.exec),
        ("connect", "connections", layer.observe.connect, peers),
        ("write", "written files", layer.observe.write, allow.write),
    )
    for key, what, watch, declared in kinds:
        if watch == "off":
            continue
        others = f"; {', '.join(declared) or 'none'} declared"
        text = f"{what}, recorded" if watch == "record" else f"{what}, stopped for what is not declared"
        data = {"event": key, "watch": watch, "declared": list(declared)}
        yield Value("observed", text + (others if declared or watch == "stop" else ""), "product", data)


def _peer(peer: Peer) -> str:
    address = "any" if peer.address is None else f"[{peer.address}]" if ":" in peer.address else peer.address
    port = "" if peer.port is None else f":{peer.port}"
    return address + port + ("" if peer.protocol is None else f"/{peer.protocol}")


def _limits(layer: Layer, found: Inspected) -> Iterator[Value]:
    yield Value("memory", layer.memory or "no limit", _either(found, "memory"), layer.memory_bytes)
    yield Value("processors", f"{layer.cpus:g}" if layer.cpus else "no limit", _either(found, "cpus"), layer.cpus)
    yield Value("processes", str(layer.pids), _changed(found, "pids"), layer.pids)
    for limit in found.run.config["process"]["rlimits"]:
        name = limit["type"].removeprefix("RLIMIT_").lower()
        text = f"{name} {limit['soft']}" + (f" to {limit['hard']}" if limit["soft"] != limit["hard"] else "")
        yield Value("limit", text, found.says("ulimits") if name in layer.ulimits else "default", limit)
    if layer.io is not None:
        rates = (("read", layer.io.read), ("write", layer.io.write))
        text = ", ".join(f"{key} {size} a second" for key, size in rates if size)
        yield Value("disk", text, found.says("io"), text)
    for name, content in found.run.config["linux"].get("sysctl", {}).items():
        yield Value("kernel", f"{name}={content}", found.says("sysctls"), {name: content})


def _life(layer: Layer, found: Inspected) -> Iterator[Value]:
    for each in layer.predecessors:
        words = {"up": "is up", "healthy": "is healthy", "completed": "has ended well"}
        yield Value("starts", f"when {each.layer} {words[each.condition]}", "product", each.layer)
    policy = layer.restart.policy
    limit = f", {layer.restart.max_retries} times" if layer.restart.max_retries else ""
    yield Value("restarts", f"{policy}{limit}", _changed(found, "restart"), policy)
    logs = f"{layer.logs.files} files of {layer.logs.max_size}"
    yield Value("logs", logs, _changed(found, "logs"), logs)


def _command_origin(layer: Layer, found: Inspected) -> Origin:
    """Who says a command: an entry point and its arguments may come from two."""
    command = found.says("command")
    if layer.entrypoint is not None:
        entrypoint = found.says("entrypoint")
        return entrypoint if layer.command is None or command == entrypoint else "layer, product"
    if layer.command is None:
        return "image"
    if not found.image.entrypoint:
        return command
    return "image, layer" if command == "layer" else "image, product"


def _environment_origin(name: str, layer: Layer, found: Inspected) -> Origin:
    if name in layer.environment:
        return found.says("environment")
    # HOME is what the image's passwd says of the user.
    return "image" if name in dict(found.image.environment) or name == "HOME" else "default"


def _either(found: Inspected, field: str, image: object = None) -> Origin:
    """Who says a member that is None by default: product file or published layer before the image."""
    if getattr(_layer(found), field) is not None:
        return found.says(field)
    return "image" if image else "default"


def _changed(found: Inspected, field: str) -> Origin:
    """Who says a member that has another default."""
    return "default" if getattr(_layer(found), field) == defaults_of(Layer)[field] else found.says(field)


def _layer(found: Inspected) -> Layer:
    return found.product.layers[found.options.name]


def _shell(words: Any) -> str:
    """A command as one would type it."""
    return shlex.join(words)
