# SPDX-License-Identifier: MIT
"""`pycontainer app` as a user runs it."""

from __future__ import annotations

import io
import json
import signal
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
import zstandard

from orchestrator.apps.reference import source_of
from orchestrator.build.imagelock import ImageChange
from orchestrator.cli.main import main
from orchestrator.errors import ConfigError

PRODUCT = """# ours
product: demo
version: 1.0.0
machine: qemu-amd64
layers:
  base: {kind: rootfs, from: {directory: root}}   # the first
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "serve").write_text("#!/bin/sh\n")
    (root / "bin" / "serve").chmod(0o755)
    (root / "etc").mkdir()
    (root / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\nweb:x:33:44::/var/www:/bin/sh\n")
    (root / "etc" / "group").write_text("root:x:0:\nweb:x:44:\naudio:x:29:web\n")
    (tmp_path / "pycontainer.yaml").write_text(PRODUCT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    before = signal.getsignal(signal.SIGTERM)

    def call(*words: object) -> tuple[int, str, str]:
        code = main(["app", *map(str, words)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield call
    signal.signal(signal.SIGTERM, before)


def layers(folder: Path) -> dict:
    return yaml.safe_load((folder / "pycontainer.yaml").read_text())["layers"]


def test_a_layer_is_added_with_its_settings_listed_and_removed(run: Run, folder: Path):
    code, out, err = run(
        "add", "web", "registry.example/web:1", "--port", "8080:80", "--memory", "64MiB", "--after", "base",
        "--volume", "data:/data", "--env", "A=b=c", "--command", "serve -p '8 0'", "--file", "root/etc:/conf",
        "--platform", "linux/arm64", "--restart", "no", "--cpus", "0.5",
    )  # fmt: skip
    assert code == 0, err
    assert layers(folder)["web"] == {
        "kind": "app",
        "from": {"image": "registry.example/web:1", "platform": "linux/arm64"},
        "command": ["serve", "-p", "8 0"],
        "environment": {"A": "b=c"},
        "volumes": [{"name": "data", "destination": "/data"}],
        "files": [{"source": "root/etc", "destination": "/conf"}],
        "memory": "64MiB",
        "cpus": 0.5,
        "ports": ["8080:80"],
        "after": ["base"],
        "restart": {"policy": "no"},
    }
    assert (folder / "pycontainer.yaml").read_text().startswith(PRODUCT)
    code, out, _ = run("ls", "--json")
    assert [(each["name"], each["source"]) for each in json.loads(out)["layers"]] == [
        ("base", "directory:root"),
        ("web", "registry.example/web:1"),
    ]
    code, _, err = run("rm", "base")
    assert (code, "base cannot be removed" in err, "web comes after it" in err) == (2, True, True), err
    assert run("rm", "web")[0] == 0
    assert (folder / "pycontainer.yaml").read_text() == PRODUCT


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["base", "registry.example/x"], "has a layer base already"),
        (["Web", "registry.example/x"], "written wrongly"),
        (["bsp", "registry.example/x"], "belongs to the base"),
        (["web", "nginx"], "registry.example/nginx"),
        (["web", "images/wbe.tar"], "'images/wbe.tar' does not exist"),
        (["web", "registry.example/Web"], "'Web' is no name in a registry"),
        (["web", "./missing.tar"], "does not exist"),
        (["web", "pycontainer.yaml"], "neither a directory nor a tar"),
        (["web", "registry.example/x", "--memory", "1B"], "at least 1MiB"),
        (["web", "registry.example/x", "--memory", "1B"], "pycontainer.yaml (with the change):"),
        (["web", "registry.example/x", "--after", "nobody"], "not a layer of this product"),
        (["web", "registry.example/x", "--port", "http"], "a port of the device"),
        (["web", "root", "--platform", "linux/arm64"], "only an image has platforms"),
        (["web", "registry.example/x", "--env", "A"], "wrong form"),
        (["web", "registry.example/x", "--command", "'a"], "is no command"),
    ],
)
def test_a_wrong_layer_leaves_the_file_and_says_why(run: Run, folder: Path, words, said):
    code, _, err = run("add", *words)
    assert (code, said in err) == (2, True), err
    assert (folder / "pycontainer.yaml").read_text() == PRODUCT


def save(path: Path, **members: object) -> None:
    with tarfile.open(path, "w") as archive:
        for name, value in members.items():
            data = json.dumps(value).encode()
            entry = tarfile.TarInfo(name.replace("_", "."))
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize(
    ("reference", "code", "said"),
    [
        ("docker-archive:saved.tar:web:2", 2, "it has: a.b/web:1"),
        ("docker-archive:root", 2, "cannot be read"),
        ("oci-archive:saved.tar", 5, "oci-layout"),
        ("oci:layout:2", 2, "has no image '2'"),
        ("docker-archive:saved.tar:web:1", 0, ""),
        ("saved.tar", 0, ""),
        ("a.b/web:2", 0, ""),  # nobody asks a registry before it is needed
    ],
)
def test_an_image_that_is_not_in_the_file_named_is_not_added(run: Run, folder: Path, reference, code, said):
    save(folder / "saved.tar", config_json={}, manifest_json=[{"Config": "config.json", "RepoTags": ["a.b/web:1"]}])
    (folder / "layout").mkdir()
    (folder / "layout" / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    entry = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": f"sha256:{'0' * 64}", "size": 2}
    entry["annotations"] = {"org.opencontainers.image.ref.name": "1"}
    (folder / "layout" / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    found, _, err = run("add", "web", reference)
    assert (found, said in err) == (code, True), err
    assert ("web" in layers(folder)) is (code == 0)
    (folder / "compose.yaml").write_text("services: {shop: {image: a.b/c}}")
    found, _, err = run("import", "compose.yaml", "--image", f"shop={reference}")
    assert (found, said in err) == (code, True), err
    assert ("shop" in layers(folder)) is (code == 0)


def test_show_has_the_remarks_of_reading_as_well(run: Run, folder: Path):
    (folder / "root" / "bin" / "serve").chmod(0o4755)
    run("add", "web", "root", "--command", "/bin/serve")
    _, out, _ = run("show", "web", "--json")
    (note,) = json.loads(out)["notes"]
    assert "setuid" in note
    assert f"note: {note[:40]}" in run("show", "web")[1]


def test_a_reference_is_told_by_what_lies_at_its_path(folder: Path):
    def tar(name: str, member: str) -> None:
        with tarfile.open(folder / name, "w") as archive:
            archive.addfile(tarfile.TarInfo(member), io.BytesIO())

    tar("saved.tar", "manifest.json")
    tar("oci.tar", "oci-layout")
    tar("root.tar", "etc/passwd")
    (folder / "layout").mkdir()
    (folder / "layout" / "oci-layout").write_text("{}")
    assert source_of("saved.tar", folder) == {"image": "docker-archive:saved.tar"}
    assert source_of("./oci.tar", folder) == {"image": "oci-archive:oci.tar"}
    assert source_of("root.tar", folder) == {"tar": "root.tar"}
    assert source_of("tar:root.tar", folder) == {"tar": "root.tar"}
    assert source_of("root", folder) == {"directory": "root"}
    assert source_of("layout", folder) == {"image": "oci:layout"}
    assert source_of("oci:layout:1.2", folder) == {"image": "oci:layout:1.2"}
    assert source_of("bitbake:app-x", folder) == {"bitbake": "app-x"}
    assert source_of("docker://r.example/x:1", folder) == {"image": "docker://r.example/x:1"}
    for wrong in ("nothing", "oci:gone", "tar:", "directory:gone", "dir:"):
        with pytest.raises(ConfigError):
            source_of(wrong, folder)


@pytest.mark.parametrize(("name", "kind"), [("manifest.json", "docker-archive"), ("oci-layout", "oci-archive")])
def test_a_saved_image_is_known_through_zstd_too(folder: Path, name: str, kind: str):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("first"))
        archive.addfile(tarfile.TarInfo(name))
    (folder / "saved.tar.zst").write_bytes(zstandard.compress(plain.getvalue()))
    assert source_of("saved.tar.zst", folder) == {"image": f"{kind}:saved.tar.zst"}
    (folder / "torn.tar.zst").write_bytes(zstandard.compress(plain.getvalue())[:-20])
    assert source_of("torn.tar.zst", folder) == {"tar": "torn.tar.zst"}


def test_paths_become_relative_to_the_product_from_wherever_they_are_named(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert run("add", "web", "../root", "-C", "..")[0] == 0
    assert layers(folder)["web"]["from"] == {"directory": "root"}


def shown(run: Run, *words: str) -> dict[str, list[tuple[str, str]]]:
    code, out, err = run("show", *words, "--json")
    assert code == 0, err + out
    found: dict[str, list[tuple[str, str]]] = {}
    for row in json.loads(out)["values"]:
        found.setdefault(row["key"], []).append((row["text"], row["from"]))
    return found


def test_show_says_what_runs_and_who_says_so(run: Run, folder: Path):
    run("add", "web", "root", "--command", "/bin/serve 'a b'", "--user", "web", "--port", "8080:80", "--env", "X=1",
        "--volume", "data:/data", "--memory", "64MiB", "--after", "base")  # fmt: skip
    found = shown(run, "web")
    assert found["command"] == [("/bin/serve 'a b'", "product")]
    assert ("X=1", "product") in found["environment"]
    assert ("HOME=/var/www", "image") in found["environment"]
    assert found["user"] == [("33:44, groups 29 (web)", "product")]
    assert found["stop signal"] == [("SIGTERM (15)", "default")]
    assert found["port"] == [("8080/tcp of the device leads to its 80", "product")]
    assert found["volume"] == [("/data: data, kept, 33:44 0755", "product")]
    assert found["capabilities"] == [("none", "default")]
    assert found["memory"] == [("64MiB", "product")]
    assert found["processes"] == [("512", "default")]
    assert found["starts"] == [("when base is up", "product")]
    assert found["restarts"] == [("always", "default")]
    assert found["health"][0][1] == "default"
    code, out, _ = run("show", "web")
    assert (code, "8080/tcp of the device leads to its 80" in out) == (0, True)


def test_show_reads_a_layer_again_only_when_something_of_it_changed(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    run("add", "web", "root", "--command", "/bin/serve")
    first = shown(run, "web")
    monkeypatch.setattr("orchestrator.apps.inspect._read", lambda *_: pytest.fail("it was read again"))
    assert shown(run, "web") == first
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    (folder / "root" / "etc" / "passwd").write_text("root:x:0:0::/elsewhere:/bin/sh\n")
    assert ("HOME=/elsewhere", "image") in shown(run, "web")["environment"]


def test_the_runtime_configuration_is_printed_whole(run: Run, folder: Path):
    run("add", "web", "root", "--command", "/bin/serve")
    code, out, err = run("show", "web", "--runtime-config")
    assert code == 0, err
    config = json.loads(out)
    assert config["process"]["args"] == ["/bin/serve"]
    assert config["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    # What confines it on the device is in it, too: its users, and the name of its policy.
    assert config["linux"]["uidMappings"][0]["hostID"] >= 65536
    assert {"type": "user"} in config["linux"]["namespaces"]
    assert config["process"]["apparmorProfile"].startswith("pycontainer.web.")


def test_show_says_how_a_container_is_confined_and_what_the_product_gives_up(run: Run, folder: Path):
    (folder / "own.apparmor").write_text("profile x flags=(attach_disconnected) {\n  file,\n}\n")
    common = "    kind: app\n    from: {directory: root}\n    command: [/bin/serve]\n"
    with (folder / "pycontainer.yaml").open("a") as file:
        file.write(f"  web:\n{common}")
        file.write(f"  own:\n{common}    apparmor: own.apparmor\n")
        given = "{apparmor: unconfined, newPrivileges: allowed, userNamespace: host, reason: it is an old one}"
        file.write(f"  open:\n{common}    relax: [{given}]\n")
        file.write(
            f"  card:\n{common}    relax: [{{capabilities: [NET_ADMIN], network: host, reason: it is a router}}]\n"
        )
    found = shown(run, "web")
    assert found["AppArmor"] == [("the default profile", "default")]
    assert found["users"][0][0].startswith("its own: its root is the user ")
    assert found["privileges"] == [("no new ones (setuid, file capabilities)", "default")]
    assert shown(run, "own")["AppArmor"] == [("the profile of own.apparmor", "product")]
    found = shown(run, "open")
    assert found["AppArmor"] == [("unconfined", "product")]
    assert found["users"] == [("the device's: the product file says so", "product")]
    assert found["privileges"] == [("new ones by setuid programs and file capabilities", "product")]
    assert shown(run, "card")["users"] == [("the device's: NET_ADMIN would be without effect", "product")]


def test_a_runtime_configuration_that_would_lack_its_policy_is_not_printed(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    run("add", "web", "root", "--command", "/bin/serve")
    monkeypatch.setattr("orchestrator.apps.inspect.tools_identity", lambda *_: (_ for _ in ()).throw(ConfigError("x")))
    assert "AppArmor" in shown(run, "web")
    code, _, err = run("show", "web", "--runtime-config")
    assert (code, "the AppArmor policy cannot be made yet" in err) == (4, True), err


def test_show_says_what_is_observed_and_what_it_is_stopped_for(run: Run, folder: Path):
    allow = (
        "{exec: [/bin/sh, /usr/lib/web/], connect: [{address: '2001:db8::/32', port: 443, protocol: tcp}, {port: 53}]}"
    )
    with (folder / "pycontainer.yaml").open("a") as file:
        file.write("  web: {kind: app, from: {directory: root}, command: [/bin/serve],\n")
        file.write(f"        observe: {{exec: stop, connect: record, write: stop, allow: {allow}}}}}\n")
        file.write("  quiet: {kind: app, from: {directory: root}, command: [/bin/serve], observe: {write: record}}\n")
        file.write("  own: {kind: app, from: {directory: root}, command: [/bin/serve]}\n")
    assert shown(run, "web")["observed"] == [
        ("programs, stopped for what is not declared; /bin/sh, /usr/lib/web/ declared", "product"),
        ("connections, recorded; [2001:db8::/32]:443/tcp, any:53 declared", "product"),
        ("written files, stopped for what is not declared; none declared", "product"),
    ]
    assert shown(run, "quiet")["observed"] == [("written files, recorded", "product")]
    assert "observed" not in shown(run, "own")


def test_a_layer_of_lxc_says_so_and_has_no_configuration_of_oci(run: Run, folder: Path):
    with (folder / "pycontainer.yaml").open("a") as file:
        file.write("  web: {kind: app, from: {directory: root}, command: [/bin/serve], runtime: lxc}\n")
    assert shown(run, "web")["runtime"] == [("lxc", "product")]
    code, _, err = run("show", "web", "--runtime-config")
    assert (code, "has no OCI runtime configuration" in err) == (2, True), err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(["nobody"], 2, "has no layer nobody"), (["base"], 2, "has nothing to run")],
)
def test_what_cannot_be_shown_says_why(run: Run, folder: Path, words, code, said):
    got, _, err = run("show", *words)
    assert (got, said in err) == (code, True), err


def test_an_image_for_another_machine_is_not_shown_as_if_it_ran(run: Run, folder: Path):
    run("add", "web", "registry.example/web:1", "--platform", "linux/arm64")
    code, _, err = run("show", "web")
    assert (code, "layer web: the machine does not run linux/arm64" in err) == (2, True), err


def test_a_recipe_that_was_not_built_cannot_be_shown_yet(run: Run, folder: Path):
    run("add", "web", "bitbake:app-x")
    code, _, err = run("show", "web")
    assert (code, "pycontainer build" in err) == (4, True)


COMPOSE = """services:
  web: {image: r.example/web, init: true, cap_add: [NET_RAW], extra_hosts: {gate: 192.0.2.1}, depends_on: [db]}
  db: {image: r.example/db}
