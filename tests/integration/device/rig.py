# SPDX-License-Identifier: MIT
"""A small revision on a storage image, booted by the device program without bootloader and without BitBake.

The environment may name a host that was made by hand:
PYC_DEVICE_KERNEL (bzImage), PYC_DEVICE_HOST (cpio.zst: device program, crun, e2fsck, modules), PYC_DEVICE_MODULES
(SquashFS of the modules layer, optional) and PYC_DEVICE_BUSYBOX (a static busybox for the containers).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from orchestrator.canonical import canonical_json

STORAGE_UUID = "6d1f1a0c-9f2e-4c57-8c5b-1f6a0d3c2b11"
PAYLOAD_TYPE = "application/vnd.pycontainer.revision.signature.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
VERITY_BLOCK = 4096
CONTROL = "org.pycontainer.control"


def fsverity_digest(data: bytes) -> str:
    """Return the fs-verity file digest (Documentation/filesystems/fsverity.rst): SHA-256, 4096-byte blocks, no salt."""

    def hashes(level: bytes) -> bytes:
        blocks = (level[i : i + VERITY_BLOCK] for i in range(0, len(level), VERITY_BLOCK))
        return b"".join(hashlib.sha256(block.ljust(VERITY_BLOCK, b"\0")).digest() for block in blocks)

    level = hashes(data)
    while len(level) > 32:
        level = hashes(level)
    descriptor = bytes([1, 1, 12, 0]) + bytes(4) + len(data).to_bytes(8, "little") + level.ljust(64, b"\0")
    return hashlib.sha256(descriptor.ljust(256, b"\0")).hexdigest()


@dataclass(frozen=True)
class Inputs:
    kernel: Path
    host: Path
    busybox: Path
    modules: Path | None

    @classmethod
    def from_environment(cls) -> Inputs | None:
        """Return the inputs, or None when the environment does not name them."""
        values = {name: os.environ.get(f"PYC_DEVICE_{name}") for name in ("KERNEL", "HOST", "BUSYBOX", "MODULES")}
        if not (values["KERNEL"] and values["HOST"] and values["BUSYBOX"]):
            return None
        modules = Path(values["MODULES"]) if values["MODULES"] else None
        return cls(Path(values["KERNEL"]), Path(values["HOST"]), Path(values["BUSYBOX"]), modules)


@dataclass
class Container:
    """One container of the test revision: what busybox's shell runs in it, and what the config says about it."""

    name: str
    script: str
    group: int = 0
    after: list[str] = field(default_factory=list)
    restart: dict[str, Any] = field(default_factory=dict)
    stop: dict[str, Any] = field(default_factory=dict)
    logs: dict[str, Any] = field(default_factory=dict)
    volumes: list[dict[str, Any]] = field(default_factory=list)
    memory: int = 32 << 20
    program: str = "/bin/sh"
    entry: dict[str, Any] = field(default_factory=dict)


def run_config(container: Container) -> dict[str, Any]:
    """Return a complete OCI runtime configuration in the form that the device expects."""
    mounts: list[dict[str, Any]] = [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev"]},
    ]
    for volume in container.volumes:
        source = f"/run/pycontainer/volumes/{container.name}/{volume['name']}"
        options = ["bind", "rw"]
        mounts.append({"destination": volume["destination"], "type": "bind", "source": source, "options": options})
    namespaces = ["mount", "uts", "ipc", "network", "cgroup", "pid"]
    return {
        "ociVersion": "1.0.2",
        "hostname": container.name,
        "root": {"path": "rootfs", "readonly": True},
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": [container.program, "-c", container.script],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "noNewPrivileges": True,
            "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"]},
        },
        "mounts": mounts,
        "linux": {
            "cgroupsPath": f"/pycontainer/{container.name}",
            "namespaces": [{"type": kind} for kind in namespaces],
            "resources": {"memory": {"limit": container.memory}, "pids": {"limit": 64}},
        },
    }


