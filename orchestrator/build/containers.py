# SPDX-License-Identifier: MIT
"""What the product file says of a container, in the words of the layer that is built and of the revision."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from orchestrator.build.images import RegistryImages
from orchestrator.build.observing import observed
from orchestrator.errors import BuildError, ConfigError
from orchestrator.layers import userns
from orchestrator.layers.archive import ArchiveSource
from orchestrator.layers.cache import BuiltLayer
from orchestrator.layers.image import ImageSource, layout_source
from orchestrator.layers.imageconfig import Health as ImageHealth
from orchestrator.layers.options import DeviceNode, FileMapping, Rlimit, RunOptions, Tmpfs, Volume
from orchestrator.oci.platform import Platform, parse_platform
from orchestrator.product.confinement import Device, PublishedPort
from orchestrator.product.model import Files, Layer, Product
from orchestrator.product.model import Volume as ProductVolume
from orchestrator.product.process import Ulimit
from orchestrator.product.reference import ImageReference
from orchestrator.product.units import parse_duration, parse_size
from orchestrator.revision import Confirm, ContainerLayer, Health, HttpCheck, Io, Logs, Restart, Stop, UserNamespace
from orchestrator.revision import PublishedPort as RevisionPort
from orchestrator.revision import Volume as RevisionVolume


def run_options(name: str, layer: Layer, root: Path, user_base: int = 0) -> RunOptions:
    """Return what the product file says of running a layer, in the words of `orchestrator.layers`.

    `user_base` is the device's number of the container's user 0, should it have users of its own.
    """
    reasons: dict[str, str] = {}
    capabilities: list[str] = []
    control: list[str] = []
    devices: list[DeviceNode] = []
    network: Literal["none", "host", "bridge"] = "bridge" if layer.bridged else "none"
    seccomp: Literal["default", "unconfined"] = "default"
    apparmor: Literal["default", "unconfined"] = "default"
    users: Literal["own", "host"] = "own"
    new_privileges = False
    if layer.bridged:
        reasons["network"] = "network: bridge, or ports, in the product file"
        reasons["ports"] = "a published port"
    for relaxation in layer.relax:
        capabilities += relaxation.capabilities
        control += [verb for verb in relaxation.control if verb not in control]
        devices += [_device(each) for each in relaxation.devices]
        network = relaxation.network or network
        seccomp = relaxation.seccomp or seccomp
        apparmor = relaxation.apparmor or apparmor
        users = relaxation.user_namespace or users
        new_privileges = new_privileges or relaxation.new_privileges is not None
        for key in ("capabilities", "network", "seccomp", "apparmor", "new_privileges", "control"):
            if getattr(relaxation, key):
                reasons[key] = "; ".join(filter(None, [reasons.get(key, ""), relaxation.reason]))
        if relaxation.user_namespace:
            reasons["users"] = relaxation.reason
        reasons |= {each.path: relaxation.reason for each in relaxation.devices}
    return RunOptions(
        name=name,
        entrypoint=None if layer.entrypoint is None else tuple(layer.entrypoint),
        command=None if layer.command is None else tuple(layer.command),
        environment=layer.environment,
        working_directory=layer.working_directory,
        user=layer.user,
        groups=tuple(layer.groups),
        stop_signal=layer.stop_signal,
        hostname=layer.hostname,
        network=network,
        ports=tuple(_shown(port) for port in layer.published),
        control=tuple(control),
        capabilities=tuple(f"CAP_{word.removeprefix('CAP_')}" for word in capabilities),
        seccomp=seccomp,
        apparmor=apparmor,
        users=users,
        user_base=user_base,
        apparmor_profile=None if layer.apparmor is None else root / layer.apparmor,
        no_new_privileges=not new_privileges,
        volumes=tuple(_volume(each) for each in layer.volumes),
        tmpfs=tuple(
            Tmpfs(each.destination, parse_size(each.size), int(each.mode, 8), each.uid, each.gid)
            for each in layer.in_memory
        ),
        shared_memory=parse_size(layer.shm_size),
        rlimits=tuple(_rlimit(word, limit) for word, limit in sorted(layer.ulimits.items())),
        sysctls=layer.sysctls,
        labels=layer.labels,
        devices=tuple(devices),
        memory=layer.memory_bytes,
        cpus=layer.cpus,
        processes=layer.pids,
        files=tuple(_file(root, each) for each in layer.files),
        init=None if layer.init == "none" else layer.init,
        runtime=layer.runtime,
        lxc_template=None if layer.lxc_template is None else root / layer.lxc_template,
        reasons=reasons,
    )


RUNS = {"amd64": ("amd64", "386"), "arm64": ("arm64", "arm")}
"""The architectures whose programs a machine's kernel runs: its own, and the 32-bit one before it."""


