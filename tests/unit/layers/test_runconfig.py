# SPDX-License-Identifier: MIT
"""The runtime configuration honours the image, obeys the product, and confines by default."""

from __future__ import annotations

import json
import re

import pytest

from orchestrator.errors import ConfigError
from orchestrator.layers.audit import Relaxation, relaxations
from orchestrator.layers.build import add_files
from orchestrator.layers.imageconfig import Health, ImageConfig, parse_image_config
from orchestrator.layers.nodes import BytesContent, Directory, File, Symlink
from orchestrator.layers.options import DeviceNode, FileMapping, Rlimit, RunOptions, Tmpfs, Volume
from orchestrator.layers.runconfig import check_options, make_run_config


@pytest.fixture
def make(image, profile):
    def make(config=None, **options):
        options.setdefault("name", "web")
        image_config = parse_image_config({"Entrypoint": ["/bin/server"]} | (config or {}))
        return make_run_config(
            image_config, RunOptions(**options), image, architecture="amd64", profile=profile, mtime=9
        )

    return make


def mount(run, destination):
    return next(item for item in run.config["mounts"] if item["destination"] == destination)


def test_a_container_is_confined_by_default(make):
    config = make().config
    assert [item["type"] for item in config["linux"]["namespaces"]] == [
        "pid",
        "mount",
        "ipc",
        "uts",
        "cgroup",
        "network",
    ]
    assert config["process"]["capabilities"] == {
        "bounding": [],
        "effective": [],
        "permitted": [],
        "inheritable": [],
        "ambient": [],
    }
    assert config["process"]["noNewPrivileges"] is True
    assert config["process"]["terminal"] is False
    assert config["root"] == {"path": "rootfs", "readonly": True}
    assert config["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert config["linux"]["resources"]["devices"][0] == {"allow": False, "access": "rwm"}
    assert config["linux"]["resources"]["pids"] == {"limit": 512}
    assert "/proc/kcore" in config["linux"]["maskedPaths"]
    assert "/proc/sys" in config["linux"]["readonlyPaths"]
    assert "ro" in mount(make(), "/sys")["options"]
    assert config["linux"]["cgroupsPath"] == "/pycontainer/web"
    assert config["hostname"] == "web"
    assert relaxations(RunOptions(name="web")) == []


def test_the_bytes_are_canonical_json_of_the_configuration(make):
    run = make()
    assert json.loads(run.data) == run.config
    assert run.data == make().data
    assert b": " not in run.data


def test_every_mount_point_and_the_working_directory_exist_in_the_tree(make, image):
    make(working_directory="/opt/work", volumes=(Volume("data", "/var/lib/new/data"),), tmpfs=(Tmpfs("/run"),))
    for path in (b"proc", b"dev", b"sys", b"run", b"var/lib/new/data", b"opt/work"):
        assert isinstance(image.get(path), Directory), path
        assert image.get(path).mtime == 9
    assert image.get(b"dev").children == {}


def test_a_working_directory_in_a_volume_is_not_made_in_the_image(make, image):
    make(working_directory="/data/deep", volumes=(Volume("data", "/data"),))
    assert image.get(b"data").children == {}


@pytest.mark.parametrize(
    ("config", "options", "arguments"),
    [
        ({}, {}, ["/bin/server"]),
        ({"Cmd": ["-x"]}, {}, ["/bin/server", "-x"]),
        ({"Cmd": ["-x"]}, {"command": ("-y", "z")}, ["/bin/server", "-y", "z"]),
        ({"Cmd": ["-x"]}, {"entrypoint": ("server",)}, ["server"]),
        ({"Cmd": ["-x"]}, {"entrypoint": (), "command": ("server", "-q")}, ["server", "-q"]),
        ({"Entrypoint": None, "Cmd": ["server"]}, {}, ["server"]),
    ],
)
def test_entrypoint_and_command_combine_as_in_the_engines(make, config, options, arguments):
    assert make(config, **options).config["process"]["args"] == arguments


@pytest.mark.parametrize(
    ("config", "options", "why"),
    [
        ({"Entrypoint": None}, {}, "nothing to run"),
        ({"Entrypoint": [], "Cmd": []}, {}, "nothing to run"),
        ({}, {"entrypoint": ()}, "nothing to run"),
        ({}, {"entrypoint": ("/bin/missing",)}, "no executable file at /bin/missing"),
        ({}, {"entrypoint": ("/bin/data",)}, "no executable file"),
        ({}, {"entrypoint": ("missing",)}, "in PATH"),
        ({"Entrypoint": ["/bin"]}, {}, "no executable file"),
        ({}, {"command": ("a\0b",)}, "NUL"),
    ],
)
def test_a_command_that_cannot_run_is_refused(make, config, options, why):
    with pytest.raises(ConfigError, match=why):
        make(config, **options)


def test_a_program_in_a_volume_is_taken_on_trust(make):
    run = make(entrypoint=("/data/tool",), volumes=(Volume("data", "/data"),))
    assert run.config["process"]["args"] == ["/data/tool"]


def test_environment_has_a_path_and_the_product_wins(make):
    run = make({"Env": ["A=image", "B=x=y", "PATH=/usr/bin"]}, environment={"A": "product"}, user="www")
    assert run.config["process"]["env"] == ["A=product", "B=x=y", "HOME=/var/www", "PATH=/usr/bin"]
    assert any(word.startswith("PATH=/usr/local/sbin:") for word in make().config["process"]["env"])


def test_root_with_capabilities_gets_no_ambient_ones_and_a_plain_user_does(make):
    root = make(capabilities=("CAP_CHOWN", "net_bind_service")).config["process"]["capabilities"]
    assert root["effective"] == ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"]
    assert root["ambient"] == root["inheritable"] == []
    plain = make({"User": "www"}, capabilities=("NET_BIND_SERVICE",)).config["process"]
    assert plain["capabilities"]["ambient"] == plain["capabilities"]["inheritable"] == ["CAP_NET_BIND_SERVICE"]
    assert plain["user"] == {"uid": 33, "gid": 34, "umask": 0o022, "additionalGids": [50]}


def test_kept_capabilities_open_their_system_calls(make):
    def actions(run):
        rules = run.config["linux"]["seccomp"]["syscalls"]
        return [rule["action"] for rule in rules if "chroot" in rule["names"]]

    assert actions(make()) == ["SCMP_ACT_ERRNO"]
    assert actions(make(capabilities=("SYS_CHROOT",))) == ["SCMP_ACT_ALLOW"]


def test_host_network_means_no_network_namespace(make):
    assert "network" not in [item["type"] for item in make(network="host").config["linux"]["namespaces"]]


def test_volumes_are_bound_from_the_supervisors_place_with_the_images_owner(make):
    run = make(
        {"User": "www"},
        volumes=(
            Volume("db", "/var/lib/db"),
            Volume("new", "/srv/new", read_only=True),
            Volume("own", "/srv/own", mode=0o711, uid=0, gid=0),
        ),
    )
    assert mount(run, "/var/lib/db")["source"] == "/run/pycontainer/volumes/web/db"
    assert {"rw", "nosuid", "nodev"} < set(mount(run, "/var/lib/db")["options"])
    assert "ro" in mount(run, "/srv/new")["options"]
    owners = {volume.name: (volume.mode, volume.uid, volume.gid) for volume in run.volumes}
    assert owners == {"db": (0o700, 26, 27), "new": (0o755, 33, 34), "own": (0o711, 0, 0)}


def test_a_volume_of_the_image_lasts_a_boot_unless_the_product_names_it(make):
    config = {"Volumes": {"/var/lib/db": {}, "/var/cache/x_Y": {}}}
    run = make(config, volumes=(Volume("db", "/var/lib/db/"),))
    assert [(volume.name, volume.kind, volume.destination) for volume in run.volumes] == [
        ("db", "permanent", "/var/lib/db"),
        ("image-var-cache-x-y", "boot", "/var/cache/x_Y"),
    ]
    assert any("/var/cache/x_Y lasts one boot" in note for note in run.notes)


def test_run_and_tmp_of_the_image_are_empty_at_each_start_unless_the_product_says_more(make, image):
    image.add(b"run", Directory(mode=0o750, uid=33, gid=34))
    run = make({"Volumes": {"/run": {}, "/tmp/": {}}}, volumes=(Volume("spool", "/tmp"),))
    assert mount(run, "/run")["type"] == "tmpfs"
    assert {"mode=750", "uid=33", "gid=34"} < set(mount(run, "/run")["options"])
    assert [(volume.name, volume.destination) for volume in run.volumes] == [("spool", "/tmp")]
    assert not any("one boot" in note for note in run.notes)


def test_volumes_of_the_image_have_names_that_a_device_accepts(make):
    run = make({"Volumes": {"/a/b": {}, "/a-b": {}, "/" + "deep/" * 20: {}, "/ü": {}}})
    names = [volume.name for volume in run.volumes]
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", name) for name in names)


def test_a_volume_that_hides_files_is_remarked(make):
    assert any("hides files" in note for note in make(volumes=(Volume("x", "/usr/share"),)).notes)


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"tmpfs": (Tmpfs("/run"),)}, "/run/secrets/password"),
        ({"tmpfs": (Tmpfs("/run"),)}, "/var/run/secrets/password"),  # a link to /run
        ({"tmpfs": (Tmpfs("/run/"),)}, "/run/"),
        ({"tmpfs": (Tmpfs("/run"),)}, "/run"),
        ({"volumes": (Volume("data", "/srv/data"),)}, "/srv/data/first/password"),
        ({"config": {"Volumes": {"/srv": {}}}}, "/srv/password"),
        ({"config": {"Volumes": {"/tmp": {}}}}, "/tmp/password"),
        ({}, "/dev/password"),
        ({}, "/proc/x"),
    ],
)
def test_a_file_of_the_product_that_a_mount_would_hide_is_refused(make, image, tmp_path, options, place):
    (tmp_path / "password").write_text("x")
    image.ensure_directory(b"/run")
    image.add(b"/var/run", Symlink(mode=0o777, target=b"../run"))
    item = FileMapping(tmp_path / "password", place)
    add_files(image, item, 9)
    with pytest.raises(ConfigError, match=f"would never see {place}, which 'files' lays into it"):
        make(files=(item,), **options)


