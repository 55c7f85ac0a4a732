# SPDX-License-Identifier: MIT
"""A revision's configuration is read strictly, written canonically, and makes sense as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.canonical import canonical_json
from orchestrator.errors import BuildError, VerificationError
from orchestrator.oci import Store
from orchestrator.revision import (
    Conditions,
    ContainerLayer,
    FileCondition,
    Health,
    HttpCheck,
    Io,
    PublishedPort,
    ReachCondition,
    RevisionConfig,
    created_at,
    media_type,
)
from tests.unit.revision.sample import sample_config, store_blobs


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> RevisionConfig:
    store = Store.open_or_create(tmp_path_factory.mktemp("model") / "store")
    return sample_config(store_blobs(store))


def test_a_configuration_survives_the_round_trip(config: RevisionConfig):
    data = config.to_bytes()
    assert RevisionConfig.from_bytes(data) == config
    assert RevisionConfig.from_bytes(data).to_bytes() == data


def test_the_bytes_hold_what_the_device_reads(config: RevisionConfig):
    value = json.loads(config.to_bytes())
    assert sorted(value) == [
        "apparmorRequired", "architecture", "confirm", "created", "layers", "machine", "message", "parents", "product",
        "schemaVersion", "securityVersion", "version",
    ]  # fmt: skip
    assert value["securityVersion"] == 0
    assert value["confirm"] == {"timeoutMs": 300000, "manual": False, "files": [], "reachable": []}
    assert value["created"] == "2026-01-01T00:00:00Z"
    web = value["layers"][4]
    assert sorted(web) == [
        "after", "afterEnd", "apparmor", "blobs", "confirm", "control", "health", "io", "kind", "logs", "machineId",
        "name", "network", "observe", "ports",
        "required", "restart", "runtime", "spdx", "startGroup", "stop", "userNamespace",
        "version", "volumes",
    ]  # fmt: skip
    assert web["restart"] == {
        "policy": "always", "maxRetries": 0, "initialDelayMs": 500, "maxDelayMs": 30000, "resetAfterMs": 60000,
    }  # fmt: skip
    assert web["stop"] == {"signal": 15, "timeoutMs": 10000}
    assert web["logs"] == {"maxBytes": 1048576, "files": 2}
    assert web["health"] is None
    assert web["confirm"] == {"healthyForMs": 10000, "maxRestarts": 3}
    assert (web["required"], web["network"], web["ports"], web["io"], web["control"]) == (False, "none", [], None, [])
    assert sorted(value["layers"][0]) == ["blobs", "kind", "name", "spdx", "version"]


def test_a_configuration_that_was_written_before_the_newer_members_is_read_with_their_defaults(config: RevisionConfig):
    value = json.loads(config.to_bytes())
    for member in ("securityVersion", "confirm", "apparmorRequired"):
        del value[member]
    for layer in value["layers"][3:]:
        for member in ("required", "network", "ports", "io", "control", "apparmor", "userNamespace"):
            del layer[member]
        layer["confirm"] = {"healthyForMs": 10000}
    assert RevisionConfig.from_bytes(canonical_json(value)) == config


def test_networks_limits_and_conditions_have_the_form_that_the_device_reads(config: RevisionConfig):
    web = config.layers[4]
    assert isinstance(web, ContainerLayer)
    web = msgspec.structs.replace(
        web,
        network="bridge",
        ports=[PublishedPort(host=8080, container=80, protocol="tcp")],
        io=Io(write_bytes_per_second=5),
        control=["ps", "status"],
        required=True,
    )
    conditions = Conditions(
        timeout_ms=9,
        manual=True,
        files=[FileCondition(layer="web", volume="data", path="a/b")],
        reachable=[ReachCondition(address="2001:db8::1", port=443)],
    )
    changed = msgspec.structs.replace(config, layers=[*config.layers[:4], web], security_version=7, confirm=conditions)
    value = json.loads(changed.to_bytes())
    assert value["securityVersion"] == 7
    assert value["confirm"] == {
        "timeoutMs": 9,
        "manual": True,
        "files": [{"layer": "web", "volume": "data", "path": "a/b"}],
        "reachable": [{"address": "2001:db8::1", "port": 443}],
    }
    found = value["layers"][4]
    assert found["ports"] == [{"host": 8080, "container": 80, "protocol": "tcp"}]
    assert found["io"] == {"readBytesPerSecond": 0, "writeBytesPerSecond": 5}
    assert (found["network"], found["control"], found["required"]) == ("bridge", ["ps", "status"], True)
    assert RevisionConfig.from_bytes(changed.to_bytes()) == changed


@pytest.mark.parametrize(
    ("health", "member", "expected"),
    [
        (Health(command=["/bin/true"]), "command", ["/bin/true"]),
        (Health(tcp=80), "tcp", 80),
        (Health(http=HttpCheck(port=80, path="/up")), "http", {"port": 80, "path": "/up"}),
    ],
)
def test_a_health_check_names_only_what_it_does(config: RevisionConfig, health: Health, member: str, expected: Any):
    web = config.layers[4]
    assert isinstance(web, ContainerLayer)
    changed = msgspec.structs.replace(config, layers=[*config.layers[:4], msgspec.structs.replace(web, health=health)])
    found = json.loads(changed.to_bytes())["layers"][4]["health"]
    assert found[member] == expected
    assert sorted(found) == sorted([member, "startPeriodMs", "intervalMs", "timeoutMs", "retries"])
    assert RevisionConfig.from_bytes(changed.to_bytes()) == changed


def _set(*path: Any, to: Any) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = to

    return change


def _both(*changes: Callable[[Any], None]) -> Callable[[Any], None]:
    def change(value: Any) -> None:
        for one in changes:
            one(value)

    return change


DIGEST = "sha256:" + "a" * 64
VOLUME = {"name": "v", "kind": "boot", "destination": "/v", "mode": "0755", "uid": 0, "gid": 0}
BRIDGE = _set("layers", 4, "network", to="bridge")
PORT = {"host": 80, "container": 80, "protocol": "tcp"}
FILE = {"layer": "web", "volume": "data", "path": "a"}
PLACE = {"address": "192.0.2.1", "port": 1}
TIMES = {"startPeriodMs": 0, "intervalMs": 1, "timeoutMs": 1, "retries": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("schemaVersion", to=2), "right form"),
        (_set("extra", to=1), "unknown field"),
        (_set("layers", 4, "extra", to=1), "unknown field"),
        (_set("layers", 4, "restart", "extra", to=1), "unknown field"),
        (_set("layers", to={}), "list of layers"),
        (_set("layers", 0, to=5), "right form"),
        (_set("layers", 0, "kind", to="toaster"), "right form"),
        (_set("layers", 0, "kind", to=[]), "right form"),
        (_set("layers", 4, "kind", to="host"), "unknown field"),
        (_set("product", to="../x"), "right form"),
        (_set("product", to="demo\n"), "right form"),
        (_set("version", to="1\n0"), "right form"),
        (_set("parents", to=["sha256:xyz"]), "right form"),
        (_set("created", to="yesterday"), "right form"),
        (_set("created", to="2026-02-30T00:00:00Z"), "no date"),
        (_set("layers", 4, "name", to="rootfs"), "two layers"),
        (_set("layers", 1, "blobs", "efi", to=DIGEST), "no blob efi"),
        (_set("layers", 4, "blobs", to={"rootfs": DIGEST}), "needs the blob run-config"),
        (_set("layers", 4, "after", to=["nobody"]), "starts after"),
        (_set("layers", 4, "after", to=["web"]), "starts after"),
        (_set("layers", 4, "after", to=["host"]), "starts after"),
        (_set("layers", 3, "after", to=["web"]), "starts after"),
        (_set("layers", 4, "startGroup", to=-1), "right form"),
        (_set("layers", 4, "startGroup", to=True), "right form"),
        (_set("layers", 4, "stop", "signal", to=65), "right form"),
        (_set("layers", 4, "restart", "maxRetries", to=2**31), "right form"),
        (_set("layers", 4, "runtime", to="docker"), "right form"),
        (_set("layers", 4, "volumes", to=[VOLUME, VOLUME]), "one name"),
        (_set("layers", 4, "volumes", to=[VOLUME, {**VOLUME, "name": "w"}]), "one destination"),
        (_set("layers", 4, "volumes", to=[{**VOLUME, "destination": "/a/../b"}]), "plain absolute"),
        (_set("layers", 4, "volumes", to=[{**VOLUME, "destination": "/a/.."}]), "plain absolute"),
        (_set("layers", 4, "volumes", to=[{**VOLUME, "destination": "/a//b"}]), "plain absolute"),
        (_set("layers", 4, "volumes", to=[{**VOLUME, "destination": "/"}]), "plain absolute"),
        (_set("layers", 4, "volumes", to=[{**VOLUME, "destination": "a"}]), "right form"),
        (_set("layers", 4, "volumes", to=[{**VOLUME, "mode": "rwx"}]), "right form"),
        (_set("layers", 4, "volumes", to=[{**VOLUME, "uid": -1}]), "right form"),
        (_set("layers", 4, "health", to=TIMES), "exactly one"),
        (_set("layers", 4, "health", to={**TIMES, "tcp": 1, "command": ["x"]}), "exactly one"),
        (_set("layers", 4, "health", to={**TIMES, "tcp": 0}), "right form"),
        (_set("layers", 4, "health", to={**TIMES, "command": [""]}), "names no program"),
        (_set("layers", 4, "health", to={**TIMES, "command": ["x", "\0"]}), "names no program"),
        (_set("layers", 4, "health", to={**TIMES, "http": {"port": 1, "path": "/a b"}}), "right form"),
        (_set("layers", 4, "confirm", to={"maxRestarts": -1}), "right form"),
        (_set("layers", 4, "required", to=1), "right form"),
        (_set("layers", 4, "network", to="wifi"), "right form"),
        (_set("layers", 4, "ports", to=[PORT]), "needs the network bridge and not none"),
        (
            _both(BRIDGE, _set("layers", 4, "ports", to=[PORT, PORT])),
            "80/tcp of the device, twice",
        ),
        (
            _both(
                *(_set("layers", n, "network", to="bridge") for n in (3, 4)),
                *(_set("layers", n, "ports", to=[PORT]) for n in (3, 4)),
            ),
            "and rootfs does so already",
        ),
        (
            _both(BRIDGE, _set("layers", 4, "ports", to=[{**PORT, "host": 0}])),
            "form",
        ),
        (_set("layers", 4, "io", to={"readBytesPerSecond": 2**40 + 1}), "right form"),
        (_set("layers", 4, "io", to={"read": 1}), "unknown field"),
        (_set("layers", 4, "control", to=["PS"]), "right form"),
        (_set("layers", 4, "control", to=["ps", "ps"]), "named twice"),
        (_set("layers", 4, "apparmor", to="pycontainer.web"), "needs both or none"),
        (_set("layers", 4, "apparmor", to="a b"), "right form"),
        (_set("layers", 4, "blobs", "policy", to=DIGEST), "needs both or none"),
        (_set("layers", 4, "userNamespace", to={"hostId": 1000, "size": 65536}), "right form"),
        (_set("layers", 4, "userNamespace", to={"hostId": 2**32 - 65536, "size": 65537}), "beyond the numbers"),
        (
            _both(*(_set("layers", n, "userNamespace", to={"hostId": 2**20 + n, "size": 65536}) for n in (3, 4))),
            "are those of rootfs as well",
        ),
        (_set("securityVersion", to=-1), "right form"),
        (_set("confirm", "timeoutMs", to=0), "right form"),
        (_set("confirm", "manual", to="yes"), "right form"),
        (_set("confirm", "extra", to=1), "unknown field"),
        (_set("confirm", "files", to=[{**FILE, "layer": "nobody"}]), "no volume data of nobody"),
        (_set("confirm", "files", to=[{**FILE, "volume": "other"}]), "no volume other of web"),
        (_set("confirm", "files", to=[{**FILE, "path": "/a"}]), "no plain path"),
        (_set("confirm", "files", to=[{**FILE, "path": "a/../b"}]), "no plain path"),
        (_set("confirm", "files", to=[{**FILE, "path": "x" * 1024}]), "no plain path"),
        (_set("confirm", "files", to=[{**FILE, "path": "a\nb"}]), "right form"),
        (_set("confirm", "files", to=[FILE] * 17), "right form"),
        (_set("confirm", "reachable", to=[{**PLACE, "address": "example.org"}]), "example.org"),
        (_set("confirm", "reachable", to=[{**PLACE, "address": "fe80::1%eth0"}]), "names an interface"),
        (_set("confirm", "reachable", to=[{**PLACE, "port": 65536}]), "right form"),
        (_set("message", to="a\0b"), "right form"),
        (
            _set("layers", 4, "volumes", to=[{**VOLUME, "name": f"v{n}", "destination": f"/v{n}"} for n in range(33)]),
            "form",
        ),
        (lambda value: value["layers"].extend([value["layers"][0]] * 64), "too many layers"),
        (lambda value: value["layers"].pop(1), "exactly one bsp"),
        (lambda value: value["layers"].append({**value["layers"][1], "name": "bsp2"}), "exactly one bsp"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(config: RevisionConfig, change: Any, message: str):
    value = json.loads(config.to_bytes())
    change(value)
    with pytest.raises(VerificationError) as caught:
        RevisionConfig.from_bytes(canonical_json(value))
    assert message in str(caught.value)


def test_a_configuration_of_ours_that_is_out_of_range_is_a_build_error(config: RevisionConfig):
    with pytest.raises(BuildError):
        msgspec.structs.replace(config, version="1\n0").to_bytes()


def test_another_spelling_of_the_same_values_is_refused(config: RevisionConfig):
    with pytest.raises(VerificationError, match="canonical"):
        RevisionConfig.from_bytes(config.to_bytes().replace(b",", b", ", 1))


@given(st.data())
def test_a_configuration_with_wrong_bytes_is_decoded_or_explained(config: RevisionConfig, data: st.DataObject):
    raw = bytearray(config.to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert RevisionConfig.from_bytes(bytes(raw)).to_bytes() == raw
    except VerificationError as problem:
        assert problem.why


def test_containers_start_by_group_and_then_in_the_order_of_the_list(config: RevisionConfig):
    rootfs, web = config.layers[3], config.layers[4]
    early = msgspec.structs.replace(web, name="early", start_group=0, after=[])
    changed = msgspec.structs.replace(config, layers=[*config.layers[:3], web, rootfs, early])
    assert [layer.name for layer in changed.containers()] == ["rootfs", "early", "web"]


def test_media_types_are_those_of_the_contract():
    assert {role: media_type(role) for role in ("efi", "kernel", "initramfs", "boot-env", "modules", "dtb")} == {
        "efi": "application/vnd.pycontainer.efi.v1",
        "kernel": "application/vnd.pycontainer.kernel.v1",
        "initramfs": "application/vnd.pycontainer.initramfs.v1.cpio",
        "boot-env": "application/vnd.pycontainer.boot-env.v1",
        "modules": "application/vnd.pycontainer.modules.v1.squashfs",
        "dtb": "application/vnd.pycontainer.dtb.v1",
    }
    assert media_type("run-config") == "application/vnd.oci.runtime.config.v1+json"


def test_the_creation_time_does_not_depend_on_the_time_zone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert created_at(0) == "1970-01-01T00:00:00Z"


def test_the_document_of_a_layer_may_be_a_blob_of_it_and_is_no_other_than_the_revision_names(config: RevisionConfig):
    with_document = [msgspec.structs.replace(each, blobs={**each.blobs, "sbom": each.spdx}) for each in config.layers]
    kept = msgspec.structs.replace(config, layers=with_document)
    assert RevisionConfig.from_bytes(kept.to_bytes()) == kept
    other = msgspec.structs.replace(config.layers[0], blobs={**config.layers[0].blobs, "sbom": "sha256:" + "e" * 64})
    with pytest.raises(BuildError, match="is wrong"):
        msgspec.structs.replace(config, layers=[other, *config.layers[1:]]).to_bytes()
