# SPDX-License-Identifier: MIT
"""A compose file becomes layers that say the same, or the import says what it cannot."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest

from orchestrator.build.containers import run_options
from orchestrator.compose.devices import device_numbers
from orchestrator.errors import ConfigError
from orchestrator.layers.userns import why_shared
from orchestrator.product.model import Layer

SHOP = """
x-common: &common
  restart: unless-stopped
  logging: {driver: json-file, options: {max-size: 10m, max-file: "3"}}
services:
  web:
    <<: *common
    image: registry.example/web:${TAG:-1.2}
    command: serve --name "a b" $$HOME
    ports: ["8080:80", 22:22, "9000-9001:9000-9001/udp"]
    depends_on: {db: {condition: service_healthy}, setup: {condition: service_completed_successfully}}
    environment: {A: 1.10, B: "x$$y", C: }
    cap_add: [net_admin]
    volumes: [./conf:/etc/app:ro, "data:/data", /cache]
    tmpfs: ["/run:size=8m,mode=0755", /tmp]
    deploy: {resources: {limits: {cpus: "0.50", memory: 50M, pids: 100}}}
    stop_signal: sigquit
    stop_grace_period: 1m30s
  db:
    image: registry.example/db
    healthcheck: {test: pg_isready, interval: 1m30s, start_period: 2s, retries: 5}
    volumes: [{type: volume, source: DbData, target: /var/lib/db}]
    user: "999"
    mem_limit: 1g
    ulimits: {nofile: 1024}
  setup:
    image: registry.example/setup
    network_mode: none
    restart: on-failure:3
