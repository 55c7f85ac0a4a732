# SPDX-License-Identifier: MIT
"""Order with conditions, limits, kernel settings, labels and memory in the product file."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.product.load import parse_product
from orchestrator.product.process import After, Tmpfs, Ulimit

HEAD = "product: demo\nversion: 1.0.0\nmachine: qemu-amd64\nlayers:\n"
SETUP = "  setup: {kind: app, from: {tar: a.tar}, restart: {policy: on-failure}}\n"
WEB = "  web:\n    kind: app\n    from: {tar: a.tar}\n"


def load(web: str, before: str = SETUP):
    lines = "".join(f"    {line}\n" for line in web.splitlines())
    return parse_product(Path("pycontainer.yaml"), HEAD + before + WEB + lines)


def refused(web: str, before: str = SETUP) -> str:
    with pytest.raises(ConfigError) as caught:
        load(web, before)
    return str(caught.value)


def test_what_a_layer_waits_for_is_a_name_or_a_name_with_a_condition():
    product = load("after: [setup]")
    assert product.layers["web"].predecessors == [After(layer="setup")]
    product = load("after: [{layer: setup, condition: completed}]")
    assert product.layers["web"].predecessors == [After(layer="setup", condition="completed")]
    assert product.start_groups() == {"setup": 1, "web": 2}


def test_the_end_of_what_always_runs_is_not_waited_for():
    always = "  setup: {kind: app, from: {tar: a.tar}}\n"
    problem = refused("after: [{layer: setup, condition: completed}]", always)
    assert "layers.web.after[0]: setup is always started again" in problem
    assert "policy: on-failure" in problem


def test_the_health_of_what_is_not_asked_is_not_waited_for():
    assert "setup has no health check" in refused("after: [{layer: setup, condition: healthy}]")
    none = "  setup: {kind: app, from: {image: 'oci:x'}, health: none}\n"
    assert "setup has no health check" in refused("after: [{layer: setup, condition: healthy}]", none)
    image = "  setup: {kind: app, from: {image: 'oci:x'}}\n"
    load("after: [{layer: setup, condition: healthy}]", image)  # the image may bring one


def test_one_layer_is_not_waited_for_twice_nor_with_an_unknown_condition():
    assert "the layer setup is named twice" in refused("after: [setup, {layer: setup, condition: completed}]")
    problem = refused("after: [{layer: setup, condition: complete}]")
    assert "'complete' is not one of" in problem
    assert "did you mean 'completed'?" in problem


def test_limits_settings_labels_and_memory_are_read():
    web = load(
        "ulimits: {nofile: 4096, core: {soft: 0, hard: 1}}\nsysctls: {net.core.somaxconn: 1024}\n"
        "labels: {com.example.role: front, com.example.count: 3}\ngroups: [audio, '44']\nstopSignal: 15\n"
        "tmpfs: [/run, {destination: /cache, size: 8MiB, mode: '0700', uid: 5}]\nshmSize: 64MiB"
    ).layers["web"]
    assert web.ulimits == {"nofile": 4096, "core": Ulimit(soft=0, hard=1)}
    assert web.sysctls == {"net.core.somaxconn": "1024"}
    assert web.labels == {"com.example.role": "front", "com.example.count": "3"}
    assert (web.groups, web.stop_signal, web.shm_size) == (["audio", "44"], "15", "64MiB")
    assert web.in_memory == [Tmpfs(destination="/run"), Tmpfs(destination="/cache", size="8MiB", mode="0700", uid=5)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sysctls: {vm.swappiness: 1}", "a setting of the whole device"),
        ("sysctls: {kernel.hostname: x}", "a setting of the whole device"),
        ("sysctls: {net..x: 1}", "a setting of the whole device"),
        ("sysctls: {net.core/../../kernel.panic: 1}", "a setting of the whole device"),
        ('sysctls: {net.core.somaxconn: "1\\n2"}', "not a value of one line"),
        ("sysctls: {net.ipv4.ip_forward: 1}\nrelax: [{network: host, reason: it is a router}]", "the device's own"),
        ("labels: {run.oci.keep_original_groups: '1'}", "would change how the container is run"),
        ("ulimits: {nofile: {soft: 2, hard: 1}}", "the soft limit 2 is above the hard one"),
        ("ulimits: {NoFile: 1}", "a resource limit of setrlimit(2)"),
        ("tmpfs: [/a, {destination: /a}]", "the destination /a is named twice"),
        ("tmpfs: [{destination: /a, size: 1}]", "size"),
        ("shmSize: 1kB", "at least 4096"),
        ("stopSignal: kill -9", "a signal's name or number"),
    ],
)
def test_what_a_container_must_not_have_is_refused_by_name(line, said):
    assert said in refused(line)
