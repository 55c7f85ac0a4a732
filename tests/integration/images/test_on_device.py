# SPDX-License-Identifier: MIT
"""A Docker image by buildah, named in the product file, runs on the device as it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from orchestrator.emulator.machine import Machine
from tests.integration.conftest import Product
from tests.integration.test_device import READY, options, page


def test_a_docker_image_runs_as_its_user_with_its_volume_and_its_health_check(
    sibling: Product, server: Path, tmp_path: Path
):
    shutil.copy(server, sibling.folder / "server.tar")
    file = sibling.folder / "pycontainer.yaml"
    text = file.read_text()
    text = text.replace("from: {bitbake: app-nginx}", 'from: {image: "docker-archive:server.tar:server:1"}')
    text = text.replace("    files:\n      - {source: www, destination: /srv/www}\n", "")
    lines = [line for line in text.splitlines() if "health: {http" not in line]
    file.write_text("\n".join(lines) + "\n")
    summary = sibling.build()
    assert "web" in summary["assembled"]
    config = json.loads((sibling.folder / "build" / "sbom" / "web.spdx.json").read_text())
    assert config["name"]
    revision = sibling.run("show", "--json").json
    web = next(layer for layer in revision["layers"] if layer["name"] == "web")
    assert web["health"]["command"][-1].endswith("127.0.0.1:8080")
    assert web["stop"]["signal"] == 37
    with Machine(options(sibling), log=tmp_path / "console.log") as machine:
        machine.wait_for(READY, 120)
        assert page(machine).strip() == "uid=33(www) gid=34(www) groups=50(log)"
    assert sibling.build()["assembled"] == []