def check_platform(name: str, layer: Layer, architecture: str) -> None:
    """Refuse a platform of an image that a machine of this architecture does not run; raises ConfigError."""
    if layer.source.platform is None:
        return
    platform = parse_platform(layer.source.platform)
    known = RUNS.get(architecture, (architecture,))
    if platform.os != "linux" or platform.architecture not in known:
        raise ConfigError(
            f"layer {name}: the machine does not run {platform}",
            f"it runs {' and '.join(f'linux/{each}' for each in known)}",
            "correct 'platform' of the layer, or leave it out",
        )


def image_source(
    reference: ImageReference, platform: Platform, root: Path, registry: RegistryImages | None = None
) -> ImageSource | ArchiveSource:
    """Return the image that a reference means: files beside the product file in `root`, or what `registry` pulls
    (without it images of registries are refused).

    Raises ConfigError when it is not there, or more than one is; VerificationError for what is malformed; FetchError
    when a registry does not give it.
    """
    shown = str(reference)
    if reference.transport == "docker":
        if registry is None:
            raise ConfigError(f"the image {shown} is in a registry", "only files are read here")
        return registry.source(reference, platform)
    path = root / reference.place
    if not path.exists():
        raise ConfigError(
            f"the image {shown} is not there",
            f"there is no {path}",
            "correct 'image' of the layer, relative to the product file",
        )
    if reference.transport == "oci":
        return layout_source(path, reference.tag, reference.digest, platform, shown)
    form: Literal["oci", "docker"] = "oci" if reference.transport == "oci-archive" else "docker"
    return ArchiveSource(path, form, reference.tag, platform, shown)


def _device(device: Device) -> DeviceNode:
    return DeviceNode(
        device.path, device.kind, device.major, device.minor, device.access, int(device.mode, 8), device.uid, device.gid
    )


def _volume(volume: ProductVolume) -> Volume:
    mode = None if volume.mode is None else int(volume.mode, 8)
    return Volume(
        volume.name, volume.destination, volume.kind, mode, volume.uid, volume.gid, read_only=volume.read_only
    )


def _rlimit(name: str, limit: int | Ulimit) -> Rlimit:
    return Rlimit(name, limit, limit) if isinstance(limit, int) else Rlimit(name, limit.soft, limit.hard)


def _file(root: Path, item: Files) -> FileMapping:
    mode = None if item.mode is None else int(item.mode, 8)
    return FileMapping(root / item.source, item.destination, item.uid, item.gid, mode)


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
    health = _health(layer, run.health)
    return ContainerLayer(
        name=name,
        kind=layer.kind,
        version=version,
        blobs={role: blob.digest for role, blob in built.blobs.items()},
        spdx=spdx,
        runtime=layer.runtime,
        start_group=group,
        after=sorted(each.layer for each in layer.predecessors if each.condition != "completed"),
        after_end=sorted(each.layer for each in layer.predecessors if each.condition == "completed"),
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
        health=health,
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
        apparmor=run.apparmor or None,
        observe=observed(name, layer.observe, health),
        user_namespace=UserNamespace(host_id=run.user_base, size=userns.SIZE) if run.user_base else None,
    )


def check_waits(product: Product, checked: Collection[str]) -> None:
    """Refuse to wait for the health of a layer that is not among `checked`: neither product nor image has a check."""
    for name, layer in product.layers.items():
        for each in layer.predecessors:
            if each.condition == "healthy" and each.layer not in checked:
                raise ConfigError(
                    f"the layer {name} waits until {each.layer} is healthy, which nobody can tell",
                    f"neither the product file nor the image of {each.layer} has a health check",
                    f"give {each.layer} a 'health', or write 'after: [{each.layer}]'",
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