def test_a_folder_of_the_product_that_a_mount_would_hide_is_refused_and_one_around_it_is_remarked(
    make, image, tmp_path
):
    (tmp_path / "etc" / "shop").mkdir(parents=True)
    (tmp_path / "etc" / "shop" / "settings").write_text("x")
    inside = FileMapping(tmp_path / "etc" / "shop", "/srv/etc/shop")
    add_files(image, inside, 9)
    with pytest.raises(ConfigError, match="mounted at /srv/etc"):
        make(files=(inside,), tmpfs=(Tmpfs("/srv/etc"),))
    around = FileMapping(tmp_path / "etc", "/srv/etc")
    assert make(files=(around,), tmpfs=(Tmpfs("/srv/etc/shop"),)).notes == (
        "the tmpfs at /srv/etc/shop hides files of the image",
    )
    assert make(files=(around,), tmpfs=(Tmpfs("/srv/other"),)).notes == ()


def test_files_beside_mounts_and_under_what_the_device_binds_are_kept(make, image, tmp_path):
    (tmp_path / "hosts").write_text("127.0.0.1 localhost")
    items = tuple(FileMapping(tmp_path / "hosts", place) for place in ("/etc/hosts", "/runtime", "/srv/data.txt"))
    for item in items:
        add_files(image, item, 9)
    assert make(files=items, tmpfs=(Tmpfs("/run"),), volumes=(Volume("d", "/srv/data"),), network="bridge").notes == ()


