# SPDX-License-Identifier: MIT
"""A layer that a team publishes: built by itself, signed, taken by a product as it is, confined as the product says."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.build.imagelock import pinned_images, update_images
from orchestrator.build.layerbuild import last_built
from orchestrator.build.published import known_layers, take_layers
from orchestrator.build.workspace import Workspace, workspace
from orchestrator.cli.main import main
from orchestrator.errors import ConfigError, TrustError, VerificationError
from orchestrator.layers.build import Surroundings, build_layer
from orchestrator.layers.cache import LayerCache
from orchestrator.layers.options import RunOptions, Tmpfs
from orchestrator.oci import Store, fsck
from orchestrator.product.load import load_product
from orchestrator.product.model import Product
from orchestrator.product.reference import parse_reference
from orchestrator.progress import Reporter, Silent
from orchestrator.publish import check_signers, look_at, read_layer, signatures
from orchestrator.run import Tools
from orchestrator.sbom import Document
from orchestrator.trust import load_keys
from tests.unit.registry.fake import Registry, serving

YOCTO = Path(__file__).parents[2] / "data" / "sbom" / "yocto"
LAYER = """\
layer: kiosk
version: 1.2.0
architecture: amd64
kind: app
supplier: {name: Team Kiosk}
from: {directory: root}
command: [/bin/kiosk, --fast]
user: kiosk
memory: 16MiB
volumes: [{name: data, destination: /data}]
"""
ASKS = """\
relax:
  - capabilities: [NET_BIND_SERVICE]
    reason: it listens on port 80
"""
PRODUCT = """\
product: shop
version: 3.0.0
machine: qemu-amd64
layers:
  front:
    kind: app
    from: {{layer: "{reference}", signers: ["{signer}"]}}