@dataclass
class Revision:
    """The storage tree of one revision; `more` are further facts of its config."""

    folder: Path
    inputs: Inputs
    containers: list[Container]
    keys: list[Ed25519PrivateKey] = field(default_factory=lambda: [Ed25519PrivateKey.generate()])
    threshold: int = 1
    product: str = "demo"
    machine: str = "qemu-amd64"
    id: str = ""
    descriptors: list[dict[str, Any]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    _rootfs: bytes = b""

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    def blob_path(self, digest: str) -> Path:
        return self.tree / "blobs/sha256" / digest.removeprefix("sha256:")

    def add(self, data: bytes) -> str:
        """Store bytes as a blob and return their digest."""
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        path = self.blob_path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return digest

    def describe(self, layer: str, role: str, data: bytes) -> str:
        digest = self.add(data)
        notes = {
            "vnd.pycontainer.layer": layer,
            "vnd.pycontainer.role": role,
            "vnd.pycontainer.fsverity": "sha256:" + fsverity_digest(data),
        }
        media = f"application/vnd.pycontainer.{role}.v1"
        self.descriptors.append({"mediaType": media, "digest": digest, "size": len(data), "annotations": notes})
        return digest

    def find(self, layer: str, role: str) -> Path:
        for entry in self.descriptors:
            notes = entry["annotations"]
            if (notes["vnd.pycontainer.layer"], notes["vnd.pycontainer.role"]) == (layer, role):
                return self.blob_path(entry["digest"])
        raise KeyError((layer, role))

    def parts(self, container: Container) -> dict[str, bytes]:
        """Return the content of a container's blobs, by role."""
        if not self._rootfs:
            self._rootfs = self.rootfs()
        return {"rootfs": self._rootfs, "run-config": canonical_json(run_config(container))}

    def rootfs(self) -> bytes:
        root = self.folder / "rootfs"
        for name in ("bin", "proc", "dev", "tmp", "data"):
            (root / name).mkdir(parents=True, exist_ok=True)
        target = root / "bin/busybox"
        target.write_bytes(self.inputs.busybox.read_bytes())
        target.chmod(0o755)
        for name in ("sh", "sleep", "echo", "cat", "kill", "dd"):
            link = root / "bin" / name
            if not link.is_symlink():
                link.symlink_to("busybox")
        image = self.folder / "rootfs.squashfs"
        image.unlink(missing_ok=True)
        subprocess.run(["mksquashfs", root, image, "-comp", "zstd", "-quiet", "-no-progress", "-all-root"], check=True)
        return image.read_bytes()

    def build(self) -> None:
        """Write blobs, manifest, config, signature and the revision's links."""
        layers: list[dict[str, Any]] = []
        bsp = {"kernel": self.describe("bsp", "kernel", self.inputs.kernel.read_bytes())}
        if self.inputs.modules:
            bsp["modules"] = self.describe("bsp", "modules", self.inputs.modules.read_bytes())
        layers.append({"name": "bsp", "kind": "bsp", "version": "1", "blobs": bsp})
        for container in self.containers:
            blobs = {role: self.describe(container.name, role, data) for role, data in self.parts(container).items()}
            restart = {"policy": "always", "maxRetries": 0, "initialDelayMs": 300, "maxDelayMs": 2000}
            layers.append(
                {
                    "name": container.name,
                    "kind": "app",
                    "version": "1",
                    "runtime": "crun",
                    "blobs": blobs,
                    "startGroup": container.group,
                    "after": container.after,
                    "restart": {**restart, "resetAfterMs": 60000, **container.restart},
                    "stop": {"signal": 15, "timeoutMs": 3000, **container.stop},
                    "logs": {"maxBytes": 8192, "files": 2, **container.logs},
                    "volumes": container.volumes,
                    "health": None,
                    "confirm": {"healthyForMs": 0},
                    **container.entry,
                }
            )
        config = canonical_json(
            {
                "schemaVersion": 1,
                "product": self.product,
                "version": "1.0.0",
                "machine": self.machine,
                "architecture": "amd64",
                "created": "2026-01-01T00:00:00Z",
                "message": "",
                "parents": [],
                "layers": layers,
                **self.more,
            }
        )
        config_digest = self.add(config)
        manifest = canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "artifactType": "application/vnd.pycontainer.revision.v1",
                "config": {
                    "mediaType": "application/vnd.pycontainer.revision.config.v1+json",
                    "digest": config_digest,
                    "size": len(config),
                },
                "layers": self.descriptors,
                "annotations": {"vnd.pycontainer.product": self.product},
            }
        )
        digest = self.add(manifest)
        self.id = digest.removeprefix("sha256:")
        payload = canonical_json(
            {"digest": digest, "mediaType": MANIFEST_TYPE, "product": self.product, "size": len(manifest)}
        )
        envelope = self.add(canonical_json(self.envelope(payload)))
        links = self.tree / "revisions" / self.id
        links.mkdir(parents=True)
        for name, target in (("manifest", digest), ("config", config_digest), ("signature", envelope)):
            (links / name).symlink_to("../../blobs/sha256/" + target.removeprefix("sha256:"))
        for name in ("volumes", "logs", "state"):
            (self.tree / name).mkdir()

    def envelope(self, payload: bytes) -> dict[str, Any]:
        encoded = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} ".encode() + payload
        signatures = [{"keyid": keyid(key), "sig": base64.b64encode(key.sign(encoded)).decode()} for key in self.keys]
        return {"payload": base64.b64encode(payload).decode(), "payloadType": PAYLOAD_TYPE, "signatures": signatures}

    def facts(self, keys: list[Ed25519PrivateKey] | None = None) -> bytes:
        entries = [
            {"keyid": keyid(key), "public": base64.b64encode(public_bytes(key)).decode()} for key in keys or self.keys
        ]
        return canonical_json(
            {
                "schemaVersion": 1,
                "product": "demo",
                "machine": "qemu-amd64",
                "floor": 0,
                "threshold": self.threshold,
                "keys": entries,
            }
        )

    def storage_image(self, verity: bool = True) -> Path:
        image = self.folder / "storage.img"
        image.unlink(missing_ok=True)
        features = ["-O", "verity"] if verity else []
        argv = ["mke2fs", "-q", "-t", "ext4", "-b", "4096", *features, "-U", STORAGE_UUID, "-L", "pyc-storage"]
        subprocess.run([*argv, "-d", self.tree, image, "96M"], check=True)
        return image

    def initramfs(self, facts: bytes) -> Path:
        segment = newc(
            [
                ("etc", 0o40755, b""),
                ("etc/pycontainer", 0o40755, b""),
                ("etc/pycontainer/product.json", 0o100644, facts),
            ]
        )
        host = self.inputs.host.read_bytes()
        target = self.folder / "initramfs"
        target.write_bytes(host + bytes(-len(host) % 4) + segment)
        return target


