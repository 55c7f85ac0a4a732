# SPDX-License-Identifier: MIT
"""One product, booted once: distributions with inits of their own, and one app under both runtimes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.integration.conftest import REPOSITORY, Finished, Product
from tests.integration.distributions import images

# As its first process a program gets no signal that it has no handler for.
_APP = """\
trap 'echo app ends; exit 0' TERM
echo "app starts as $(id -u)" >/dev/stderr
while :; do sleep 1 & wait $!; done
"""
BOOT_SECONDS = 600
SYSTEMD = ["debian", "debian-lxc"]
INITS = [*SYSTEMD, "box-lxc", "rpm"]


def lxc_template(path: Path, place: str) -> Path:
    """Write our template of an LXC configuration with one mask more: memory over `place` in /proc. Return its path."""
    ours = (REPOSITORY / "orchestrator/layers/lxc.conf.j2").read_text()
    path.write_text(f"{ours}\nlxc.mount.entry = tmpfs proc/{place} tmpfs ro,optional 0 0\n")
    return path


def product_file(folder: Path) -> dict[str, Any]:
    """Return the product; its inputs lie below `folder` afterwards."""
    work = folder / "images"
    work.mkdir()
    shutil.copytree(images.rpm_openrc(work), folder / "rpm-openrc")
    images.busybox(work).rename(folder / "busybox")
    systemd = {"kind": "rootfs", "from": {"bitbake": "rootfs-systemd"}, "init": "systemd", "memory": "160MiB"}
    box = {"kind": "rootfs", "from": {"directory": "busybox"}, "init": "busybox", "memory": "32MiB"}
    app = {
        "kind": "app", "from": {"directory": "busybox"}, "command": ["/bin/sh", "-c", _APP], "user": "1000:1000",
        "memory": "32MiB", "cpus": 0.5, "pids": 40, "environment": {"COLOUR": "deep blue"}, "tmpfs": ["/tmp"],
        "volumes": [{"name": "data", "destination": "/data", "uid": 1000, "gid": 1000}], "groups": ["2000", "2001"],
        "network": "bridge", "ulimits": {"nofile": 2048}, "labels": {"colour": "blue"}, "observe": {"exec": "record"},
        "health": {"command": ["/bin/sh", "-c", "test -e /data"], "interval": "5s"},
    }  # fmt: skip
    slow = {"stopTimeout": "120s"}
    lxc_template(folder / "absent.conf.j2", "no-such-place")
    return {
        "product": "distributions",
        "version": "1.0.0",
        "machine": "qemu-amd64",
        "image": {"storage": "768MiB"},
        "control": {"port": "org.pycontainer.control", "reason": "the tests speak to the device by it"},
        "confirm": {"timeout": "10m"},
        "layers": {
            "app": app,
            "app-lxc": app | {"runtime": "lxc"},
            "box-lxc": box | slow | {"runtime": "lxc"},
            "rpm": {"kind": "rootfs", "from": {"image": "oci:rpm-openrc:1"}, "init": "openrc", "memory": "48MiB"}
            | slow,
            "debian": systemd | slow,
            "debian-lxc": systemd | slow | {"runtime": "lxc"},
            "once-lxc": app
            | {"runtime": "lxc", "lxcTemplate": "absent.conf.j2", "command": ["/bin/true"], "health": "none"}
            | {"restart": {"policy": "on-failure"}},
        },
    }


def make(folder: Path, keys: Path) -> Product:
    """Build the product in a folder, which may have a BitBake folder to go on with."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pycontainer.yaml").write_text(yaml.safe_dump(product_file(folder), sort_keys=False))
    product = Product(folder, keys)
    product.build()
    return product


@dataclass
class Running:
    """The product in QEMU."""

    product: Product
    process: subprocess.Popen[bytes]
    log: Path

    def device(self, *words: str, check: bool = True) -> Finished:
        argv = [sys.executable, "-m", "orchestrator.cli.main", "device", "--product", str(self.product.folder),
                "--timeout", "180", *words]  # fmt: skip
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY), **self.product.environment}
        done = subprocess.run(argv, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr + self.console
        return Finished(done.returncode, done.stdout, done.stderr)

    def inside(self, container: str, *words: str, check: bool = True) -> str:
        """What a program in a container writes."""
        return self.device("exec", container, "--", *words, check=check).out

    def shell(self, container: str, script: str) -> str:
        return self.inside(container, "/bin/sh", "-c", script, check=False)

    def logs(self, container: str) -> str:
        return self.device("logs", container).out

    def state(self, container: str) -> dict[str, Any]:
        found = json.loads(self.device("ps", "--json").out)["containers"]
        return next(each for each in found if each["name"] == container)

    @property
    def console(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self) -> None:
        """Switch it off, whatever it does."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def until(self, condition: Callable[[], bool], what: str, seconds: float = BOOT_SECONDS) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None and time.monotonic() < end, f"never {what}\n{self.console}"
            time.sleep(2)  # each look costs the emulated machine something


def start(product: Product, folder: Path) -> Running:
    """Boot it, and wait until its containers run."""
    argv = [sys.executable, "-m", "orchestrator.cli.main", "run", str(product.folder), "--memory", "1024"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1", **product.environment}
    log = folder / "console"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            argv, cwd=REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT
        )
    running = Running(product, process, log)
    try:
        running.until(lambda: "ready: distributions" in running.console, "ready")
    except BaseException:
        running.end()
        raise
    return running
