# SPDX-License-Identifier: MIT
"""Each key of the Compose Specification is honoured, needless or refused by name; none is passed over in silence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.compose.draft import Needless, Refused
from orchestrator.compose.importer import SERVICE

KEYS = [
    line
    for line in (Path(__file__).parents[2] / "data" / "compose-keys.txt").read_text().splitlines()
    if not line.startswith("#")
]

# Every key of a service with every key below it. Where a rule refuses or needs nothing as a whole, one value is enough.
SAMPLES = r"""
annotations: {role: front}
attach: false
blkio_config: {weight: 300}
build: {context: .}
cap_add: [NET_ADMIN]
cap_drop: [ALL]
cgroup: private
cgroup_parent: m
command: [/bin/x]
configs: [{source: conf, target: /etc/x, uid: "1", gid: "1", mode: 0440}]
container_name: other
cpu_count: 1
cpu_percent: 50
cpu_period: 100000
cpu_quota: 50000
cpu_rt_period: 1
cpu_rt_runtime: 1
cpu_shares: 73
cpus: 0.5
cpuset: "0"
credential_spec: {file: x}
depends_on: {db: {condition: service_started, required: true, restart: false}}
deploy:
  mode: replicated
  replicas: 1
  endpoint_mode: vip
  labels: {a: b}
  placement: {constraints: [a]}
  resources: {limits: {cpus: "0.5", memory: 50M, pids: 10}, reservations: {memory: 1M}}
  restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 120s}
  rollback_config: {order: stop-first}
  update_config: {order: stop-first}
develop: {watch: []}
device_cgroup_rules: ["c 1:3 mr"]
devices: [{source: /dev/ttyS1, target: /dev/ttyS9, permissions: rw}]
dns: [192.0.2.1]
dns_opt: [use-vc]
dns_search: [example.org]
domainname: example.org
entrypoint: [/bin/x]
env_file: [{path: app.env, required: true, format: raw}]
environment: {A: b}
expose: ["80"]
extends: {service: db}
external_links: [redis]
extra_hosts: {gate: 192.0.2.1}
gpus: all
group_add: [audio]
healthcheck:
  test: [CMD, /bin/x]
  interval: 10s
  timeout: 5s
  retries: 2
  start_period: 3s
  start_interval: 1s
  disable: false
hostname: here
image: registry.example/app
init: true
ipc: private
isolation: default
label_file: labels
labels: {a: b}
links: [db]
logging: {driver: local, options: {max-size: 1m, max-file: "2"}}
mac_address: "02:42:ac:11:65:43"
mem_limit: 64m
mem_reservation: 1m
mem_swappiness: 10
memswap_limit: 64m
models: [m]
network_mode: bridge
networks:
  default:
    aliases: [app]
    driver_opts: {a: b}
    gw_priority: 1
    interface_name: eth0
    ipv4_address: 10.0.0.1
    ipv6_address: "2001:db8::1"
    link_local_ips: [169.254.1.1]
    mac_address: "02:42:ac:11:65:43"
    priority: 1
oom_kill_disable: false
oom_score_adj: 1
pid: ""
pids_limit: 10
platform: linux/amd64
ports: [{target: 80, published: "8080", protocol: tcp, host_ip: 0.0.0.0, mode: host, name: web, app_protocol: http}]
post_start: [{command: x}]
pre_start: [{command: x}]
pre_stop: [{command: x}]
privileged: false
profiles: []
provider: {type: x}
pull_policy: always
pull_refresh_after: 1d
read_only: true
restart: always
runtime: runc
scale: 1
secrets: [{source: hush, target: x, uid: "1", gid: "1", mode: 0400}]
security_opt: [no-new-privileges]
shm_size: 1m
stdin_open: false
stop_grace_period: 5s
stop_signal: SIGINT
storage_opt: {size: 1G}
sysctls: {net.core.somaxconn: 1024}
tmpfs: [/scratch]
tty: false
ulimits: {nofile: {soft: 1, hard: 2}}
use_api_socket: true
user: "1"
userns_mode: ""
uts: ""
volumes:
  - {type: volume, source: data, target: /d, read_only: true, consistency: cached,
     volume: {nocopy: true, subpath: a, labels: {a: b}}}
  - {type: bind, source: ./conf, target: /c, read_only: true,
     bind: {propagation: private, create_host_path: true, recursive: enabled, selinux: z}}
  - {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 0755}}
  - {type: image, source: x, target: /i, image: {subpath: a}}
volumes_from: [db]
working_dir: /x
"""
SAMPLE = yaml.load(SAMPLES, yaml.BaseLoader)
TOP = r"""
version: "3.8"
name: shop
include: [other.yaml]
models: {m: {model: x}}
networks:
  default:
    name: n
    driver: bridge
    driver_opts: {a: b}
    ipam: {driver: default}
    external: false
    internal: false
    enable_ipv4: true
    enable_ipv6: false
    attachable: true
    labels: {a: b}
volumes: {data: {name: d, driver: local, driver_opts: {a: b}, external: false, labels: {a: b}}}
secrets:
  hush:
    name: n
    file: ./secret.txt
    environment: X
    external: false
    labels: {a: b}
    driver: x
    driver_opts: {a: b}
    template_driver: x
configs:
  conf: {name: n, file: ./secret.txt, content: x, environment: X, external: false, labels: {a: b}, template_driver: x}