def read_back(image: Path, path: str) -> str:
    """Return a file's content from an ext4 image, without mounting it."""
    run = subprocess.run(["debugfs", "-R", f"cat {path}", str(image)], check=True, capture_output=True)
    return run.stdout.decode(errors="replace")


def stat_back(image: Path, path: str) -> str:
    """Return what debugfs says about a file in an ext4 image."""
    run = subprocess.run(["debugfs", "-R", f"stat {path}", str(image)], check=True, capture_output=True)
    return run.stdout.decode()


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def keyid(key: Ed25519PrivateKey) -> str:
    return hashlib.sha256(public_bytes(key)).hexdigest()


def newc(entries: list[tuple[str, int, bytes]]) -> bytes:
    """Return a cpio archive in the newc form (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    out = bytearray()
    for number, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1):
        encoded = name.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0]
        out += b"070701" + "".join(f"{value:08X}" for value in fields).encode() + encoded
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out)


class Machine:
    """QEMU with its console kept as text and QMP for the power button."""

    def __init__(
        self,
        kernel: Path,
        initramfs: Path,
        storage: Path | None,
        command_line: str,
        folder: Path,
        memory_mib: int = 256,
        control: Path | None = None,
    ) -> None:
        self.text = ""
        self.qmp = folder / "qmp"
        self.qmp.unlink(missing_ok=True)
        argv = [
            "qemu-system-x86_64", "-accel", "tcg,thread=single", "-machine", "q35", "-cpu", "max",
            "-m", str(memory_mib), "-smp", "2",
            "-display", "none", "-nodefaults", "-no-reboot", "-serial", "stdio", "-device", "virtio-rng-pci",
            "-device", "pcie-root-port,id=socket9,chassis=1", "-qmp", f"unix:{self.qmp},server=on,wait=off",
            "-kernel", str(kernel), "-initrd", str(initramfs), "-append", command_line,
        ]  # fmt: skip
        if storage:
            argv += ["-drive", f"file={storage},if=virtio,format=raw,cache=unsafe"]
        if control:
            argv += ["-device", "virtio-serial-pci", "-chardev", f"socket,id=control,path={control},server=on,wait=off"]
            argv += ["-device", f"virtserialport,chardev=control,name={CONTROL}"]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
        assert self.process.stdout
        os.set_blocking(self.process.stdout.fileno(), False)

    def poll(self) -> bool:
        """Take in what the console wrote; False when the machine has ended."""
        assert self.process.stdout
        data = self.process.stdout.read()
        if data:
            self.text += data.decode(errors="replace").replace("\r\n", "\n")
        elif self.process.poll() is not None:
            return False
        else:
            time.sleep(0.05)
        return True

    def expect(self, wanted: str, timeout: float = 60, count: int = 1) -> str:
        """Wait until the console showed a text; AssertionError with the console when it does not."""
        end = time.monotonic() + timeout
        while self.text.count(wanted) < count:
            if not self.poll() and self.text.count(wanted) < count:
                raise AssertionError(f"the machine ended without {wanted!r}:\n{self.text}")
            if time.monotonic() > end:
                raise AssertionError(f"no {wanted!r} in {timeout} s:\n{self.text}")
        return self.text

    def wait(self, timeout: float = 60) -> str:
        """Wait until the machine is off and return its console."""
        end = time.monotonic() + timeout
        while self.poll():
            if time.monotonic() > end:
                raise AssertionError(f"the machine is still on after {timeout} s:\n{self.text}")
        return self.text

    def press_power_button(self, after: float = 3) -> None:
        """Press it once the containers' programs had time to set up their signal handlers."""
        self.linger(after)
        self.command("system_powerdown")

    def linger(self, seconds: float) -> None:
        """Let the machine run."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.poll():
            pass

    def cut_power(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()

    def command(self, name: str, **arguments: Any) -> None:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(str(self.qmp))
            stream = channel.makefile("rwb")
            stream.readline()
            for request in ({"execute": "qmp_capabilities"}, {"execute": name, "arguments": arguments}):
                stream.write(json.dumps(request).encode() + b"\n")
                stream.flush()
                stream.readline()

    def close(self) -> None:
        if self.process.poll() is None:
            self.cut_power()


@contextlib.contextmanager
def boot(
    revision: Revision,
    storage: Path | None,
    *,
    facts: bytes | None = None,
    id: str | None = None,
    panic: str = "poweroff",
    memory_mib: int = 256,
    control: Path | None = None,
    arguments: str = "",
) -> Iterator[Machine]:
    """Boot a revision; the machine is killed at the end if it still runs. `control`: the socket of its control port;
    `arguments`: further words for the kernel."""
    # A kernel that panics ends the machine at once, and a test need not wait for it.
    words = f"console=ttyS0 quiet panic=-1 pycontainer.revision={id or revision.id} pycontainer.storage={STORAGE_UUID}"
    words += f" pycontainer.control={CONTROL}" if control else ""
    words += f" {arguments}" if arguments else ""
    initramfs = revision.initramfs(facts if facts is not None else revision.facts())
    machine = Machine(revision.inputs.kernel, initramfs, storage, f"{words} pycontainer.panic={panic}",
                      revision.folder, memory_mib, control)  # fmt: skip
    try:
        yield machine
    finally:
        machine.close()
