# SPDX-License-Identifier: MIT
"""Building a layer: blobs with all their digests, the product's files inside, and no work when nothing changed."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import tarfile

import pytest

from orchestrator.canonical import hash_file
from orchestrator.deploy import DeployFile, DeployLayer
from orchestrator.errors import BuildError, ConfigError
from orchestrator.layers import build as build_module
from orchestrator.layers.build import build_layer, pack_tree_layer
from orchestrator.layers.cache import LayerCache
from orchestrator.layers.inputs import DirectorySource, RootSource, TarSource, bitbake_source
from orchestrator.layers.options import FileMapping, RunOptions, Volume
from orchestrator.layers.squashfs import FAST, SMALL
from orchestrator.layers.tree import Limits
from orchestrator.layers.verity import fsverity_digest


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "app"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/server").write_text("#!/bin/sh\n")
    (folder / "bin/server").chmod(0o755)
    return DirectorySource(folder, config={"Cmd": ["server"], "ExposedPorts": {"80/tcp": {}}})


@pytest.fixture
def options(tmp_path):
    www = tmp_path / "www"
    www.mkdir()
    (www / "index.html").write_text("<h1>one</h1>")
    return RunOptions(
        name="web", files=(FileMapping(www, "/srv/www", uid=33, gid=33),), volumes=(Volume("data", "/var/lib/data"),)
    )


def names(image):
    shown = subprocess.run(["unsquashfs", "-l", image], capture_output=True, text=True, check=True).stdout
    return {line.removeprefix("squashfs-root") for line in shown.splitlines() if line.startswith("squashfs-root/")}


def test_a_layer_has_an_image_and_a_run_configuration_with_their_digests(source, options, around):
    layer = build_layer(source, options, around)
    assert set(layer.blobs) == {"rootfs", "run-config", "policy"}
    for blob in layer.blobs.values():
        assert blob.path.name == blob.digest.removeprefix("sha256:")
        assert hash_file(blob.path) == blob.digest
        assert blob.path.stat().st_size == blob.size
        assert blob.fsverity == fsverity_digest(blob.path)
    assert {"/srv/www/index.html", "/var/lib/data", "/proc", "/sys", "/dev"} <= names(layer.blobs["rootfs"].path)
    config = json.loads(layer.blobs["run-config"].path.read_bytes())
    assert config["process"]["args"] == ["server"]
    assert config["process"]["apparmorProfile"] == layer.run.apparmor
    assert layer.run.ports == ("80/tcp",)
    assert [(volume.name, volume.mode) for volume in layer.run.volumes] == [("data", 0o755)]
    assert sorted(path.name for path in around.cache.folder.iterdir()) == ["blobs", "records"]


def test_nothing_is_packed_when_nothing_changed(source, options, around, monkeypatch):
    first = build_layer(source, options, around)
    monkeypatch.setattr(build_module, "make_run_config", None)
    again = build_layer(source, options, around)
    assert again == dataclasses.replace(first, cached=True)


def level(image):
    """The zstd level that an image says it was packed at; 15 is mksquashfs' own, which it leaves out."""
    shown = subprocess.run(["unsquashfs", "-s", image], capture_output=True, text=True, check=True).stdout
    found = re.search(r"compression-level (\d+)", shown)
    return int(found[1]) if found else SMALL


def test_what_came_whole_is_packed_small_whatever_files_are_added(source, options, around, tmp_path):
    with tarfile.open(tmp_path / "root.tar", "w") as archive:
        archive.add(source.path, ".")
    tar = TarSource(tmp_path / "root.tar", config=source.config)
    built = dataclasses.replace(tar, own=True)
    cases = [(source, FAST), (built, FAST), (tar, SMALL), (RootSource(source.path, source.config), SMALL)]
    for each, expected in cases:
        assert level(build_layer(each, options, around).blobs["rootfs"].path) == expected
    # Nobody waits for what is packed once.
    alone = build_layer(source, dataclasses.replace(options, files=()), around)
    assert level(alone.blobs["rootfs"].path) == SMALL


