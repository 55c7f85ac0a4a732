# SPDX-License-Identifier: MIT
"""A compose file of three services, made into images by buildah, runs on the device and is asked over HTTP."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from orchestrator.deploy import Deploy
from orchestrator.emulator.machine import Machine
from orchestrator.emulator.qemu import Forward, options_for
from tests.integration.conftest import Finished, Product, copy_demo, pycontainer

COMPOSE = """
services:
  shop:
    image: registry.example/shop:1
    ports: ["8081:8000"]
    depends_on:
      db: {condition: service_healthy}
      setup: {condition: service_completed_successfully}
    environment: {GREETING: "${GREETING:-hello}"}
    sysctls: {net.core.somaxconn: 77}
    secrets: [token]
    tmpfs: ["/tmp:size=1m"]
    extra_hosts: {gate: 192.0.2.1}
    restart: on-failure:1
    init: true
  db:
    image: registry.example/db:1
    user: "1000:1000"
    volumes: [data:/data]
    healthcheck: {test: [CMD, /bin/busybox, test, -f, /data/ready], interval: 1s, start_period: 60s}
    labels: {com.example.role: store}
    ulimits: {nofile: 99}
    restart: unless-stopped
  setup:
    image: registry.example/shop:1
    entrypoint: [/bin/sh, -c, "sleep 2; echo all set"]
    network_mode: none
volumes: {data: }
secrets: {token: {file: ./token}}
"""
SHOP = """#!/bin/sh
cd /tmp
wget -q -O answer http://db/answer || exit 1
{
  echo "$GREETING $(cat answer)"
  echo "somaxconn $(cat /proc/sys/net/core/somaxconn)"
  echo "token $(cat /run/secrets/token)"
  echo "gate $(grep -c '^192.0.2.1' /etc/hosts)"
} > index.html
trap 'exit 4' TERM
httpd -f -p 8000 -h /tmp &
wait
"""
# On the bridge nobody needs a capability for a low port.
DB = """#!/bin/sh
sleep 1
echo "from user $(id -u) with $(ulimit -n) files" > /data/answer
: > /data/ready
trap 'exit 3' INT
httpd -f -p 80 -h /data &
wait
"""


def call(*words: str | Path) -> str:
    return subprocess.run([*map(str, words)], check=True, capture_output=True, text=True).stdout.strip()


def make_image(folder: Path, name: str, script: str, target: str, *config: str) -> None:
    """An image of busybox and a script, by buildah out of nothing, pushed to a file."""
    busybox = shutil.which("busybox")
    assert busybox is not None
    root = folder / f"{name}-root"
    for part in ("bin", "data", "etc"):
        (root / part).mkdir(parents=True)
    shutil.copy2(busybox, root / "bin" / "busybox")
    for word in ("sh", "sleep", "echo", "cat", "wget", "httpd", "id", "grep", "test"):
        (root / "bin" / word).symlink_to("busybox")
    (root / "start").write_text(script)
    (root / "start").chmod(0o755)
    buildah = ["buildah", "--root", folder / "storage", "--runroot", folder / "run", "--storage-driver", "vfs"]
    container = call(*buildah, "from", "scratch")
    call(*buildah, "copy", "-q", "--chown", "1000:1000", container, root, "/")
    call(*buildah, "config", "--entrypoint", '["/start"]', "--env", "PATH=/bin", *config, container)
    call(*buildah, "commit", "-q", "--rm", container, name)
    call(*buildah, "push", "-q", name, target)


@pytest.fixture(scope="module")
def imported(demo: Product, tmp_path_factory: pytest.TempPathFactory) -> tuple[Product, Finished]:
    """The demo's userland with the compose file's services, on the demo's BitBake folder; and what the import said."""
    folder = tmp_path_factory.mktemp("compose")
    product = copy_demo(folder / "product", demo.keys)
    # The same recipes as the demo's: no build of it runs BitBake.
    build = demo.folder / "build"
    skipped = shutil.ignore_patterns("bitbake-*", "*.img", "*.bmap")
    shutil.copytree(build, product.folder / "build", ignore=skipped, symlinks=True)
    (product.folder / "build" / "bitbake-qemu-amd64").symlink_to(build / "bitbake-qemu-amd64")
    (product.folder / "compose.yaml").write_text(COMPOSE)
    (product.folder / "token").write_text("hush\n")
    images = product.folder / "images"
    images.mkdir()
    make_image(folder, "shop", SHOP, f"docker-archive:{images}/shop.tar:registry.example/shop:1")
    make_image(folder, "db", DB, f"oci:{images}/db:1", "--volume", "/data", "--stop-signal", "SIGINT")
    done = pycontainer(
        "app", "import", product.folder / "compose.yaml", "-C", product.folder, "--drop", "shop.init", "--json",
        "--image", f"shop=docker-archive:{images}/shop.tar", "--image", f"db=oci:{images}/db",
        "--image", f"setup=docker-archive:{images}/shop.tar", **product.environment,
    )  # fmt: skip
    return product, done


def test_the_services_become_layers_and_what_is_left_out_is_named(imported: tuple[Product, Finished]):
    product, done = imported
    assert done.code == 0, done.out + done.err
    layers = yaml.safe_load((product.folder / "pycontainer.yaml").read_text())["layers"]
    assert list(layers) == ["rootfs", "web", "shop", "db", "setup"]
    left = [key["path"] for each in done.json["services"] for key in each["keys"] if key["status"] == "left out"]
    assert left == ["shop.init"]


def test_show_tells_what_will_run_before_anything_is_built(imported: tuple[Product, Finished]):
    product, _ = imported
    shown = pycontainer("app", "show", "db", "-C", product.folder, "--json", **product.environment)
    assert shown.code == 0, shown.err
    rows = {(row["key"], row["text"], row["from"]) for row in shown.json["values"]}
    assert ("command", "/start", "image") in rows
    assert ("user", "1000:1000 (1000:1000)", "product") in rows
    assert ("stop signal", "SIGINT (2)", "image") in rows
    assert ("volume", "/data: data, kept, 1000:1000 0755", "product") in rows
    assert ("label", "com.example.role=store", "product") in rows
    config = pycontainer("app", "show", "db", "-C", product.folder, "--runtime-config", **product.environment)
    assert json.loads(config.out)["process"]["args"] == ["/start"]


def test_the_services_start_in_order_find_each_other_and_answer(
    imported: tuple[Product, Finished], demo: Product, tmp_path: Path
):
    product, _ = imported
    product.build()
    options = options_for(Deploy(demo.deploy), product.image, forwards=(Forward(0, 8081),))
    with Machine(options, log=tmp_path / "console.log") as machine:
        machine.wait_for(r"ready: demo 1\.0\.0 \([0-9a-f]{12}\) .*running in", 120)
        text = machine.console.text
        page = ask(f"http://127.0.0.1:{machine.host_port(8081)}/")
        assert machine.powerdown(60)
        ended = machine.console.text
    assert page.splitlines() == [
        "hello from user 1000 with 99 files", "somaxconn 77", "token hush", "gate 1",
    ]  # fmt: skip
    places = [text.index(f"container {part}") for part in ("db: healthy", "setup: exited with status 0, done")]
    assert max(places) < text.index("container shop: running"), text
    assert text.count("container shop: running") == 1  # it found its neighbour at once
    assert "container shop: stopped, exited with status 4" in ended
    assert "container db: stopped, exited with status 3" in ended  # by the image's own signal


def ask(url: str) -> str:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
