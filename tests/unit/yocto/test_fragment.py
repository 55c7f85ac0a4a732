# SPDX-License-Identifier: MIT
from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from pycontainer.errors import LayerError
from pycontainer.fragment import Layer, parse_config, parse_files, publish
from pycontainer.manifest import distribution, layers_of, write

from orchestrator.deploy import Deploy


def layer(folder: Path, recipe: str = "app-web", name: str = "web", **more: object) -> Layer:
    folder.mkdir(parents=True, exist_ok=True)
    rootfs = folder / "image-machine.rootfs.tar"
    rootfs.write_bytes(b"a tar of " + recipe.encode())
    values: dict[str, object] = {"files": {"rootfs": rootfs}, "config": {"Cmd": ["/bin/web"]}} | more
    return Layer(name, "app", recipe, "1.0", "arm64", **values)  # type: ignore[arg-type]


def published(tmp_path: Path, *layers: Layer) -> Deploy:
    deploy = tmp_path / "deploy"
    for each in layers:
        publish(each, deploy, tmp_path / "work")
    write(
        deploy,
        machine="qemuarm64",
        architecture="arm64",
        distribution=distribution("pycontainer", "0.1", "wrynose"),
        source_date_epoch=1302044400,
        layers=layers_of(deploy, [each.recipe for each in layers]),
    )
    return Deploy(deploy)


def test_the_orchestrator_reads_what_the_layer_deploys(tmp_path: Path) -> None:
    deploy = published(tmp_path, layer(tmp_path / "in"))
    found = deploy.layer("app-web")
    assert found is not None
    assert (found.name, found.kind, found.version, found.config) == ("web", "app", "1.0", {"Cmd": ["/bin/web"]})
    assert deploy.verified(found.files["rootfs"]).read_bytes() == b"a tar of app-web"
    assert deploy.manifest.base == "yocto"
    assert deploy.intact()


def test_each_file_is_named_with_its_digest_and_size(tmp_path: Path) -> None:
    publish(layer(tmp_path / "in"), tmp_path / "deploy", tmp_path / "work")
    value = json.loads((tmp_path / "deploy" / "web" / "layer.json").read_text())
    data = b"a tar of app-web"
    assert value["files"] == {
        "rootfs": {
            "path": "web/rootfs.tar",
            "digest": "sha256:" + hashlib.sha256(data).hexdigest(),
            "size": len(data),
        }
    }


def test_a_symbolic_link_of_bitbake_is_followed(tmp_path: Path) -> None:
    source = layer(tmp_path / "in")
    link = tmp_path / "in" / "image.tar"
    link.symlink_to("image-machine.rootfs.tar")
    publish(layer(tmp_path / "in", files={"rootfs": link}), tmp_path / "deploy", tmp_path / "work")
    there = tmp_path / "deploy" / "web" / "rootfs.tar"
    assert not there.is_symlink()
    assert there.read_bytes() == source.files["rootfs"].read_bytes()


def test_a_layer_that_changed_its_name_leaves_nothing_behind(tmp_path: Path) -> None:
    publish(layer(tmp_path / "in"), tmp_path / "deploy", tmp_path / "work")
    publish(layer(tmp_path / "in", name="shop"), tmp_path / "deploy", tmp_path / "work")
    assert sorted(path.name for path in (tmp_path / "deploy").iterdir()) == ["shop"]


def test_publishing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first = publish(layer(tmp_path / "in"), tmp_path / "one", tmp_path / "work")
    second = publish(layer(tmp_path / "in"), tmp_path / "two", tmp_path / "work")
    assert {p.name: p.read_bytes() for p in first.iterdir()} == {p.name: p.read_bytes() for p in second.iterdir()}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Web"}, "PYCONTAINER_LAYER"),
        ({"files": {}}, "deploys no file"),
        ({"files": {"rootfs": Path("/nowhere/at/all")}}, "is not there"),
    ],
)
def test_a_layer_that_the_orchestrator_would_refuse_is_refused_in_its_recipe(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    with pytest.raises(LayerError, match=words):
        publish(layer(tmp_path / "in", **change), tmp_path / "deploy", tmp_path / "work")  # type: ignore[arg-type]
    assert not (tmp_path / "deploy").exists()


def test_the_manifest_names_a_recipe_that_deployed_nothing(tmp_path: Path) -> None:
    publish(layer(tmp_path / "in"), tmp_path / "deploy", tmp_path / "work")
    with pytest.raises(LayerError, match="app-shop"):
        layers_of(tmp_path / "deploy", ["app-web", "app-shop"])


def test_two_recipes_cannot_deploy_one_layer(tmp_path: Path) -> None:
    deploy = tmp_path / "deploy"
    publish(layer(tmp_path / "in"), deploy, tmp_path / "work")
    publish(layer(tmp_path / "in", recipe="app-other", name="other"), deploy, tmp_path / "work")
    fragment = deploy / "other" / "layer.json"
    fragment.write_text(fragment.read_text().replace('"name": "other"', '"name": "web"'))
    with pytest.raises(LayerError, match="two recipes deploy a layer named web"):
        layers_of(deploy, ["app-web", "app-other"])


@pytest.mark.parametrize("text", ["rootfs", "rootfs=", "Rootfs=x", "rootfs=a rootfs=b"])
def test_files_are_a_list_of_roles(text: str) -> None:
    with pytest.raises(LayerError, match="PYCONTAINER_FILES"):
        parse_files(text)


@pytest.mark.parametrize("text", ["{", "[]", '{"Comand": ["/bin/sh"]}'])
def test_a_configuration_is_an_image_configuration(text: str) -> None:
    with pytest.raises(LayerError, match="PYCONTAINER_CONFIG"):
        parse_config(text)