"""


def test_a_compose_file_is_imported_only_when_every_refusal_is_agreed_to(run: Run, folder: Path):
    (folder / "compose.yaml").write_text(COMPOSE)
    code, out, _ = run("import", "compose.yaml")
    assert code == 2
    assert "web.init" in out and "--drop web.init" in out
    assert (folder / "pycontainer.yaml").read_text() == PRODUCT
    code, out, _ = run("import", "compose.yaml", "--drop", "web.init", "--dry-run")
    assert code == 0 and "would be written" in out
    assert (folder / "pycontainer.yaml").read_text() == PRODUCT
    assert not (folder / "compose").exists()
    code, out, _ = run("import", "compose.yaml", "--drop", "web.init", "--json")
    assert code == 0
    data = json.loads(out)
    assert data["written"] is True
    assert {"path": "web.init", "status": "left out"}.items() <= next(
        each for each in data["services"][0]["keys"] if each["path"] == "web.init"
    ).items()
    assert list(layers(folder)) == ["base", "web", "db"]
    assert (folder / "compose" / "web" / "hosts").read_text().endswith("192.0.2.1\tgate\n")
    assert (folder / "pycontainer.yaml").read_text().startswith(PRODUCT)


def test_an_import_over_layers_that_are_there_needs_a_word(run: Run, folder: Path):
    (folder / "compose.yaml").write_text(COMPOSE)
    assert run("import", "compose.yaml", "--drop", "all")[0] == 0
    (folder / "compose.yaml").write_text(COMPOSE.replace("r.example/db", "r.example/db:2"))
    code, _, err = run("import", "compose.yaml", "--drop", "all")
    assert (code, "has a layer web already" in err, "--replace" in err) == (2, True, True)
    assert run("import", "compose.yaml", "--drop", "all", "--dry-run")[0] == 2
    assert run("import", "compose.yaml", "--drop", "all", "--replace")[0] == 0
    assert layers(folder)["db"]["from"] == {"image": "r.example/db:2"}


def test_an_import_that_fails_leaves_no_files_and_takes_the_place_of_none(run: Run, folder: Path):
    (folder / "compose.yaml").write_text(COMPOSE.replace("r.example/db", "r.example/DB"))
    code, _, err = run("import", "compose.yaml", "--drop", "all")
    assert (code, "layers.db.from" in err) == (2, True), err
    assert not (folder / "compose").exists()
    (folder / "compose.yaml").write_text(COMPOSE)
    (folder / "compose" / "web").mkdir(parents=True)
    (folder / "compose" / "web" / "hosts").write_text("mine\n")
    code, _, err = run("import", "compose.yaml", "--drop", "all")
    assert (code, "is there already" in err) == (2, True), err
    assert (folder / "compose" / "web" / "hosts").read_text() == "mine\n"
    assert (folder / "pycontainer.yaml").read_text() == PRODUCT


def test_an_import_writes_no_file_through_a_link(run: Run, folder: Path, tmp_path: Path):
    (folder / "compose.yaml").write_text(COMPOSE)
    (folder / "outside").mkdir()
    (folder / "compose").mkdir()
    (folder / "compose" / "web").symlink_to("/tmp")
    code, _, err = run("import", "compose.yaml", "--drop", "all")
    assert (code, "is a link" in err) == (2, True)
    assert (folder / "pycontainer.yaml").read_text() == PRODUCT


def test_update_moves_the_pins_of_the_layers_that_are_named(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def moved(product, place, reporter, names):
        asked.append(names)
        return (ImageChange("registry.example/web:1", "sha256:" + "0" * 64, "sha256:" + "1" * 64),) if names else ()

    monkeypatch.setattr("orchestrator.cli.apps.update_images", moved)
    run("add", "web", "registry.example/web:1")
    code, out, err = run("update", "web")
    assert (code, asked) == (0, [["web"]]), err
    assert "registry.example/web:1   sha256:000000000000   sha256:111111111111" in out
    assert "every tag means what it meant" in run("update")[1]
    assert asked[1] is None
    code, _, err = run("update", "nobody")
    assert (code, "has no layer nobody" in err) == (2, True)
