# SPDX-License-Identifier: MIT
"""Health, networks, limits, relaxations and confirmation in the product file are read, or a mistake is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.product import load_product
from orchestrator.product.model import Product
from orchestrator.product.supervision import Health, HttpCheck, Io, LayerConfirm

DEMO = Path(__file__).parents[3] / "examples" / "demo" / "pycontainer.yaml"


@pytest.fixture
def loaded(tmp_path: Path):
    """Load the demo's product file with lines added to the layer web and to the product."""

    def load(web: str = "", top: str = "") -> Product:
        path = tmp_path / "pycontainer.yaml"
        lines = "".join(f"    {line}\n" for line in web.splitlines())
        # What the demo says of this itself is not in the way.
        text = re.sub(r"(?m)^( {4}health|confirm): .*\n|^control:\n(  .*\n)*", "", DEMO.read_text())
        if "ports:" in web or "network: bridge" in web:
            text = text.replace(HOST_NETWORK, "", 1)
        path.write_text(top + "\n" + text.rstrip("\n") + "\n" + lines)
        return load_product(path)

    return load


HOST_NETWORK = """    relax:
      - network: host
        reason: it serves on the address that the rootfs layer configured
"""


def test_health_limits_and_confirmation_are_read(loaded):
    web = loaded(
        "health: {http: {port: 80, path: /up}, startPeriod: 20s, retries: 5}\n"
        "confirm: {healthyFor: 1m, maxRestarts: 0}\nrequired: true\nio: {read: 10MiB}"
    ).layers["web"]
    assert web.health == Health(http=HttpCheck(port=80, path="/up"), start_period="20s", retries=5)
    assert web.confirm == LayerConfirm(healthy_for="1m", max_restarts=0)
    assert (web.required, web.io) == (True, Io(read="10MiB"))
    assert loaded("health: none").layers["web"].health == "none"
    assert loaded("health: {command: [/bin/check]}").layers["web"].health == Health(command=["/bin/check"])
    assert loaded("health: {tcp: 80}").layers["web"].health == Health(tcp=80)
    assert loaded().layers["web"].health is None


def test_ports_are_read_whether_yaml_takes_them_for_a_number_or_not(loaded):
    web = loaded('ports: ["8080:80", 53:53/udp, 22:22]').layers["web"]
    assert web.published == [(8080, 80, "tcp"), (53, 53, "udp"), (22, 22, "tcp")]
    assert web.bridged
    assert [port.on_host for port in web.published] == ["8080/tcp", "53/udp", "22/tcp"]
    assert loaded("network: bridge").layers["web"].bridged
    assert not loaded().layers["web"].bridged


def test_conditions_and_what_the_product_opens_are_read(loaded):
    product = loaded(
        "volumes: [{name: data, destination: /data, kind: revision}]",
        "securityVersion: 3\ncontrol: {port: org.pycontainer.control, reason: the hypervisor manages it}\n"
        "confirm: {timeout: 2m, manual: true, files: [{layer: web, volume: data, path: a/b}],\n"
        "          reachable: [{address: '2001:db8::1', port: 443}]}",
    )
    assert product.security_version == 3
    assert product.control is not None
    assert product.control.port == "org.pycontainer.control"
    assert product.confirm.files[0].path == "a/b"
    assert product.confirm.reachable[0].address == "2001:db8::1"
    assert (product.confirm.timeout, product.confirm.manual) == ("2m", True)


