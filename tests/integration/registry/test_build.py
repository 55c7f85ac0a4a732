# SPDX-License-Identifier: MIT
"""A product with a layer out of a registry: built, pinned, run, and built again when the registry is gone."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.emulator.machine import Machine
from orchestrator.oci import Store
from tests.integration.conftest import Product, pycontainer
from tests.integration.registry.conftest import docker_registry
from tests.integration.registry.test_docker_registry import call
from tests.integration.test_device import options


def test_a_layer_out_of_a_registry_is_pinned_runs_and_is_then_built_without_it(sibling: Product, tmp_path: Path):
    buildah = ["buildah", "--root", tmp_path / "root", "--runroot", tmp_path / "run", "--storage-driver", "vfs"]
    container = call(*buildah, "from", "scratch").strip()
    call(*buildah, "copy", container, "/bin/busybox", "/bin/busybox")
    call(*buildah, "config", "--entrypoint", '["/bin/busybox","sleep","1000"]', "--user", "65534", container)
    image = call(*buildah, "commit", "-q", "--rm", container).strip()
    file = sibling.folder / "pycontainer.yaml"
    environment = {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    with docker_registry(tmp_path / "registry", secure=False) as server:
        reference = f"{server.host}/pulled/idle:1"
        call(*buildah, "push", "-q", "--tls-verify=false", image, f"docker://{reference}")
        file.write_text(file.read_text() + f"  idle:\n    kind: app\n    from: {{image: '{reference}'}}\n")
        first = sibling.build(**environment)
    pins = json.loads((sibling.folder / "build" / "images.lock.json").read_text())["images"]
    digest = pins[reference]["digest"]
    assert Store.open(sibling.folder / "build" / "images").has_blob(digest)
    assert "idle" in [layer["name"] for layer in first["layers"]]
    with Machine(options(sibling), log=tmp_path / "console.log") as machine:
        machine.wait_for(r"ready: demo 1\.0\.0 \([0-9a-f]{12}\) rootfs web idle running in", 120)
        place = f"unix:{machine.control_path}"
        who = pycontainer("device", "--to", place, "exec", "idle", "--", "/bin/busybox", "id", "-u")
    assert who.out.strip() == "65534", who.err
    again = sibling.build(**environment)
    assert again["unchanged"]
    file.write_text(file.read_text() + "    memory: 16MiB\n")
    changed = sibling.build(**environment)  # packed anew out of what was pulled; the registry is gone
    assert changed["revision"] != first["revision"]