def test_mounts_inside_mounts_come_later(make):
    run = make(volumes=(Volume("b", "/a/b"),), tmpfs=(Tmpfs("/a"),))
    places = [item["destination"] for item in run.config["mounts"]]
    assert places.index("/a") < places.index("/a/b")


@pytest.mark.parametrize(
    "options",
    [
        {"volumes": (Volume("a", "/x"), Volume("b", "/x/"))},
        {"volumes": (Volume("a", "/x"),), "tmpfs": (Tmpfs("/x"),)},
        {"volumes": (Volume("a", "/x"), Volume("a", "/y"))},
        {"volumes": (Volume("a", "/"),)},
        {"volumes": (Volume("a", "/proc"),)},
        {"volumes": (Volume("a", "/proc/sys"),)},
        {"volumes": (Volume("a", "/dev/x"),)},
        {"volumes": (Volume("a", "relative"),)},
        {"volumes": (Volume("a", "/a/../../etc"),)},
        {"volumes": (Volume("a", "/usr/bin/server"),)},
        {"tmpfs": (Tmpfs(""),)},
        {"working_directory": "relative"},
        {"working_directory": "/usr/bin/data"},
        {"capabilities": ("ALL",)},
        {"capabilities": ("NET_ADMINISTRATOR",)},
        {"user": "nobody"},
        {"stop_signal": "SIGNONSENSE"},
        {"rlimits": (Rlimit("files", 1, 1),)},
        {"rlimits": (Rlimit("nofile", 2, 1),)},
        {"memory": 1000},
        {"cpus": 0.0},
        {"cpus": -1.0},
        {"processes": 0},
        {"devices": (DeviceNode("/etc/x", "c", 1, 1),)},
        {"devices": (DeviceNode("/dev/../etc/x", "c", 1, 1),)},
        {"devices": (DeviceNode("/dev/x", "c", 1, 1, access="rx"),)},
        {"environment": {"": "x"}},
    ],
)
def test_what_cannot_work_is_refused(make, options):
    with pytest.raises(ConfigError):
        make(**options)


