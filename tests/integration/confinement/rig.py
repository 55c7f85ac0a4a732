# SPDX-License-Identifier: MIT
"""One boot with a list of probes in several containers, each confined in its own way.

The probes (probe.c) try what confinement forbids. The configurations are those that the orchestrator makes for
`RunOptions`; `bare` takes one apart again, so that the same probes succeed and are seen to probe something.
"""

from __future__ import annotations

import copy
import json
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.build.imaging import tools_of
from orchestrator.canonical import canonical_json
from orchestrator.deploy import Deploy
from orchestrator.layers import defaults
from orchestrator.layers.build import Surroundings, build_layer
from orchestrator.layers.cache import LayerCache
from orchestrator.layers.inputs import LayerSource, TarSource
from orchestrator.layers.options import FileMapping, RunOptions, Tmpfs, Volume
from orchestrator.layers.userns import SIZE, bases
from tests.integration.device.rig import Container, Revision, boot, read_back

HERE = Path(__file__).parent
OTHER_USER = 4242

CAPABLE = {
    # VFS_CAP_REVISION_2 with the effective bit; CAP_DAC_OVERRIDE is permitted (linux/capability.h).
    "security.capability": bytes.fromhex("0100000202000000000000000000000000000000"),
    "user.note": b"kept",
}
"""The extended attributes of the probes' program /capable."""

Config = dict[str, Any]


def compile_probe(folder: Path) -> Path:
    """Compile the probes, statically, and return the program."""
    program = folder / "probe"
    sources = sorted(HERE.glob("probe*.c"))
    argv = ["gcc", "-std=c11", "-Os", "-static", "-Wall", "-Wextra", "-Werror", "-o", program, *sources]
    subprocess.run(argv, check=True)
    return program


def surroundings(folder: Path, cache: Path) -> Surroundings:
    """Return what the layers of probes are built with, of a deploy folder."""
    deploy = Deploy(folder)
    tools = deploy.manifest.tools
    assert tools is not None
    return Surroundings(
        tools=tools_of(deploy),
        cache=LayerCache(cache),
        architecture=deploy.manifest.architecture,
        source_date_epoch=deploy.manifest.source_date_epoch,
        seccomp_profile=deploy.resolve(tools.path) / "share/containers/seccomp.json",
        tools_digest=tools.digest,
    )


def probe_options(name: str, **more: Any) -> RunOptions:
    """Return how a container of probes runs when a product relaxes nothing; its limits are small."""
    given: dict[str, Any] = {
        "name": name,
        "command": ("/probe",),
        "memory": 32 * 2**20,
        "cpus": 0.3,
        "processes": 50,
        "user_base": bases([name])[name],
        "tmpfs": (Tmpfs("/tmp"),),
        "volumes": (
            Volume("data", "/data", mode=0o700),
            Volume("other", "/other", kind="boot", mode=0o700, uid=OTHER_USER, gid=OTHER_USER),
        ),
    }
    return RunOptions(**(given | more))


def bare(config: Config) -> Config:
    """Return a configuration without any confinement but the mount namespace: what no product file can ask for."""
    config = copy.deepcopy(config)
    linux, process = config["linux"], config["process"]
    process["noNewPrivileges"] = False
    process["capabilities"] = {kind: sorted(defaults.CAPABILITIES) for kind in ("bounding", "effective", "permitted")}
    process["rlimits"] = []
    process.pop("apparmorProfile", None)
    config.pop("hostname", None)
    config["root"]["readonly"] = False
    linux["namespaces"] = [{"type": "mount"}]
    for key in ("uidMappings", "gidMappings"):
        linux.pop(key, None)
    linux["resources"] = {"devices": [{"allow": True, "access": "rwm"}]}
    for key in ("seccomp", "maskedPaths", "readonlyPaths"):
        linux.pop(key, None)
    for mount in config["mounts"]:
        mount["options"] = [word for word in mount["options"] if word not in ("ro", "noexec")]
        if mount["source"].startswith(defaults.VOLUME_ROOT):
            # A bind keeps what its source has, unless it is mounted again with something else.
            kept = [word for word in mount["options"] if word not in ("nosuid", "nodev")]
            mount["options"] = [*kept, "suid", "dev", "noatime"]
        if mount["destination"] == "/sys":
            # Of an own mount the network's owner decides, and the host's control groups come with the bind.
            mount.update(type="bind", source="/sys", options=["rbind", "rw"])
    config["mounts"] = [mount for mount in config["mounts"] if mount["destination"] != "/sys/fs/cgroup"]
    return config


