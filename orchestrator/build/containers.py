# SPDX-License-Identifier: MIT
"""What the product file says of a container, in the words of the layer that is built and of the revision."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from orchestrator.errors import BuildError
from orchestrator.layers.cache import BuiltLayer
from orchestrator.layers.imageconfig import Health as ImageHealth
from orchestrator.layers.options import DeviceNode, FileMapping, RunOptions, Tmpfs, Volume
from orchestrator.product.confinement import Device, PublishedPort
from orchestrator.product.model import Layer
from orchestrator.product.units import parse_duration, parse_size
from orchestrator.revision import Confirm, ContainerLayer, Health, HttpCheck, Io, Logs, Restart, Stop
from orchestrator.revision import PublishedPort as RevisionPort
from orchestrator.revision import Volume as RevisionVolume


def run_options(name: str, layer: Layer, root: Path) -> RunOptions:
    """Return what the product file says of running a layer, in the words of `orchestrator.layers`."""
    reasons: dict[str, str] = {}
    capabilities: list[str] = []
    control: list[str] = []
    devices: list[DeviceNode] = []
    network: Literal["none", "host", "bridge"] = "bridge" if layer.bridged else "none"
    seccomp: Literal["default", "unconfined"] = "default"
    if layer.bridged:
        reasons["network"] = "network: bridge, or ports, in the product file"
        reasons["ports"] = "a published port"
    for relaxation in layer.relax:
        capabilities += relaxation.capabilities
        control += [verb for verb in relaxation.control if verb not in control]
        devices += [_device(each) for each in relaxation.devices]
        network = relaxation.network or network
        seccomp = relaxation.seccomp or seccomp
        for key in ("capabilities", "network", "seccomp", "control"):
            if getattr(relaxation, key):
                reasons[key] = "; ".join(filter(None, [reasons.get(key, ""), relaxation.reason]))
        reasons |= {each.path: relaxation.reason for each in relaxation.devices}
    return RunOptions(
        name=name,
        entrypoint=None if layer.entrypoint is None else tuple(layer.entrypoint),
        command=None if layer.command is None else tuple(layer.command),
        environment=layer.environment,
        working_directory=layer.working_directory,
        user=layer.user,
        hostname=layer.hostname,
        network=network,
        ports=tuple(_shown(port) for port in layer.published),
        control=tuple(control),
        capabilities=tuple(f"CAP_{word.removeprefix('CAP_')}" for word in capabilities),
        seccomp=seccomp,
        volumes=tuple(
            Volume(each.name, each.destination, each.kind, int(each.mode, 8), each.uid, each.gid)
            for each in layer.volumes
        ),
        tmpfs=tuple(Tmpfs(path) for path in layer.tmpfs),
        devices=tuple(devices),
        memory=layer.memory_bytes,
        cpus=layer.cpus,
        processes=layer.pids,
        files=tuple(FileMapping(root / each.source, each.destination, each.uid, each.gid) for each in layer.files),
        init=None if layer.init == "none" else layer.init,
        runtime=layer.runtime,
        lxc_template=None if layer.lxc_template is None else root / layer.lxc_template,
        reasons=reasons,
    )


def _device(device: Device) -> DeviceNode:
    return DeviceNode(
        device.path, device.kind, device.major, device.minor, device.access, int(device.mode, 8), device.uid, device.gid
    )


def _shown(port: PublishedPort) -> str:
    return f"{port.on_host} to its port {port.container}"


def reachable_ports(layer: Layer, built: BuiltLayer) -> tuple[str, ...]:
    """Return the device's ports that reach a container: those it publishes when it is bridged, else its image's."""
    if layer.bridged:
        return tuple(port.on_host for port in layer.published)
    return built.run.ports if built.run else ()


def container_layer(
    options: RunOptions, layer: Layer, version: str, built: BuiltLayer, spdx: str, group: int
) -> ContainerLayer:
    """Return a container's entry in the revision's config."""
    name = options.name
    run = built.run
    if run is None:
        raise BuildError(f"layer {name} was built without its run configuration")
    return ContainerLayer(
        name=name,
        kind=layer.kind,
        version=version,
        blobs={role: blob.digest for role, blob in built.blobs.items()},
        spdx=spdx,
        runtime=layer.runtime,
        start_group=group,
        after=sorted(layer.after),
        restart=Restart(
            policy=layer.restart.policy,
            max_retries=layer.restart.max_retries,
            initial_delay_ms=parse_duration(layer.restart.initial_delay),
            max_delay_ms=parse_duration(layer.restart.max_delay),
            reset_after_ms=parse_duration(layer.restart.reset_after),
        ),
        stop=Stop(signal=run.stop_signal, timeout_ms=parse_duration(layer.stop_timeout)),
        logs=Logs(max_bytes=parse_size(layer.logs.max_size), files=layer.logs.files),
        volumes=[
            RevisionVolume(
                name=each.name,
                kind=each.kind,
                destination=each.destination,
                mode=f"{0o755 if each.mode is None else each.mode:04o}",
                uid=each.uid or 0,
                gid=each.gid or 0,
            )
            for each in run.volumes
        ],
        health=_health(layer, run.health),
        confirm=Confirm(
            healthy_for_ms=parse_duration(layer.confirm.healthy_for), max_restarts=layer.confirm.max_restarts
        ),
        required=layer.required,
        machine_id=layer.init == "systemd",
        network=options.network,
        ports=[
            RevisionPort(host=each.host, container=each.container, protocol=each.protocol) for each in layer.published
        ],
        io=None
        if layer.io is None
        else Io(
            read_bytes_per_second=parse_size(layer.io.read or "0"),
            write_bytes_per_second=parse_size(layer.io.write or "0"),
        ),
        control=sorted(options.control),
    )


def _health(layer: Layer, of_image: ImageHealth | None) -> Health | None:
    """Return the product's check, else the image's; none when the product says none."""
    own = layer.health
    if own == "none":
        return None
    if own is None:
        return (
            None
            if of_image is None
            else Health(
                command=list(of_image.command),
                start_period_ms=of_image.start_period,
                interval_ms=of_image.interval,
                timeout_ms=of_image.timeout,
                retries=of_image.retries,
            )
        )
    check: dict[str, Any] = {}
    if own.command is not None:
        check["command"] = own.command
    if own.tcp is not None:
        check["tcp"] = own.tcp
    if own.http is not None:
        check["http"] = HttpCheck(port=own.http.port, path=own.http.path)
    return Health(
        **check,
        start_period_ms=parse_duration(own.start_period),
        interval_ms=parse_duration(own.interval),
        timeout_ms=parse_duration(own.timeout),
        retries=own.retries,
    )