def test_limits_and_devices_are_written(make):
    run = make(
        memory=32 << 20,
        cpus=0.5,
        processes=7,
        rlimits=(Rlimit("nofile", 10, 20),),
        devices=(DeviceNode("/dev/ttyS1", "c", 4, 65, access="r"),),
    )
    resources = run.config["linux"]["resources"]
    assert resources["memory"] == {"limit": 33554432}
    assert resources["cpu"] == {"quota": 50000, "period": 100000}
    assert resources["pids"] == {"limit": 7}
    assert resources["devices"][-1] == {"allow": True, "type": "c", "major": 4, "minor": 65, "access": "r"}
    assert run.config["linux"]["devices"] == [
        {"path": "/dev/ttyS1", "type": "c", "major": 4, "minor": 65, "fileMode": 0o660, "uid": 0, "gid": 0}
    ]
    assert {"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20} in run.config["process"]["rlimits"]


@pytest.mark.parametrize(
    ("image_says", "product_says", "number"),
    [("", None, 15), ("SIGQUIT", None, 3), ("SIGQUIT", "RTMIN+3", 37), ("", 9, 9)],
)
def test_the_stop_signal_is_the_products_else_the_images_else_term(make, image_says, product_says, number):
    assert make({"StopSignal": image_says}, stop_signal=product_says).stop_signal == number


def test_a_container_on_the_bridge_joins_the_network_that_the_supervisor_made(make):
    namespaces = make(network="bridge").config["linux"]["namespaces"]
    assert {"type": "network", "path": "/run/pycontainer/netns/web"} in namespaces
    assert len(namespaces) == 6
    assert not [item for item in make(network="host").config["linux"]["namespaces"] if item["type"] == "network"]


def test_a_container_that_may_ask_the_device_finds_the_socket_and_nothing_else(make, image):
    run = make(control=("ps", "status"), tmpfs=(Tmpfs("/run"),))
    assert mount(run, "/run/pycontainer") == {
        "destination": "/run/pycontainer",
        "type": "bind",
        "source": "/run/pycontainer/control/web",
        "options": ["bind", "ro", "nosuid", "nodev", "noexec"],
    }
    places = [item["destination"] for item in run.config["mounts"]]
    assert places.index("/run") < places.index("/run/pycontainer")
    assert isinstance(image.get(b"run/pycontainer"), Directory)
    assert "/run/pycontainer" not in [item["destination"] for item in make().config["mounts"]]


def test_a_volume_cannot_take_the_place_of_the_control_socket(make):
    with pytest.raises(ConfigError, match="cannot have a mount at /run/pycontainer"):
        make(control=("ps",), volumes=(Volume("data", "/run/pycontainer"),))


def test_what_is_published_and_asked_for_is_listed():
    options = RunOptions(
        name="x",
        network="bridge",
        ports=("8080/tcp to its port 80", "53/udp to its port 53"),
        control=("ps", "status"),
        reasons={"network": "bridge", "ports": "published", "control": "a page shows it"},
    )
    assert relaxations(options) == [
        Relaxation("network", "has an address on the device's bridge", "bridge"),
        Relaxation("ports", "publishes 8080/tcp to its port 80", "published"),
        Relaxation("ports", "publishes 53/udp to its port 53", "published"),
        Relaxation("control", "may ask the device for ps, status", "a page shows it"),
    ]


def test_relaxations_are_listed_with_their_reasons():
    options = RunOptions(
        name="x",
        network="host",
        capabilities=("NET_ADMIN", "cap_chown"),
        seccomp="unconfined",
        no_new_privileges=False,
        devices=(DeviceNode("/dev/kvm", "c", 10, 232),),
        reasons={"network": "serves the page", "capabilities": "in general", "NET_ADMIN": "sets the address"},
    )
    found = relaxations(options)
    assert found[0] == Relaxation("network", "shares the device's network", "serves the page")
    assert [(item.key, item.reason) for item in found[1:]] == [
        ("capabilities", "in general"),
        ("capabilities", "sets the address"),
        ("seccomp", ""),
        ("new_privileges", ""),
        ("devices", ""),
    ]


def test_without_seccomp_there_is_no_section(make):
    assert "seccomp" not in make(seccomp="unconfined").config["linux"]


def test_an_image_configuration_is_read_whole():
    assert parse_image_config({}) == ImageConfig()
    config = parse_image_config(
        {
            "Env": ["A=1", "A=2", "B="],
            "ExposedPorts": {"80": {}, "53/udp": {}},
            "Volumes": None,
            "OnBuild": ["x"],
            "Labels": {"a": "b"},
            "Healthcheck": {"Test": ["CMD-SHELL", "curl x"], "Interval": 5_000_000_000, "Retries": 0},
        }
    )
    assert config.environment == (("A", "2"), ("B", ""))
    assert config.ports == ("53/udp", "80/tcp")
    assert config.health == Health(("/bin/sh", "-c", "curl x"), interval=5000)
    assert parse_image_config({"Healthcheck": {"Test": ["NONE"]}}).health is None
    assert parse_image_config({"Healthcheck": {"Test": ["CMD", "a", "b"]}}).health.command == ("a", "b")


@pytest.mark.parametrize(
    "config",
    [
        {"Entrypoint": "text"},
        {"Cmd": [1]},
        {"Env": ["NAME"]},
        {"Env": ["=x"]},
        {"User": 5},
        {"WorkingDir": "a\0"},
        {"ExposedPorts": ["80/tcp"]},
        {"ExposedPorts": {"0/tcp": {}}},
        {"ExposedPorts": {"80/icmp": {}}},
        {"ExposedPorts": {"90-80": {}}},
        {"Volumes": "/x"},
        {"Healthcheck": []},
        {"Healthcheck": {"Test": ["RUN", "x"]}},
        {"Healthcheck": {"Test": ["CMD"]}},
        {"Healthcheck": {"Test": ["CMD", "x"], "Interval": -1}},
    ],
)
def test_a_wrong_image_configuration_is_refused_by_property(config):
    with pytest.raises(ConfigError, match=next(iter(config))):
        parse_image_config(config)


def test_labels_become_annotations_but_for_those_that_the_runtime_would_obey(make):
    labels = {
        "org.opencontainers.image.title": "web",
        "": "nameless",
        "run.oci.seccomp_bpf_data": "AAAA",
        "Run.OCI.handler": "krun",
        "run.ocicle": "kept",
        "io.kubernetes.cri.container-type": "sandbox",
    }
    run = make({"Labels": labels})
    assert run.config["annotations"] == {"org.opencontainers.image.title": "web", "run.ocicle": "kept"}
    assert len(run.notes) == 3
    assert any("run.oci.seccomp_bpf_data is left out: the runtime would obey it" in note for note in run.notes)
    assert "annotations" not in make({"Labels": None}).config


@pytest.mark.parametrize("labels", [[], {"a": 1}, {"a": None}, {"a": "b\0"}])
def test_labels_that_are_no_texts_are_refused(make, labels):
    with pytest.raises(ConfigError, match="bad Labels"):
        make({"Labels": labels})


def test_labels_become_annotations_and_settings_stay_in_its_own_namespaces(make):
    config = make(labels={"role": "front"}, sysctls={"net.core.somaxconn": "9"}).config
    assert config["annotations"] == {"role": "front"}
    both = make({"Labels": {"role": "back", "a": "b"}}, labels={"role": "front"}).config
    assert both["annotations"] == {"role": "front", "a": "b"}
    assert config["linux"]["sysctl"] == {"net.core.somaxconn": "9"}
    assert "annotations" not in make().config
    assert "sysctl" not in make().config["linux"]


def test_a_bridged_container_finds_its_neighbours_in_a_file_of_the_supervisors(make, image):
    assert image.get(b"/etc/hosts") is None
    hosts = mount(make(network="bridge"), "/etc/hosts")
    assert hosts["source"] == "/run/pycontainer/hosts/web"
    assert "ro" in hosts["options"]
    assert isinstance(image.get(b"/etc/hosts"), File)  # something to mount on
    assert all(each["destination"] != "/etc/hosts" for each in make().config["mounts"])


def test_names_of_hosts_that_no_device_would_take_are_refused_when_it_is_built(make, image):
    image.ensure_directory(b"/etc", mtime=0)
    image.add(b"/etc/hosts", File(mode=0o644, mtime=0, content=BytesContent(b"#" * 65537)))
    with pytest.raises(ConfigError, match="/etc/hosts of layer 'web' is too large"):
        make(network="bridge")
    make()


def test_a_wrong_stop_signal_is_refused_before_anything_is_built():
    with pytest.raises(ConfigError, match="there is no signal"):
        check_options(RunOptions(name="web", stop_signal="NOTHING"))