def policed(config: Config) -> Config:
    """Return a configuration in which nothing but the AppArmor profile confines."""
    alone = bare(config)
    alone["process"]["apparmorProfile"] = config["process"]["apparmorProfile"]
    return alone


@dataclass
class ProbeContainer(Container):
    """A container whose configuration is made from options, and changed by `change` where a test needs it.

    `end` is how the console says that it has come to its end.
    """

    script: str = ""
    options: RunOptions = field(default_factory=lambda: RunOptions(name=""))
    change: Callable[[Config], Config] = lambda config: config
    end: str = "exited with status 0, done"

    def __post_init__(self) -> None:
        self.options = self.options if self.options.name else probe_options(self.name)
        self.logs = {"maxBytes": 1 << 16, "files": 2}
        self.restart = {"policy": "no"}


@dataclass
class ProbeRevision(Revision):
    """A revision of probe containers; `around` is what their layers are built with."""

    around: Surroundings | None = None
    probe: Path = Path()

    def source(self) -> LayerSource:
        """The image of all: one program, which has a capability in its file."""
        image = self.folder / "image.tar"
        if not image.exists():
            entry = tarfile.TarInfo("capable")
            entry.mode, entry.size = 0o755, self.probe.stat().st_size
            entry.pax_headers = {f"SCHILY.xattr.{name}": value.decode() for name, value in CAPABLE.items()}
            with tarfile.open(image, "w", format=tarfile.PAX_FORMAT) as archive, self.probe.open("rb") as program:
                archive.addfile(entry, program)
        return TarSource(image)

    def parts(self, container: Container) -> dict[str, bytes]:
        assert isinstance(container, ProbeContainer) and self.around is not None
        files = (FileMapping(self.probe, "/probe"), FileMapping(self.probe, "/gain", mode=0o4755))
        options = RunOptions(**{**vars(container.options), "files": files})
        built = build_layer(self.source(), options, self.around)
        parts = {role: blob.path.read_bytes() for role, blob in built.blobs.items()}
        container.volumes = [
            {"name": each.name, "kind": each.kind, "destination": each.destination,
             "mode": f"{each.mode or 0o755:04o}", "uid": each.uid or 0, "gid": each.gid or 0}
            for each in (built.run.volumes if built.run else ())
        ]  # fmt: skip
        if container.options.runtime == "lxc":
            assert built.run is not None
            container.entry |= {"runtime": "lxc", "apparmor": built.run.apparmor}
            if built.run.user_base:
                container.entry["userNamespace"] = {"hostId": built.run.user_base, "size": SIZE}
            return parts
        config = container.change(json.loads(parts["run-config"]))
        if "apparmorProfile" in config["process"]:
            container.entry["apparmor"] = config["process"]["apparmorProfile"]
        else:
            parts.pop("policy", None)
        if mapped := config["linux"].get("uidMappings"):
            container.entry["userNamespace"] = {"hostId": mapped[0]["hostID"], "size": mapped[0]["size"]}
        return parts | {"run-config": canonical_json(config)}


@dataclass(frozen=True)
class Findings:
    """What the probes of one container said: results by probe, facts by name."""

    results: dict[str, str]
    facts: dict[str, str]


def findings(log: str) -> Findings:
    """Read a container's log; lines that are no probe's are passed over."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith('{"')]
    return Findings(
        {line["probe"]: line["result"] for line in lines if "probe" in line},
        {line["fact"]: line["value"] for line in lines if "fact" in line},
    )


def run_probes(revision: ProbeRevision) -> tuple[dict[str, Findings], str]:
    """Boot the revision until all containers but a neighbour have probed; return their findings and the console.

    Its disk is storage.img in its folder afterwards.
    """
    revision.build()
    storage = revision.storage_image()
    # What takes much memory unconfined must find it, whatever its neighbours do at that moment.
    with boot(revision, storage, memory_mib=512) as machine:
        for container in revision.containers:
            assert isinstance(container, ProbeContainer)
            if container.name != "neighbour":
                machine.expect(f"container {container.name}: {container.end}", timeout=120)
        machine.press_power_button(0.1)
        console = machine.wait()
    logs = {each.name: read_back(storage, f"/logs/{each.name}.log") for each in revision.containers}
    return {name: findings(log) for name, log in logs.items()}, console
