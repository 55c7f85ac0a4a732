# SPDX-License-Identifier: MIT
"""A Docker image by buildah, named in the product file, runs on the device as it says."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.device import DeviceError, Link, parse_transport
from orchestrator.emulator.machine import Machine
from tests.integration.conftest import Product, pycontainer
from tests.integration.test_device import options, page

from .conftest import AWKWARD, Made

READY = r"ready: demo 1\.0\.0 \([0-9a-f]{12}\) rootfs web idle running in [0-9.]+ s"

# Of each entry its name in hexadecimal digits, and what BusyBox's stat says of it.
LOOK = """cd / && busybox find . -xdev -exec /bin/sh -c 'for each; do
printf %s "$each" | busybox od -An -v -tx1 | busybox tr -d " \\n"; busybox stat -c " %f %u %g %s %t:%T %i" "$each"
done' sh {} +"""


def entries(text: str) -> dict[bytes, tuple[object, ...]]:
    """What `LOOK` says: mode, owners, size of a file or number of a device, and the least name of the same file."""
    found: dict[bytes, tuple[object, ...]] = {}
    least: dict[str, bytes] = {}
    for name, mode, uid, gid, size, number, inode in sorted(map(str.split, text.splitlines())):
        path, bits = bytes.fromhex(name).removeprefix(b"./"), int(mode, 16)
        major, minor = (int(part, 16) for part in number.split(":"))
        what = int(size) if stat.S_ISREG(bits) else os.makedev(major, minor) if major else None
        same = path if stat.S_ISDIR(bits) else least.setdefault(inode, path)
        found[path] = (stat.filemode(bits), int(uid), int(gid), what, same)
    return found


def expected(seen: Mapping[bytes, Any]) -> dict[bytes, tuple[object, ...]]:
    """The same of what the maker of an image saw."""
    found = {}
    for path, (mode, uid, gid, content, _, same) in seen.items():
        what = content[0] if isinstance(content, tuple) else content if isinstance(content, int) else None
        found[path] = (mode, uid, gid, what, same)
    return found


def graph_of(document: Path) -> list[dict[str, Any]]:
    return json.loads(document.read_text())["@graph"]


def told_by(link: Link, layer: str) -> str:
    """The document of a layer as the device tells it."""
    pieces: list[str] = []
    link.ask("sbom", {"layer": layer}, on_part=lambda part: pieces.append(part["line"] + "\n" * (not part.get("more"))))
    return "".join(pieces)


def test_a_docker_image_runs_as_its_user_with_its_volume_and_its_health_check(
    sibling: Product, server: Path, idle: Path, made: Made, tmp_path: Path
):
    shutil.copy(server, sibling.folder / "server.tar")
    shutil.copy(idle, sibling.folder / "idle.tar")
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
    text += "  idle:\n    kind: app\n    from: {image: 'docker-archive:idle.tar'}\n    after: [web]\n"
    text += "    relax:\n      - {userNamespace: host, reason: the image has owners above 65535}\n"
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
        place = f"unix:{machine.control_path}"
        looked = pycontainer("device", "--to", place, "exec", "idle", "--", "/bin/sh", "-c", LOOK)
        with Link(parse_transport(f"unix:{machine.control_path}"), settle=0.2) as link:
            assert told_by(link, "web").rstrip("\n") == document.read_text().rstrip("\n")
            assert json.loads(told_by(link, "bsp"))["@graph"]
            with pytest.raises(DeviceError, match="there is no layer nobody"):
                told_by(link, "nobody")
    assert looked.code == 0, looked.err
    found, wanted = entries(looked.out), expected(made.seen)
    assert {path: found.get(path) for path in wanted} == wanted
    assert b"data/" + AWKWARD in found and b"data/old" not in found and b"data/opaque/a" not in found
    assert sibling.build()["assembled"] == []
