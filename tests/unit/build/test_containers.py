# SPDX-License-Identifier: MIT
"""What the product file says of containers and of the device arrives in the layer, the revision and the audit."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from orchestrator.build.audit import product_rating
from orchestrator.build.containers import (
    check_platform,
    check_waits,
    container_layer,
    image_source,
    reachable_ports,
    run_options,
)
from orchestrator.build.platform import conditions, kernel_arguments, product_relaxations
from orchestrator.cli.main import main
from orchestrator.errors import ConfigError
from orchestrator.layers.audit import relaxations
from orchestrator.layers.cache import BuiltLayer, RunFacts
from orchestrator.layers.imageconfig import Health as ImageHealth
from orchestrator.layers.options import DeviceNode, Rlimit
from orchestrator.oci.platform import parse_platform
from orchestrator.product.model import Layer, Product
from orchestrator.product.reference import parse_reference
from orchestrator.revision import (
    Conditions,
    Confirm,
    FileCondition,
    Health,
    HttpCheck,
    Io,
    PublishedPort,
    ReachCondition,
    UserNamespace,
)

IMAGE_CHECK = ImageHealth(("/bin/check",), interval=5000)
PRODUCT = {
    "product": "demo",
    "version": "1",
    "machine": "qemu-amd64",
    "layers": {"web": {"kind": "app", "from": {"tar": "x.tar"}}},
}


def layer(**words: object) -> Layer:
    return msgspec.convert({"kind": "app", "from": {"tar": "x.tar"}} | words, Layer)


def entry(of: Layer, health: ImageHealth | None = None):
    options = run_options("web", of, Path("/product"))
    built = BuiltLayer("web", {}, RunFacts(15, (), health, ("80/tcp",), 0, 0), ())
    return container_layer(options, of, "1", built, "sha256:" + "5" * 64, 1)


def test_a_container_that_says_nothing_has_no_network_and_no_check():
    made = entry(layer())
    assert (made.network, made.ports, made.io, made.control, made.required) == ("none", [], None, [], False)
    assert made.health is None
    assert made.confirm == Confirm(healthy_for_ms=10000, max_restarts=3)


def test_the_products_health_check_comes_before_the_images():
    of_image = Health(command=["/bin/check"], interval_ms=5000)
    assert entry(layer(), IMAGE_CHECK).health == of_image
    assert entry(layer(health="none"), IMAGE_CHECK).health is None
    made = entry(layer(health={"http": {"port": 80, "path": "/up"}, "startPeriod": "20s", "retries": 5}), IMAGE_CHECK)
    assert made.health == Health(http=HttpCheck(port=80, path="/up"), start_period_ms=20000, retries=5)
    assert entry(layer(health={"tcp": 80, "timeout": "2s"})).health == Health(tcp=80, timeout_ms=2000)
    assert entry(layer(health={"command": ["/x", "-y"]})).health == Health(command=["/x", "-y"])


def test_published_ports_bring_the_bridge():
    published = layer(ports=["8080:80", "53:53/udp"])
    made = entry(published)
    assert made.network == "bridge"
    assert made.ports == [
        PublishedPort(host=8080, container=80, protocol="tcp"),
        PublishedPort(host=53, container=53, protocol="udp"),
    ]
    found = [(each.what, each.reason) for each in relaxations(run_options("web", published, Path("/")))]
    assert found == [
        ("has an address on the device's bridge", "network: bridge, or ports, in the product file"),
        ("publishes 8080/tcp to its port 80", "a published port"),
        ("publishes 53/udp to its port 53", "a published port"),
    ]
    assert entry(layer(network="bridge")).network == "bridge"
    assert entry(layer(relax=[{"network": "host", "reason": "it sets addresses"}])).network == "host"


def test_a_bridged_container_is_reached_by_what_it_publishes_and_no_other_port():
    built = BuiltLayer("web", {}, RunFacts(15, (), None, ("80/tcp",), 0, 0), ())
    assert reachable_ports(layer(ports=["8080:80"]), built) == ("8080/tcp",)
    assert reachable_ports(layer(network="bridge"), built) == ()
    assert reachable_ports(layer(), built) == ("80/tcp",)


def test_limits_and_confirmation_are_taken_over():
    made = entry(layer(io={"write": "5MiB"}, required=True, confirm={"healthyFor": "1m", "maxRestarts": 0}))
    assert made.io == Io(read_bytes_per_second=0, write_bytes_per_second=5 << 20)
    assert made.required
    assert made.confirm == Confirm(healthy_for_ms=60000, max_restarts=0)


def test_devices_and_verbs_are_relaxations_with_their_own_reasons():
    words = [
        {"control": ["status", "ps"], "reason": "a page shows it"},
        {"control": ["ps", "logs"], "reason": "and the logs"},
        {
            "devices": [{"path": "/dev/ttyS1", "major": 4, "minor": 65, "access": "r", "gid": 20}],
            "reason": "the sensor",
        },
        {"devices": [{"path": "/dev/sda", "kind": "b", "major": 8, "minor": 0}], "reason": "the disk tool"},
    ]
    relaxed = layer(relax=words)
    options = run_options("web", relaxed, Path("/"))
    assert options.devices == (
        DeviceNode("/dev/ttyS1", "c", 4, 65, "r", 0o660, 0, 20),
        DeviceNode("/dev/sda", "b", 8, 0, "rw", 0o660, 0, 0),
    )
    assert options.control == ("status", "ps", "logs")
    assert entry(relaxed).control == ["logs", "ps", "status"]
    assert [(each.key, each.what, each.reason) for each in relaxations(options)] == [
        ("devices", "may use /dev/sda (b 8:0, rw)", "the disk tool"),
        ("devices", "may use /dev/ttyS1 (c 4:65, r)", "the sensor"),
        ("control", "may ask the device for status, ps, logs", "a page shows it; and the logs"),
    ]


def test_profiles_privileges_and_users_are_relaxed_each_with_its_reason():
    relax = [
        {"apparmor": "unconfined", "reason": "it is a debugger"},
        {"newPrivileges": "allowed", "reason": "it uses sudo"},
        {"userNamespace": "host", "reason": "its files have large numbers"},
    ]
    options = run_options("web", layer(relax=relax), Path("/product"), 2**20)
    assert (options.apparmor, options.no_new_privileges, options.users, options.user_base) == (
        "unconfined", False, "host", 2**20,
    )  # fmt: skip
    assert [(each.key, each.reason) for each in relaxations(options)] == [
        ("apparmor", "it is a debugger"),
        ("users", "its files have large numbers"),
        ("new_privileges", "it uses sudo"),
    ]


def test_a_profile_of_the_product_lies_beside_its_file_and_cannot_be_given_up_as_well():
    assert run_options("web", layer(apparmor="web.profile"), Path("/product")).apparmor_profile == Path(
        "/product/web.profile"
    )
    relax = [{"apparmor": "unconfined", "reason": "it is a debugger"}]
    with pytest.raises(msgspec.ValidationError, match="a profile of its own"):
        layer(apparmor="web.profile", relax=relax)


def test_what_was_built_with_users_and_a_profile_is_so_in_the_revision():
    facts = RunFacts(15, (), None, (), 0, 0, apparmor="pycontainer.web.0123456789ab", user_base=2**20)
    of = layer()
    built = BuiltLayer("web", {}, facts, ())
    made = container_layer(run_options("web", of, Path("/product")), of, "1", built, "sha256:" + "5" * 64, 1)
    assert made.apparmor == "pycontainer.web.0123456789ab"
    assert made.user_namespace == UserNamespace(host_id=2**20, size=65536)


def test_the_control_port_is_a_kernel_argument_and_stands_in_the_audit():
    words = {"kernel": {"args": ["quiet"]}, "control": {"port": "ttyS1", "reason": "for the factory"}}
    product = msgspec.convert(PRODUCT | words, Product)
    assert kernel_arguments(product) == ["quiet", "pycontainer.control=ttyS1"]
    assert [(each.what, each.reason) for each in product_relaxations(product)] == [
        ("obeys every verb on the port ttyS1", "for the factory")
    ]
    plain = msgspec.convert(PRODUCT, Product)
    assert kernel_arguments(plain) == []
    assert product_relaxations(plain) == []


def test_the_conditions_of_the_product_are_those_of_the_revision():
    assert conditions(msgspec.convert(PRODUCT, Product)) == Conditions()
    confirm = {
        "timeout": "2m",
        "manual": True,
        "files": [{"layer": "web", "volume": "data", "path": "a"}],
        "reachable": [{"address": "192.0.2.1", "port": 53}],
    }
    assert conditions(msgspec.convert(PRODUCT | {"confirm": confirm}, Product)) == Conditions(
        timeout_ms=120_000,
        manual=True,
        files=[FileCondition(layer="web", volume="data", path="a")],
        reachable=[ReachCondition(address="192.0.2.1", port=53)],
    )


def test_the_audit_lists_the_product_first_and_then_its_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "pycontainer.yaml").write_text(
        "product: demo\nversion: 1\nmachine: qemu-amd64\n"
        "control: {port: ttyS1, reason: for the factory}\n"
        "layers: {web: {kind: app, from: {tar: x.tar}, ports: ['8080:80']}}\n"
    )
    assert main(["audit", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["relaxations"][0] == {
        "layer": None, "what": "obeys every verb on the port ttyS1", "reason": "for the factory", "points": 15,
    }  # fmt: skip
    assert found["relaxations"][2] == {
        "layer": "web",
        "what": "has an address on the device's bridge",
        "reason": "network: bridge, or ports, in the product file",
        "points": 3,
    }
    assert [(each["layer"], each["grade"], each["points"]) for each in found["layers"]] == [
        (None, "B", 17), ("web", "A", 10),
    ]  # fmt: skip
    assert found["grade"] == "B"
    assert main(["audit", str(tmp_path), "--all"]) == 0
    said = capsys.readouterr().out
    assert main(["audit", "-C", str(tmp_path), "--all"]) == 0
    assert capsys.readouterr().out == said
    text = " ".join(said.split())
    assert "(the product) 15 obeys every verb on the port ttyS1 for the factory" in text
    assert "web 1 publishes 8080/tcp to its port 80" in text
    assert "web has an AppArmor profile" in text


@pytest.mark.parametrize(
    ("platform", "machine", "runs"),
    [
        (None, "amd64", True),
        ("linux/amd64/v2", "amd64", True),
        ("linux/386", "amd64", True),
        ("linux/arm/v7", "arm64", True),
        ("linux/arm64", "amd64", False),
        ("linux/amd64", "arm64", False),
        ("windows/amd64", "amd64", False),
    ],
)
def test_an_image_for_a_platform_that_the_machine_does_not_run_is_refused(platform, machine: str, runs: bool):
    more = {} if platform is None else {"platform": platform}
    of = layer(**{"from": {"image": "oci:web"} | more})
    if runs:
        check_platform("web", of, machine)
        return
    with pytest.raises(ConfigError, match=f"layer web: the machine does not run {platform}"):
        check_platform("web", of, machine)


def test_an_image_that_is_not_there_is_named_with_its_path(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"the image oci:images/web:1 is not there") as caught:
        image_source(parse_reference("oci:images/web:1"), parse_platform("linux/amd64"), tmp_path)
    assert str(tmp_path / "images/web") in caught.value.why


def test_limits_settings_and_what_it_waits_for_arrive_in_the_layer_and_the_revision():
    of = layer(
        ulimits={"nofile": 4096, "nproc": {"soft": 1, "hard": 2}},
        sysctls={"net.core.somaxconn": "9"},
        labels={"role": "front"},
        groups=["audio"],
        stopSignal="QUIT",
        shmSize="1MiB",
        tmpfs=["/run", {"destination": "/cache", "size": "1MiB", "uid": 5}],
        volumes=[{"name": "data", "destination": "/data", "readOnly": True}],
        files=[{"source": "secret", "destination": "/run/secrets/x", "mode": "0400"}],
        after=["db", {"layer": "setup", "condition": "completed"}],
    )
    options = run_options("web", of, Path("/product"))
    assert options.rlimits == (Rlimit("nofile", 4096, 4096), Rlimit("nproc", 1, 2))
    assert (options.sysctls, options.labels) == ({"net.core.somaxconn": "9"}, {"role": "front"})
    assert (options.groups, options.stop_signal, options.shared_memory) == (("audio",), "QUIT", 2**20)
    assert [(each.destination, each.size, each.uid) for each in options.tmpfs] == [
        ("/run", 16 * 2**20, 0),
        ("/cache", 2**20, 5),
    ]
    assert options.volumes[0].read_only
    assert options.files[0].mode == 0o400
    assert (entry(of).after, entry(of).after_end) == (["db"], ["setup"])


def test_a_layer_that_waits_for_health_needs_a_check_of_the_other():
    file = {"kind": "app", "from": {"image": "oci:x"}}
    waits = file | {"after": [{"layer": "db", "condition": "healthy"}]}
    product = msgspec.convert(PRODUCT | {"layers": {"db": file, "web": waits}}, Product)
    check_waits(product, {"db"})
    with pytest.raises(ConfigError) as caught:
        check_waits(product, {"web"})
    assert "waits until db is healthy, which nobody can tell" in caught.value.what


@pytest.mark.parametrize(("least", "code"), [("A", 7), ("B", 0), ("E", 0)])
def test_an_audit_below_the_wanted_grade_ends_with_the_code_of_a_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], least: str, code: int
):
    (tmp_path / "pycontainer.yaml").write_text(
        "product: demo\nversion: 1\nmachine: qemu-amd64\nkernel: {args: [mitigations=off]}\n"
        "layers: {web: {kind: app, from: {tar: x.tar}, user: www, memory: 8MiB}}\n"
    )
    assert main(["audit", str(tmp_path), "--json", "--at-least", least]) == code
    found = json.loads(capsys.readouterr().out)
    assert (found["grade"], found["atLeast"], found["ok"]) == ("B", least, code == 0)


@pytest.mark.parametrize(
    ("argument", "points"),
    [
        ("init=/bin/sh", 60), ("apparmor=0", 20), ("mitigations=off", 15), ("nokaslr", 10), ("debug", 5),
        ("sysctl.kernel.sysrq=1", 3), ("debugfs=off", None), ("apparmor=1", None), ("panic=5", None), ("quiet", None),
    ],
)  # fmt: skip
def test_kernel_arguments_that_open_the_device_count(argument: str, points: int | None):
    product = msgspec.convert(PRODUCT | {"kernel": {"args": [argument]}, "apparmor": "required"}, Product)
    rating = product_rating(product)
    assert [each.points for each in rating.found] == ([] if points is None else [points])
    assert ("has no kernel argument that opens anything" in rating.holds) == (points is None)