@pytest.mark.parametrize(
    ("web", "top", "words"),
    [
        ("health: {}", "", ["layers.web", "exactly one of command, tcp and http"]),
        ("health: {tcp: 1, command: [x]}", "", ["exactly one of command"]),
        ("health: {tcp: 70000}", "", ["layers.web.health.tcp"]),
        ("health: {tcp: 80, intervall: 1s}", "", ["did you mean 'interval'"]),
        ("health: {tcp: 80, interval: 0s}", "", ["longer than nothing"]),
        ("health: {tcp: 80, timeout: 5}", "", ["layers.web"]),
        ("health: {command: ['']}", "", ["names no program"]),
        ("health: {command: []}", "", ["layers.web.health.command"]),
        ("health: {http: {port: 80, path: up}}", "", ["layers.web.health.http.path: written wrongly: a path such as"]),
        ("health: no", "", ["layers.web.health"]),
        ("confirm: {healthyFor: 10}", "", ["layers.web"]),
        ("io: {}", "", ["io names a limit"]),
        ("io: {read: 1}", "", ["layers.web"]),
        ("io: {read: 1kB}", "", ["from 4096 bytes"]),
        ("ports: [80]", "", ["layers.web.ports[0]"]),
        ("ports: ['80']", "", ["layers.web.ports[0]: written wrongly: a port of the device, a colon"]),
        ("ports: ['0:80']", "", ["written wrongly"]),
        ("ports: ['1.2.3.4:80:80']", "", ["written wrongly"]),
        ("ports: ['80:80/sctp']", "", ["written wrongly"]),
        ("ports: ['65536:80']", "", ["ports go from 1 to 65535"]),
        ("ports: ['80:80', '80:81/tcp']", "", ["the port 80/tcp is named twice"]),
        ("network: host", "", ["layers.web.network"]),
        ("", "securityVersion: -1", ["securityVersion"]),
        ("", "securityVersion: high", ["securityVersion"]),
        ("", "confirm: {timeout: 5ms}", ["confirm", "at least 1s"]),
        ("", "confirm: {files: [{layer: wbe, volume: data, path: a}]}", ["confirm.files[0].layer: wbe is not a layer"]),
        (
            "",
            "confirm: {files: [{layer: web, volume: data, path: a}]}",
            ["files[0].volume: the layer web has no volume"],
        ),
        (
            "volumes: [{name: data, destination: /data, kind: boot}]",
            "confirm: {files: [{layer: web, volume: data, path: a}]}",
            ["files[0].volume: the volume data is kept", "kind: revision"],
        ),
        ("", "confirm: {files: [{layer: web, volume: data, path: /a}]}", ["confirm.files[0]", "plain path"]),
        ("", "confirm: {files: [{layer: web, volume: data, path: a/../b}]}", ["not a plain path"]),
        ("", "confirm: {reachable: [{address: example.org, port: 1}]}", ["confirm.reachable[0]", "not an IP address"]),
        ("", "confirm: {reachable: [{address: 'fe80::1%eth0', port: 1}]}", ["names an interface"]),
        ("", "control: {port: ttyS1}", ["control", "reason"]),
        ("", "control: {port: /dev/ttyS1, reason: for the factory}", ["control.port: written wrongly: the name of a"]),
        ("", "kernel: {args: [pycontainer.control=ttyS1]}", ["kernel", "opened by 'control'"]),
    ],
)
def test_a_mistake_in_supervision_is_named(loaded, web: str, top: str, words: list[str]):
    with pytest.raises(ConfigError) as caught:
        loaded(web, top)
    for word in words:
        assert word in str(caught.value)


def relaxed(entry: str) -> str:
    return DEMO.read_text().replace(HOST_NETWORK, f"    relax: [{entry}]\n")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{control: [ps], reason: no}", ["layers.web.relax[0].reason"]),
        ("{control: [pss], reason: it shows the state}", ["relax[0].control[0]", "did you mean 'ps'"]),
        ("{control: [], reason: it shows the state}", ["names what it relaxes"]),
        ("{devices: [{path: /etc/x, major: 4, minor: 65}], reason: the sensor}", ["devices[0].path: written wrongly"]),
        ("{devices: [{path: /dev/../x, major: 4, minor: 65}], reason: the sensor}", ["relax[0].devices[0]"]),
        ("{devices: [{path: /dev/x, major: 4}], reason: the sensor}", ["minor"]),
        ("{devices: [{path: /dev/x, major: 4, minor: 1, access: rx}], reason: the sensor}", ["devices[0].access"]),
        ("{devices: [{path: /dev/x, major: 4, minor: 1, kind: d}], reason: the sensor}", ["not one of: b, c"]),
        (
            "{devices: [{path: /dev/x, major: 4, minor: 1}, {path: /dev/x, major: 4, minor: 2}], reason: the sensor}",
            ["the device /dev/x is named twice"],
        ),
        ("{network: host, reason: it serves}]\n    ports: ['80:80'", ["neither publish ports nor be bridged"]),
    ],
)
def test_a_mistake_in_a_relaxation_is_named(tmp_path: Path, entry: str, words: list[str]):
    path = tmp_path / "pycontainer.yaml"
    path.write_text(relaxed(entry))
    with pytest.raises(ConfigError) as caught:
        load_product(path)
    for word in words:
        assert word in str(caught.value)


def test_a_port_of_the_device_belongs_to_one_layer(tmp_path: Path):
    path = tmp_path / "pycontainer.yaml"
    other = "  other: {kind: app, from: {tar: x.tar}, ports: ['80:8080']}\n"
    path.write_text(DEMO.read_text().replace(HOST_NETWORK, "    ports: ['80:80']\n") + other)
    with pytest.raises(ConfigError) as caught:
        load_product(path)
    assert "layers.other.ports[0]: the port 80/tcp of the device is published by web already" in str(caught.value)
    path.write_text(path.read_text().replace("80:8080", "80:8080/udp"))
    assert list(load_product(path).layers) == ["rootfs", "web", "other"]
