# SPDX-License-Identifier: MIT
"""A Docker image by buildah, named in the product file, runs on the device as it says."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.device import DeviceError, Link, parse_transport
from orchestrator.emulator.machine import Machine
from tests.integration.conftest import Product
from tests.integration.test_device import READY, options, page


def graph_of(document: Path) -> list[dict[str, Any]]:
    return json.loads(document.read_text())["@graph"]


def told_by(link: Link, layer: str) -> str:
    """The document of a layer as the device tells it."""
    pieces: list[str] = []
    link.ask("sbom", {"layer": layer}, on_part=lambda part: pieces.append(part["line"] + "\n" * (not part.get("more"))))
    return "".join(pieces)


def test_a_docker_image_runs_as_its_user_with_its_volume_and_its_health_check(
    sibling: Product, server: Path, tmp_path: Path
):
    shutil.copy(server, sibling.folder / "server.tar")
    file = sibling.folder / "pycontainer.yaml"
    text = file.read_text()
    text = text.replace("from: {bitbake: app-nginx}", 'from: {image: "docker-archive:server.tar:server:1"}')
    text = text.replace("    files:\n      - {source: www, destination: /srv/www}\n", "")
    served = "        reason: it serves on the address that the rootfs layer configured\n"
    assert served in text
    text = text.replace(served, served + "      - {userNamespace: host, reason: the image has owners above 65535}\n")
    # The recipe stays in the product, so that the base is the demo's: it says its version and is done.
    text += "  spare:\n    kind: app\n    from: {bitbake: app-nginx}\n    entrypoint: [/usr/sbin/nginx, -v]\n"
    text += '    restart: {policy: "no"}\n'
    lines = [line for line in text.splitlines() if "health: {http" not in line]
    file.write_text("\n".join([*lines, "sbom: {device: true}"]) + "\n")
    summary = sibling.build()
    assert "web" in summary["assembled"]
    config = json.loads((sibling.folder / "build" / "sbom" / "web.spdx.json").read_text())
    assert config["name"]
    revision = sibling.run("show", "--json").json
    web = next(layer for layer in revision["layers"] if layer["name"] == "web")
    assert web["health"]["command"][-1].endswith("127.0.0.1:8080")
    assert web["stop"]["signal"] == 37
    facts = subprocess.run(
        ["skopeo", "inspect", "--raw", f"docker-archive:{server}:registry.example/server:1"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip
    document = sibling.folder / "build" / "sbom" / "web.spdx3.json"
    notes = [json.loads(each["statement"]) for each in graph_of(document) if each["type"] == "Annotation"]
    (layer,) = [note for note in notes if "census" in note]
    image_id = json.loads(facts)["config"]["digest"]
    assert layer["originUri"] == f"pkg:docker/server@{image_id}?tag=1"
    assert "data/old" in layer["removed"]["paths"]  # a whiteout of the upper OCI layer
    with Machine(options(sibling), log=tmp_path / "console.log") as machine:
        machine.wait_for(READY, 120)
        assert page(machine).strip() == "uid=33(www) gid=34(www) groups=50(log)"
        with Link(parse_transport(f"unix:{machine.control_path}"), settle=0.2) as link:
            assert told_by(link, "web").rstrip("\n") == document.read_text().rstrip("\n")
            assert json.loads(told_by(link, "bsp"))["@graph"]
            with pytest.raises(DeviceError, match="there is no layer nobody"):
                told_by(link, "nobody")
    assert sibling.build()["assembled"] == []