"""
REPORTER = Reporter(Silent())


class Team:
    """A team's folder, and what one can do in it."""

    def __init__(self, folder: Path, run: Callable[..., Any]) -> None:
        self.folder = folder
        self.run = run
        root = folder / "root"
        (root / "bin").mkdir(parents=True)
        (root / "etc").mkdir()
        (root / "bin" / "kiosk").write_bytes(b"#!/bin/false\n")
        (root / "bin" / "kiosk").chmod(0o755)
        (root / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\nkiosk:x:1000:1000::/:/bin/sh\n")
        self.write("")

    def write(self, more: str, text: str = LAYER) -> None:
        (self.folder / "layer.yaml").write_text(text + more)

    def build(self) -> Any:
        return self.run("layer", "build", "-C", self.folder, "--json")

    @property
    def keyid(self) -> str:
        return load_keys("kiosk").public_keys()[0].keyid


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Any]]:
    monkeypatch.setenv("PYCONTAINER_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "registries.conf"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)

    def call(*words: object, code: int = 0) -> Any:
        found = main([*map(str, words)])
        captured = capsys.readouterr()
        assert found == code, captured.out + captured.err
        return json.loads(captured.out) if "--json" in words else captured.out + captured.err

    yield call


@pytest.fixture
def team(tmp_path: Path, run: Callable[..., Any]) -> Team:
    return Team(tmp_path / "team", run)


@pytest.fixture(params=["registry", "layout"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "layout":
        yield f"oci:{tmp_path / 'published'}:1.2"
        return
    with serving(Registry()) as registry:
        yield f"{registry.host}/team/kiosk:1.2"


def product(tmp_path: Path, reference: str, signer: str, more: str = "") -> tuple[Product, Workspace]:
    folder = tmp_path / "product"
    folder.mkdir(exist_ok=True)
    file = folder / "pycontainer.yaml"
    if reference.startswith("oci:"):
        place, tag = reference.removeprefix("oci:").rsplit(":", 1)
        reference = f"oci:{os.path.relpath(place, folder)}:{tag}"
    file.write_text(PRODUCT.format(reference=reference, signer=signer) + more)
    loaded = load_product(file)
    return loaded, workspace(file, loaded)


def take(found: tuple[Product, Workspace]) -> Any:
    return take_layers(*found, pinned_images(*found, REPORTER), REPORTER)


def test_what_bitbake_wrote_of_a_root_file_system_becomes_its_document(team: Team):
    shutil.copy(YOCTO / "kiosk-image.spdx.tar.zst", team.folder / "kiosk.spdx.tar.zst")
    team.write("", LAYER.replace("{directory: root}", "{directory: root, spdx: kiosk.spdx.tar.zst}"))
    team.build()
    store, layer = last_built(team.folder, "kiosk")
    found = msgspec.json.decode(store.read_blob(layer.parts["document"].digest, limit=10**7), type=Document)
    assert {"base-files", "hello", "libgreet1"} <= {each.name for each in found.components}
    (team.folder / "kiosk.spdx.tar.zst").write_bytes((YOCTO / "kiosk-bsp.spdx.tar.zst").read_bytes())
    team.build()
    _, again = last_built(team.folder, "kiosk")
    assert again.parts["document"].digest != layer.parts["document"].digest
    (team.folder / "kiosk.spdx.tar.zst").write_text('{"spdxVersion": "SPDX-2.3"}')
    assert "no SPDX document of BitBake's" in team.run("layer", "build", "-C", team.folder, code=2)
    (team.folder / "kiosk.spdx.tar.zst").unlink()
    assert "kiosk.spdx.tar.zst" in team.run("layer", "build", "-C", team.folder, code=2)


def test_the_same_layer_has_the_same_bytes_and_tells_who_made_it(team: Team):
    first = team.build()
    assert team.build() == first
    store, layer = last_built(team.folder, "kiosk")
    assert fsck(store).whole
    assert [one.keyid for one in signatures(store, layer) if one.valid] == [team.keyid]
    shown = team.run("layer", "show", "-C", team.folder, "--json")
    assert shown["attached"] == ["application/spdx+json", "application/spdx3+json", "application/vnd.cyclonedx+json"]
    assert (layer.config.supplier, layer.config.version) == ("Team Kiosk", "1.2.0")
    assert team.keyid in team.run("layer", "show", "-C", team.folder)
    team.write("environment: {A: b}\n")
    changed = team.build()
    assert changed["manifest"] != first["manifest"]
    assert changed["rootfs"] == first["rootfs"]


def test_showing_a_layer_brings_what_is_attached_only_in_name(team: Team, target: str, tmp_path: Path):
    made = team.build()
    store, layer = last_built(team.folder, "kiosk")
    notes = store.put_blob(b"what somebody attached " * 1000, media_type="text/plain")
    store.attach(layer.descriptor, "application/vnd.example.notes", [notes])
    team.run("layer", "push", target, "-C", team.folder, "--json")
    shown = team.run("layer", "show", target, "--json")
    assert "application/vnd.example.notes" in shown["attached"]
    assert [one["valid"] for one in shown["signatures"]] == [True]
    looked = Store.open_or_create(tmp_path / "looked")
    look_at(parse_reference(target), tmp_path, looked)
    here = {path.name for path in looked.blobs.folder.iterdir()}
    assert made["manifest"][7:] in here
    assert not here & {part.digest[7:] for part in (notes, *layer.manifest.layers)}


def test_a_product_takes_it_as_it_is_and_runs_it_as_the_team_wrote(team: Team, target: str, tmp_path: Path):
    made = team.build()
    pushed = team.run("layer", "push", target, "-C", team.folder, "--json")
    assert pushed["signedBy"] == [team.keyid]
    assert team.run("layer", "show", target, "--json")["manifest"] == made["manifest"]
    plan, place = product(tmp_path, target, team.keyid, "    memory: 32MiB\n")
    built, taken = take((plan, place))
    front = built.layers["front"]
    assert (front.command, front.user, front.memory, front.version) == (
        ["/bin/kiosk", "--fast"], "kiosk", "32MiB", "1.2.0",
    )  # fmt: skip
    assert (front.volumes[0].name, front.volumes[0].uid) == ("data", 1000)
    assert taken["front"].keyids == (team.keyid,)
    around = Surroundings(Tools(), LayerCache(tmp_path / "cache"), "amd64", 0, tmp_path / "none")
    options = RunOptions("front", command=("/bin/kiosk",), seccomp="unconfined", apparmor="unconfined")
    layer = build_layer(taken["front"].source(), options, around)
    assert layer.blobs["rootfs"].digest == made["rootfs"]
    assert layer.blobs["rootfs"].fsverity == made["fsverity"]
    assert taken["front"].document().layer.name == "kiosk"
    assert known_layers(plan, place).layers["front"] == front


def test_a_place_that_it_does_not_have_is_refused(team: Team, tmp_path: Path):
    team.build()
    team.run("layer", "push", f"oci:{tmp_path}/published:1.2", "-C", team.folder)
    found = take(product(tmp_path, f"oci:{tmp_path}/published:1.2", team.keyid))[1]["front"]
    around = Surroundings(Tools(), LayerCache(tmp_path / "cache"), "amd64", 0, tmp_path / "none")
    options = RunOptions(
        "front", command=("/bin/kiosk",), seccomp="unconfined", apparmor="unconfined", tmpfs=(Tmpfs("/elsewhere"),)
    )
    with pytest.raises(ConfigError, match="has nothing at /elsewhere"):
        build_layer(found.source(), options, around)


def test_only_who_may_sign_it_counts(team: Team, target: str, tmp_path: Path):
    team.build()
    team.run("layer", "push", target, "-C", team.folder)
    with pytest.raises(TrustError, match="not signed by who may sign it") as caught:
        take(product(tmp_path, target, "0" * 64))
    assert team.keyid[:16] in caught.value.why
    pem = load_keys("kiosk").public_keys()[0].pem.decode()
    store, layer = last_built(team.folder, "kiosk")
    assert check_signers(store, layer, [pem]) == [team.keyid]


def test_what_it_asks_for_must_be_granted(team: Team, tmp_path: Path):
    target = f"oci:{tmp_path}/published:1.2"
    team.write(ASKS)
    assert team.build()["asks"] == ["capability NET_BIND_SERVICE"]
    team.run("layer", "push", target, "-C", team.folder)
    with pytest.raises(TrustError, match="asks for more than the product grants") as caught:
        take(product(tmp_path, target, team.keyid))
    assert "capability NET_BIND_SERVICE" in caught.value.why
    granted = """\
    relax:
      - capabilities: [NET_BIND_SERVICE, CHOWN]
        reason: the kiosk serves its page
"""
    built, taken = take(product(tmp_path, target, team.keyid, granted))
    assert built.layers["front"].relax[0].reason == "the kiosk serves its page"
    assert taken["front"].unused == ("capability CHOWN",)
    audit = team.run("audit", tmp_path / "product", "--json")
    rows = [each for each in audit["relaxations"] if each["layer"] == "front" and "NET_BIND" in each["what"]]
    assert [each["reason"] for each in rows] == ["the kiosk serves its page"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("    files: [{source: a, destination: /b}]\n", "cannot have 'files'"),
        ("    runtime: lxc\n", "cannot have 'runtime'"),
    ],
)
def test_what_would_change_it_is_refused(team: Team, tmp_path: Path, more: str, text: str):
    team.build()
    team.run("layer", "push", f"oci:{tmp_path}/published:1.2", "-C", team.folder)
    with pytest.raises(ConfigError, match=text):
        take(product(tmp_path, f"oci:{tmp_path}/published:1.2", team.keyid, more))


def test_another_architecture_is_refused(team: Team, tmp_path: Path):
    team.run("layer", "build", "-C", team.folder, "--architecture", "arm64")
    team.run("layer", "push", f"oci:{tmp_path}/published:1.2", "-C", team.folder)
    with pytest.raises(ConfigError, match="does not run arm64"):
        take(product(tmp_path, f"oci:{tmp_path}/published:1.2", team.keyid))


def test_the_pin_holds_until_it_is_moved(team: Team, target: str, tmp_path: Path):
    first = team.build()
    team.run("layer", "push", target, "-C", team.folder)
    found = product(tmp_path, target, team.keyid)
    assert take(found)[1]["front"].layer.id == first["manifest"]
    team.write("environment: {A: b}\n")
    second = team.build()
    team.run("layer", "push", target, "-C", team.folder)
    assert take(found)[1]["front"].layer.id == first["manifest"]
    (change,) = update_images(*found, REPORTER)
    assert (change.before, change.after) == (first["manifest"], second["manifest"])
    assert take(found)[1]["front"].layer.id == second["manifest"]
    shown = team.run("app", "show", "front", "-C", tmp_path / "product")
    assert team.keyid in shown
    assert "kiosk 1.2.0" in shown


def test_what_runs_is_shown_with_who_says_so_the_layer_or_the_product(team: Team, tmp_path: Path):
    team.write(
        "environment: {A: b}\npids: 7\nlabels: {x.y: z}\nrestart: {policy: on-failure}\nentrypoint: [/bin/kiosk]\n"
    )
    team.build()
    target = f"oci:{tmp_path}/published:1.2"
    team.run("layer", "push", target, "-C", team.folder)

    def shown(more: str) -> dict[str, str]:
        product(tmp_path, target, team.keyid, more)
        values = team.run("app", "show", "front", "-C", tmp_path / "product", "--json")["values"]
        return {each["text"] if each["key"] == "environment" else each["key"]: each["from"] for each in values}

    found = shown("    memory: 32MiB\n    stopSignal: SIGINT\n")
    wanted = {"command": "layer", "user": "layer", "A=b": "layer", "processes": "layer", "restarts": "layer",
              "volume": "layer", "label": "layer", "signed by": "layer", "published": "product", "memory": "product",
              "stop signal": "product", "logs": "default", "directory": "default", "network": "default"}  # fmt: skip
    assert {key: found[key] for key in wanted} == wanted
    found = shown("    command: [--slow]\n    environment: {A: c}\n    user: '0'\n    pids: 8\n")
    wanted = {
        "command": "layer, product",
        "user": "product",
        "A=c": "product",
        "memory": "layer",
        "processes": "product",
    }
    assert {key: found[key] for key in wanted} == wanted


def test_a_pin_does_not_move_to_what_a_stranger_signed(team: Team, target: str, tmp_path: Path):
    first = team.build()
    team.run("layer", "push", target, "-C", team.folder)
    found = product(tmp_path, target, team.keyid)
    take(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYCONTAINER_KEYS", str(tmp_path / "keys-of-a-stranger"))
        team.write("environment: {A: b}\n")
        team.build()
        team.run("layer", "push", target, "-C", team.folder)
    with pytest.raises(TrustError, match=r"the pin of layer front was not moved: .* is not signed by who may"):
        update_images(*found, REPORTER)
    assert take(found)[1]["front"].layer.id == first["manifest"]


def test_a_damaged_layer_never_becomes_a_products(team: Team, tmp_path: Path):
    made = team.build()
    team.run("layer", "push", f"oci:{tmp_path}/published:1.2", "-C", team.folder)
    found = product(tmp_path, f"oci:{tmp_path}/published:1.2", team.keyid)
    path = tmp_path / "published" / "blobs" / "sha256" / made["rootfs"].removeprefix("sha256:")
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(VerificationError):
        take(found)


def test_what_is_no_layer_is_told(team: Team, tmp_path: Path):
    store = Store.open_or_create(tmp_path / "other")
    blob = store.put_blob(b"{}")
    with pytest.raises(VerificationError):
        read_layer(store, blob.digest)
    assert "is no place of a layer" in team.run("layer", "show", "http://x", code=2)
    assert "was not built" in team.run("layer", "push", "oci:x:1", "-C", team.folder, code=2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAYER + "after: [rootfs]\n", "only the product that takes the layer can say this"),
        (LAYER.replace("{directory: root}", "{bitbake: app-nginx}"), "made of an image, a tar or a directory"),
        (LAYER.replace("layer: kiosk\n", ""), "the key 'layer' is missing"),
        (LAYER + "comand: [x]\n", "did you mean 'command'"),
    ],
)
def test_a_wrong_layer_file_is_explained(team: Team, text: str, said: str):
    team.write("", text)
    assert said in team.run("layer", "build", "-C", team.folder, code=2)


def test_a_layer_of_a_product_is_published_too(run: Callable[..., Any], team: Team, tmp_path: Path):
    team.write("", "product: p\nversion: '1'\nmachine: qemu-amd64\n")
    (team.folder / "layer.yaml").rename(team.folder / "pycontainer.yaml")
    with (team.folder / "pycontainer.yaml").open("a") as file:
        file.write("layers:\n  web:\n    kind: app\n    from: {directory: root}\n    command: [/bin/kiosk]\n")
    made = run("layer", "build", "web", "-C", team.folder, "--json")
    assert (made["layer"], made["architecture"], made["version"]) == ("web", "amd64", "1")