volumes: {data: , DbData: {}}
"""


def test_a_file_with_three_services_becomes_three_layers(take):
    result = take(SHOP)
    assert result.refused == []
    assert result.layers == {
        "web": {
            "kind": "app",
            "from": {"image": "registry.example/web:1.2"},
            "files": [{"source": "conf", "destination": "/etc/app"}],
            "command": ["serve", "--name", "a b", "$HOME"],
            "environment": {"A": "1.10", "B": "x$y"},
            "volumes": [
                {"name": "data", "destination": "/data"},
                {"name": "cache", "destination": "/cache", "kind": "boot"},
            ],
            "tmpfs": [{"destination": "/run", "size": "8MiB", "mode": "0755"}, "/tmp"],
            "memory": "50MiB",
            "cpus": 0.5,
            "pids": 100,
            "ports": ["8080:80", "22:22", "9000:9000/udp", "9001:9001/udp"],
            "restart": {"policy": "always"},
            "after": [{"layer": "db", "condition": "healthy"}, {"layer": "setup", "condition": "completed"}],
            "stopSignal": "SIGQUIT",
            "stopTimeout": "90s",
            "logs": {"maxSize": "10MiB", "files": 3},
            "relax": [
                {"capabilities": ["NET_ADMIN"], "reason": "to be reviewed: imported from compose.yaml, web.cap_add"}
            ],
        },
        "db": {
            "kind": "app",
            "from": {"image": "registry.example/db"},
            "user": "999",
            "volumes": [{"name": "dbdata", "destination": "/var/lib/db"}],
            "memory": "1GiB",
            "ulimits": {"nofile": 1024},
            "network": "bridge",
            "health": {
                "command": ["/bin/sh", "-c", "pg_isready"],
                "interval": "90s",
                "startPeriod": "2s",
                "retries": 5,
            },
            "restart": {"policy": "no"},
        },
        "setup": {
            "kind": "app",
            "from": {"image": "registry.example/setup"},
            "restart": {"policy": "on-failure", "maxRetries": 3},
        },
    }
    for layer in result.layers.values():
        msgspec.convert(layer, Layer)


def test_what_is_tighter_than_with_an_engine_is_said_of_each_service(take):
    web, db, _ = take(SHOP).services
    assert any("read-only root" in text for text in web.tightened)
    assert any("no capabilities" in text for text in web.tightened)
    assert any("not started again" in text for text in db.tightened)
    assert not any("not started again" in text for text in web.tightened)


def test_an_engines_defaults_are_given_on_demand_with_a_reason_to_review(take):
    text = "services: {app: {image: a.b/c, cap_drop: [MKNOD], secrets: [hush]}}\nsecrets: {hush: {file: secret.txt}}"
    (app,) = take(text, keep_defaults=True).services
    relaxed, costly = app.layer["relax"]
    assert {"CHOWN", "SETFCAP", "SETUID"} <= set(relaxed["capabilities"])
    assert costly["capabilities"] == ["AUDIT_WRITE", "NET_RAW"]  # neither MKNOD nor what low ports need elsewhere
    assert all(each["reason"].startswith("to be reviewed: ") for each in (relaxed, costly))
    assert app.layer["tmpfs"] == ["/tmp", "/var/tmp"]  # not /run, which would hide the secret
    assert "/run is not writable: /run/secrets/hush lies there; name a tmpfs beside it" in app.tightened
    assert not any("no capabilities" in text for text in app.tightened)


@pytest.mark.parametrize(
    ("network", "costly"),
    [
        ("ports: ['80:80']", ["AUDIT_WRITE", "MKNOD", "NET_RAW"]),
        ("network_mode: none", ["AUDIT_WRITE", "MKNOD"]),
        ("network_mode: host", ["AUDIT_WRITE", "MKNOD", "NET_BIND_SERVICE", "NET_RAW"]),
    ],
)
def test_of_an_engines_defaults_those_that_cost_users_of_its_own_stand_alone(take, network, costly):
    (app,) = take(f"services: {{app: {{image: a.b/c, {network}}}}}", keep_defaults=True).services
    *others, dear = app.layer["relax"]
    assert dear["capabilities"] == costly
    assert any(f"as long as it keeps {', '.join(costly)}:" in text for text in app.tightened)
    assert any("without NET_BIND_SERVICE" in text for text in app.tightened) is ("ports" in network)
    # The product's own rule says the same of them.
    with_all, without = (
        run_options("app", msgspec.convert({**app.layer, "relax": relax}, Layer), Path(), 65536)
        for relax in ([*others, dear], others)
    )
    assert why_shared(with_all) == "AUDIT_WRITE would be without effect"
    assert why_shared(without) is None
    for name in costly:
        assert why_shared(dataclasses.replace(without, capabilities=(name,))) is not None


@pytest.mark.parametrize(
    ("service", "path", "said"),
    [
        ("privileged: true", "privileged", "own the device"),
        ("volumes: [/var/run/docker.sock:/var/run/docker.sock]", "volumes[0]", "no engine"),
        ("volumes: [./conf:/etc/app]", "volumes[0]", "add :ro"),
        ("volumes: [./nothing:/etc/app:ro]", "volumes[0]", "does not exist"),
        ("volumes: [../conf:/etc/app:ro]", "volumes[0]", "outside of the product"),
        ("volumes: [/etc/x:/etc/x:ro]", "volumes[0]", "another machine"),
        ("volumes: [data:relative]", "volumes[0]", "no absolute path"),
        ("volumes: [other:/x]", "volumes[0]", "no volume other"),
        ("ports: ['80']", "ports[0]", "left to chance"),
        ("ports: ['127.0.0.1:80:80']", "ports[0]", "not on 127.0.0.1 alone"),
        ("ports: ['1-9:1']", "ports[0]", "not equally many"),
        ("ports: ['1-900:1-900']", "ports[0]", "more than 64"),
        ("ports: ['99999:1']", "ports[0]", "1 to 65535"),
        ("ports: ['80:80/sctp']", "ports[0]", "protocol sctp"),
        ("ports: ['80:80']\n    network_mode: host", "ports", "publishes nothing"),
        ("network_mode: 'service:db'", "network_mode", "with the device or with nobody"),
        ("cap_add: [ALL]", "cap_add", "root on the device"),
        ("devices: [/dev/gpiochip0]", "devices[0]", "differ from device to device"),
        ("sysctls: {vm.swappiness: 1}", "sysctls.vm.swappiness", "whole device"),
        ("sysctls: [net.core.somaxconn=1, kernel.panic=1]", "sysctls.kernel.panic", "whole device"),
        ("mem_limit: 10", "mem_limit", "less than 1 MiB"),
        ("mem_limit: lots", "mem_limit", "a size such as"),
        ("pids_limit: -1", "pids_limit", "always has a limit"),
        ("healthcheck: {interval: 5s}", "healthcheck", "times of the image's check"),
        ("healthcheck: {test: [x]}", "healthcheck.test", "begins with"),
        ("restart: maybe", "restart", "policy maybe is unknown"),
        ("depends_on: [nobody]", "depends_on.nobody", "no service nobody"),
        ('command: "a \'b"', "command", "No closing quotation"),
        ("read_only: false", "read_only", "never writable"),
        ("read_only: perhaps", "read_only", "true or false"),
        ("deploy: {replicas: 2}", "deploy.replicas", "once"),
        ("security_opt: [seccomp=own.json]", "security_opt[0]", "own seccomp"),
        ("secrets: [nothing]", "secrets[0]", "no secret nothing"),
        ("configs: [far]", "configs[0]", "comes from an engine"),
        ("extends: {service: x}", "extends", "docker compose config"),
        ("logging: {driver: syslog}", "logging.driver", "keeps files"),
        ("logging: {options: {tag: x}}", "logging.options.tag", "a size and a number"),
        ("labels: {run.oci.handler: krun}", "labels", "how the container is run"),
        ("extra_hosts: [a=b]", "extra_hosts", "no address"),
        ("volumes: [data:/run]\n    secrets: [hush]", "volumes", "hides it"),
        ("tmpfs: /run\n    secrets: [hush]", "tmpfs", "hides it"),
        ("volumes: [{type: tmpfs, target: /run/}]\n    secrets: [hush]", "tmpfs", "hides it"),
        ("env_file: missing.env", "env_file", "cannot be read"),
    ],
)
def test_what_a_device_cannot_do_is_refused_with_what_to_do(take, service, path, said):
    top = "volumes: {data: }\nsecrets: {hush: {file: secret.txt}}\nconfigs: {far: {external: true}}\n"
    refused = take(f"services:\n  app:\n    image: a.b/c\n    {service}\n{top}").refused
    found = [entry for entry in refused if entry.path == f"app.{path}"]
    assert found, refused
    assert said in f"{found[0].why} {found[0].hint}"
    assert found[0].hint


def test_a_wrong_item_of_a_list_takes_no_other_with_it(take):
    result = take(
        "services: {app: {image: a.b/c, ports: ['80', '81:81'], volumes: ['/a:/a', 'data:/d']}}\nvolumes: {data: }"
    )
    assert [entry.path for entry in result.refused] == ["app.ports[0]", "app.volumes[0]"]
    assert result.layers["app"]["ports"] == ["81:81"]
    assert result.layers["app"]["volumes"] == [{"name": "data", "destination": "/d"}]


def test_keys_are_left_out_when_the_user_says_so_and_no_others(take):
    text = "services: {app: {image: a.b/c, init: true, tty: true}, db: {image: a.b/d, init: true}}"
    assert [entry.path for entry in take(text, drop=["app.init"]).refused] == ["app.tty", "db.init"]
    assert [entry.path for entry in take(text, drop=["init"]).refused] == ["app.tty"]
    assert take(text, drop=["all"]).refused == []
    assert [entry.path for entry in take(text, drop=["in"]).refused] == ["app.init", "app.tty", "db.init"]


def test_a_volume_of_two_services_is_refused(take):
    text = "services: {a: {image: r.e/a, volumes: ['d:/d']}, b: {image: r.e/b, volumes: ['d:/d']}}\nvolumes: {d: }"
    (entry,) = take(text).refused
    assert (entry.path, "is a's too" in entry.why) == ("b.volumes[0]", True)


def test_networks_that_keep_services_apart_are_refused_but_one_is_the_bridge(take):
    one = "services: {a: {image: r.e/a, networks: [n]}, b: {image: r.e/b, networks: {n: }}}\nnetworks: {n: }"
    assert take(one).refused == []
    two = one.replace("b: {image: r.e/b, networks: {n: }}", "b: {image: r.e/b, networks: [m]}").replace(
        "n: }", "n: , m: }"
    )
    refused = take(two).refused
    assert {entry.path for entry in refused} == {"a.networks", "b.networks"}
    assert all(layer["network"] == "bridge" for layer in take(two, drop=["networks"]).layers.values())


def test_images_without_a_registry_are_completed_or_refused(take):
    text = "services: {a: {image: nginx:1.25}, b: {build: .}, c: {image: localhost/x}, d: {build: ., image: r.e/d}}"
    assert [entry.path for entry in take(text).refused] == ["a.image", "b.build"]
    result = take(text, registry="r.example/hub/", images={"b": {"image": "docker-archive:b.tar"}})
    assert [layer["from"]["image"] for layer in result.layers.values()] == [
        "r.example/hub/nginx:1.25", "docker-archive:b.tar", "localhost/x", "r.e/d",
    ]  # fmt: skip
    assert [entry.path for entry in take("services: {a: {command: x}}").refused] == ["a.image"]


def test_profiles_and_names_choose_the_services(take):
    text = "services: {a: {image: r.e/a}, b: {image: r.e/b, profiles: [debug]}, c: {image: r.e/c, depends_on: [a]}}"
    assert take(text).passed == ("b",)
    assert take(text, profiles=["debug"]).passed == ()
    (entry,) = take(text, services=["c"]).refused
    assert "--service a" in entry.hint
    with pytest.raises(ConfigError, match="has no service x"):
        take(text, services=["x"])


def test_files_of_variables_come_before_the_services_own(take, tmp_path: Path):
    (tmp_path / ".env").write_text("TAG=7\nSHELL_WINS=no\n")
    (tmp_path / "app.env").write_text("# all\nA=file\nB='$TAG'\nC=\"$TAG\\n\"\nexport D=x # remark\nE\n")
    text = "services: {a: {image: 'r.e/a:$TAG', env_file: app.env, environment: [A=own, SHELL_WINS]}}"
    result = take(text, environment={"SHELL_WINS": "yes", "E": "from outside"})
    assert result.layers["a"]["from"] == {"image": "r.e/a:7"}
    assert result.layers["a"]["environment"] == {
        "A": "own", "B": "$TAG", "C": "7\n", "D": "x", "E": "from outside", "SHELL_WINS": "yes",
    }  # fmt: skip


def test_a_mount_that_hides_a_file_is_what_is_left_out(take):
    text = "services: {a: {image: r.e/a, tmpfs: [/run, /tmp], secrets: [hush]}}\nsecrets: {hush: {file: ./secret.txt}}"
    (service,) = take(text, drop=["tmpfs"]).services
    assert service.layer["tmpfs"] == ["/tmp"]
    assert [file["destination"] for file in service.layer["files"]] == ["/run/secrets/hush"]
    assert [entry.path for entry in service.entries if entry.status == "left out"] == ["a.tmpfs"]


def test_a_file_that_an_engine_would_merge_by_its_name_is_told_of(take, tmp_path):
    text = "services: {a: {image: r.e/a}}"
    assert take(text).entries == ()
    (tmp_path / "compose.override.yaml").write_text("services: {a: {privileged: true}}")
    (entry,) = take(text).entries
    assert (entry.path, entry.status) == ("compose.override.yaml", "left out")
    assert "docker compose config" in entry.hint


def test_secrets_configs_and_names_become_files_of_the_layer(take):
    result = take(
        "services: {a: {image: r.e/a, configs: [conf],"
        " secrets: [hush, {source: hush, target: /k, mode: 0400, uid: '5'}],"
        " extra_hosts: ['gate:192.0.2.1', 'me=host-gateway'], dns: 192.0.2.53, dns_search: example.org}}\n"
        "secrets: {hush: {file: ./secret.txt}}\nconfigs: {conf: {content: 'a=$X'}}",
        environment={"X": "1"},
    )
    assert result.layers["a"]["files"] == [
        {"source": "compose/a/conf", "destination": "/conf", "mode": "0444"},
        {"source": "secret.txt", "destination": "/run/secrets/hush", "mode": "0444"},
        {"source": "secret.txt", "destination": "/k", "mode": "0400", "uid": 5},
        {"source": "compose/a/hosts", "destination": "/etc/hosts"},
        {"source": "compose/a/resolv.conf", "destination": "/etc/resolv.conf"},
    ]
    assert result.files == {
        "compose/a/conf": b"a=1",
        "compose/a/hosts": b"127.0.0.1\tlocalhost\n192.0.2.1\tgate\n10.88.0.1\tme\n",
        "compose/a/resolv.conf": b"nameserver 192.0.2.53\nsearch example.org\n",
    }
    assert any("who has the image can read it" in text for text in result.services[0].tightened)
    assert not any("no name server" in text for text in result.services[0].tightened)


@pytest.mark.parametrize(("mode", "said"), [("", True), ("network_mode: host", True), ("network_mode: none", False)])
def test_a_service_that_is_handed_no_name_server_is_told_so(take, mode: str, said: bool):
    (service,) = take(f"services: {{a: {{image: r.e/a, {mode}}}}}").services
    assert any("no name server" in text for text in service.tightened) is said


def test_host_network_devices_and_seccomp_are_relaxations_that_name_their_origin(take):
    (app,) = take(
        "services: {a: {image: r.e/a, network_mode: host, devices: ['/dev/ttyUSB0:/dev/ttyS9:rw'],"
        " security_opt: [seccomp=unconfined, 'apparmor:unconfined', 'no-new-privileges:false'], userns_mode: host}}"
    ).services
    assert [{key: value for key, value in each.items() if key != "reason"} for each in app.layer["relax"]] == [
        {"network": "host"},
        {"devices": [{"path": "/dev/ttyS9", "kind": "c", "major": 188, "minor": 0, "access": "rw"}]},
        {"seccomp": "unconfined"},
        {"apparmor": "unconfined"},
        {"newPrivileges": "allowed"},
        {"userNamespace": "host"},
    ]
    assert {each.status for each in app.entries} == {"honoured"}
    assert all("to be reviewed: imported from compose.yaml, a." in each["reason"] for each in app.layer["relax"])
    assert "network" not in app.layer


@pytest.mark.parametrize("option", ["seccomp:x.json", "apparmor:docker-default", "label:disable", "sysbox"])
def test_other_security_options_are_refused_by_name(take, option):
    (refused,) = take(f"services: {{a: {{image: r.e/a, security_opt: ['no-new-privileges', '{option}']}}}}").refused
    assert refused.path == "a.security_opt[1]"


def test_values_of_variables_are_said_to_be_written_into_the_product(take):
    (app,) = take(
        "services: {a: {image: r.e/a, env_file: app.env,"
        " environment: ['URL=pg://${USER}:${PASS}@db', PLAIN=1, 'ALSO=$$1', GIVEN]}}",
        environment={"USER": "me", "PASS": "hush", "GIVEN": "x"},
    ).services
    (said,) = [text for text in app.tightened if "a password too" in text]
    assert said.startswith("ALSO, FROM_FILE, GIVEN, URL: ")
    assert "hush" not in said
    (app,) = take("services: {a: {image: r.e/a, environment: {PLAIN: '1'}}}").services
    assert not any("a password too" in text for text in app.tightened)


@pytest.mark.parametrize(
    ("path", "numbers"),
    [
        ("/dev/ttyS1", ("c", 4, 65)),
        ("/dev/tty1", ("c", 4, 1)),
        ("/dev/net/tun", ("c", 10, 200)),
        ("/dev/dri/renderD128", ("c", 226, 128)),
        ("/dev/dri/renderD1", None),
        ("/dev/i2c-1", ("c", 89, 1)),
        ("/dev/ttyS01", None),
        ("/dev/ttyS999", None),
        ("/dev/rtc0", None),
    ],
)
def test_only_devices_with_the_same_numbers_everywhere_are_known(path, numbers):
    assert device_numbers(path) == numbers


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "not a compose file"),
        ("services: [\n", "not valid YAML"),
        ("services: {}\n", "no service"),
        ("services: [a]\n", "has no services"),
        ("services: {a: {image: x}, a: {image: y}}\n", "stands twice"),
        ("services: {a: {image: !reset x}}\n", "belongs to several files"),
        ("services: {host: {image: r.e/x}}\n", "cannot become a layer"),
        ("services: {web: {image: r.e/x}, Web: {image: r.e/y}}\n", "would both be the layer web"),
        ("services: {a: {image: '${X'}}\n", "${ without }"),
        ("services: {a: {image: '${X:?name it}'}}\n", "the variable X is needed"),
        ("a: &a [x, x]\nb: &b [*a, *a, *a, *a, *a, *a]\n" + "".join(
            f"{chr(98 + n)}{n}: &k{n} [{', '.join(['*' + ('b' if n == 0 else f'k{n - 1}')] * 9)}]\n" for n in range(8)
        ) + "services: {a: {image: x}}\n", "too large by its aliases"),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_an_error_of_three_lines(take, text, said):
    with pytest.raises(ConfigError) as caught:
        take(text)
    assert said in caught.value.what + caught.value.why
    assert caught.value.hint