@pytest.mark.parametrize("change", ["page", "mode", "option", "epoch", "tools", "profile"])
def test_every_input_counts(source, options, around, change):
    first = build_layer(source, options, around)
    page = options.files[0].source / "index.html"
    if change == "page":
        page.write_text("<h1>two</h1>")
    elif change == "mode":
        page.chmod(0o755)
    elif change == "option":
        options = dataclasses.replace(options, network="host")
    elif change == "epoch":
        around = dataclasses.replace(around, source_date_epoch=1_600_000_000)
    elif change == "tools":
        around = dataclasses.replace(around, tools_digest="sha256:other")
    else:
        around.seccomp_profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}))
    second = build_layer(source, options, around)
    assert second.cached is False
    same_image = first.blobs["rootfs"].digest == second.blobs["rootfs"].digest
    same_config = first.blobs["run-config"].digest == second.blobs["run-config"].digest
    assert (same_image, same_config) == {
        "page": (False, True),
        "mode": (False, True),
        "option": (True, False),
        "epoch": (False, True),
        "tools": (True, True),
        "profile": (True, False),
    }[change]


@pytest.mark.parametrize("harm", ["remove", "truncate", "record"])
def test_a_harmed_cache_is_built_again(source, options, around, harm):
    first = build_layer(source, options, around)
    blob = first.blobs["rootfs"].path
    if harm == "remove":
        blob.unlink()
    elif harm == "truncate":
        blob.write_bytes(blob.read_bytes()[:-1])
    else:
        for record in around.cache.records.iterdir():
            record.write_text('{"name": 5')
    assert build_layer(source, options, around) == first


def test_two_folders_give_the_same_blobs(source, options, around, tmp_path):
    other = dataclasses.replace(around, cache=LayerCache(tmp_path / "elsewhere" / "deep"))
    digests = [
        {role: blob.digest for role, blob in build_layer(source, options, where).blobs.items()}
        for where in (around, other)
    ]
    assert digests[0] == digests[1]


def test_one_file_goes_to_its_place_or_into_a_directory(source, around, tmp_path):
    (tmp_path / "motd").write_text("hi")
    files = tuple(FileMapping(tmp_path / "motd", where) for where in ("/etc/issue", "/opt/x/", "/bin"))
    layer = build_layer(source, RunOptions(name="web", files=files), around)
    assert {"/etc/issue", "/opt/x/motd", "/bin/motd"} <= names(layer.blobs["rootfs"].path)


@pytest.mark.parametrize("destination", ["relative", "/a/../b", "/bin/server/x"])
def test_an_impossible_destination_is_refused(source, options, around, destination):
    files = (dataclasses.replace(options.files[0], destination=destination),)
    with pytest.raises(ConfigError):
        build_layer(source, dataclasses.replace(options, files=files), around)


def test_a_missing_source_of_files_names_itself(source, around, tmp_path):
    files = (FileMapping(tmp_path / "typo", "/srv"),)
    with pytest.raises(ConfigError, match="typo does not exist"):
        build_layer(source, RunOptions(name="web", files=files), around)


def test_a_failed_build_leaves_no_work_behind(source, options, around):
    with pytest.raises(ConfigError):
        build_layer(source, dataclasses.replace(options, user="nobody"), around)
    assert [path.name for path in around.cache.folder.iterdir()] == []


def test_an_unknown_architecture_is_refused(source, options, around):
    with pytest.raises(ConfigError, match="pdp11"):
        build_layer(source, options, dataclasses.replace(around, architecture="pdp11"))


def test_a_tree_that_does_not_run_is_packed_without_mount_points(around, tmp_path):
    (tmp_path / "m/lib/modules/6.1").mkdir(parents=True)
    (tmp_path / "m/lib/modules/6.1/modules.dep").write_text("")
    layer = pack_tree_layer(DirectorySource(tmp_path / "m"), "bsp", "modules", around)
    assert layer.run is None
    assert names(layer.blobs["modules"].path) == {
        "/lib",
        "/lib/modules",
        "/lib/modules/6.1",
        "/lib/modules/6.1/modules.dep",
    }
    assert pack_tree_layer(DirectorySource(tmp_path / "m"), "bsp", "modules", around).cached is True


def test_a_deployed_layer_brings_its_configuration_and_is_checked(tmp_path):
    class Deployed:
        folder = tmp_path

        def resolve(self, relative):
            return tmp_path / relative

    (tmp_path / "app.tar").write_bytes(bytes(1024))
    file = DeployFile(path="app.tar", digest=hash_file(tmp_path / "app.tar"), size=1024)
    layer = DeployLayer(
        name="web",
        kind="app",
        recipe="app-nginx",
        version="1",
        architecture="amd64",
        files={"rootfs": file},
        config={"Cmd": ["nginx"]},
    )
    source = bitbake_source(Deployed(), layer)
    source.digest()
    assert source.load(tmp_path, Limits(), 0).config == {"Cmd": ["nginx"]}
    with pytest.raises(BuildError, match="deploys no modules"):
        bitbake_source(Deployed(), layer, "modules")