"""


def paths(value: Any, path: str) -> Iterator[str]:
    """The keys in a value, lists passed through."""
    for item in value if isinstance(value, list) else [value]:
        for key, inner in item.items() if isinstance(item, dict) else ():
            yield f"{path}.{key}"
            yield from paths(inner, f"{path}.{key}")


def document(key: str) -> str:
    service = {"image": "registry.example/app", key: SAMPLE[key]}
    if key in ("dns_opt", "dns_search"):
        service["dns"] = "192.0.2.1"
    if key == "memswap_limit":
        service["mem_limit"] = "64m"
    services = {"app": service, "db": {"image": "registry.example/db", "healthcheck": {"test": "true"}}}
    top = yaml.load(TOP, yaml.BaseLoader)
    return yaml.safe_dump({"services": services, **{name: top[name] for name in ("volumes", "secrets", "configs")}})


def plain(path: str) -> str:
    """A path without the positions in lists."""
    return "".join(part.partition("]")[2] if "]" in part else part for part in path.split("["))


SERVICE_KEYS = sorted({line.split(".")[2] for line in KEYS if line.startswith("services.*.")})


def test_the_samples_have_each_key_that_is_listed_and_the_rules_no_other():
    assert set(SAMPLE) == set(SERVICE) >= set(SERVICE_KEYS)
    assert set(SERVICE) - set(SERVICE_KEYS) <= {"pre_start"}  # later than the list


@pytest.mark.parametrize("key", sorted(SAMPLE))
def test_a_key_of_a_service_is_honoured_needless_or_refused_by_name(take, key):
    result = take(document(key))
    entries = [entry for entry in result.services[0].entries if plain(entry.path).startswith(f"app.{key}")]
    assert entries, f"nothing is said of {key}"
    for entry in entries:
        assert entry.status == "honoured" or entry.why, entry
        assert "no such key" not in entry.why, entry
        assert entry.status != "refused" or entry.hint, entry


WALKED = sorted(key for key in SERVICE_KEYS if not isinstance(SERVICE[key], Refused | Needless))
NAMES = {"depends_on": "db", "networks": "default", "ulimits": "nofile"}


@pytest.mark.parametrize("key", [key for key in WALKED if any(f"services.*.{key}." in line for line in KEYS)])
def test_a_key_below_a_key_is_judged_too(take, key):
    """But below what is refused or needless as a whole."""
    told = {plain(entry.path): entry.status for entry in take(document(key)).services[0].entries}
    given = set(paths({key: SAMPLE[key]}, "app"))
    for line in [line for line in KEYS if line.startswith(f"services.*.{key}.")]:
        parts = [NAMES.get(key, part) if part == "*" else part for part in line.split(".")[2:]]
        above = [".".join(["app", *parts[:length]]) for length in range(1, len(parts) + 1)]
        if any(told.get(path) in ("refused", "needless") for path in above):
            continue
        assert above[-1] in given, f"the sample lacks {line}"
        judged = any(path in told for path in above) or any(path.startswith(above[-1] + ".") for path in told)
        assert judged, f"nothing is said of {line}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bogus", "1"),
        ("restrat", "always"),
        ("healthcheck", {"test": "true", "bogus": "1"}),
        ("logging", {"bogus": "1"}),
        ("logging", {"options": {"bogus": "1"}}),
        ("deploy", {"bogus": "1"}),
        ("deploy", {"resources": {"bogus": "1"}}),
        ("deploy", {"resources": {"limits": {"bogus": "1"}}}),
        ("deploy", {"restart_policy": {"bogus": "1"}}),
        ("depends_on", {"db": {"condition": "service_started", "bogus": "1"}}),
        ("ports", [{"target": "80", "published": "80", "bogus": "1"}]),
        ("volumes", [{"type": "volume", "source": "data", "target": "/d", "bogus": "1"}]),
        ("volumes", [{"type": "tmpfs", "target": "/d", "tmpfs": {"bogus": "1"}}]),
        ("volumes", [{"type": "volume", "source": "data", "target": "/d", "volume": {"bogus": "1"}}]),
        ("secrets", [{"source": "hush", "bogus": "1"}]),
        ("devices", [{"source": "/dev/ttyS1", "bogus": "1"}]),
        ("env_file", [{"path": "app.env", "bogus": "1"}]),
        ("networks", {"default": {"bogus": "1"}}),
        ("ulimits", {"nofile": {"soft": "1", "hard": "2", "bogus": "1"}}),
    ],
)
def test_a_key_that_the_specification_does_not_have_is_refused_wherever_it_stands(take, key, value):
    text = yaml.load(document("image"), yaml.BaseLoader)
    text["services"]["app"][key] = value
    refused = take(yaml.safe_dump(text)).refused
    assert [
        plain(entry.path) for entry in refused if "bogus" in entry.path or "restrat" in entry.path or key in entry.path
    ]


@pytest.mark.parametrize(
    "line", [line for line in KEYS if not line.startswith("services") and line.count(".") in (0, 2)]
)
def test_a_key_beside_the_services_is_judged_too(take, line):
    text = yaml.load(TOP, yaml.BaseLoader)
    grants = {"secrets": ["hush"], "configs": ["conf"], "volumes": ["data:/d"], "networks": ["default"]}
    text["services"] = {"app": {"image": "registry.example/app", **grants}}
    told = {plain(entry.path) for entry in take(yaml.safe_dump(text)).entries}
    names = {"secrets": "hush", "configs": "conf", "volumes": "data", "networks": "default"}
    if line in names:
        assert any(path.startswith(line) for path in told)
        return
    top, *rest = line.split(".")
    wanted = ".".join([top, *(names.get(top, "m") if part == "*" else part for part in rest)])
    assert any(wanted == path or wanted.startswith(path + ".") for path in told), f"nothing is said of {line}"
