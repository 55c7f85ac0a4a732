# SPDX-License-Identifier: MIT
"""The Debian base with a product's own small recipe: pinning, downloading, and what a user reads when either fails."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

LAYER = Path(__file__).resolve().parents[3] / "meta-pycontainer-debian"
NOWHERE = "http://127.0.0.1:9/debian"
RECIPE = """\
inherit pycontainer-rootfs
PYCONTAINER_LAYER = "clock"
PYCONTAINER_CONFIG = '{"Cmd": ["/bin/busybox", "date"]}'
DEBIAN_PACKAGES = "busybox-static"
SRC_URI = "file://motd"
ROOTFS_FILES = "motd=/etc/motd"
"""
LAYER_CONF = """\
BBFILES += "${LAYERDIR}/*.bb"
BBFILE_COLLECTIONS += "own"
BBFILE_PATTERN_own = "^${LAYERDIR}/"
LAYERSERIES_COMPAT_own = "pycontainer-debian"
"""


@dataclass
class Build:
    """A build folder with the base's layer and one of its own that has the recipe app-clock."""

    folder: Path

    @property
    def lock(self) -> Path:
        return self.folder / "debian.lock.json"

    @property
    def deployed(self) -> Path:
        return self.folder / "tmp/deploy/images/qemu-amd64/clock"

    def bitbake(self, *arguments: str, **environment: str) -> tuple[int, str]:
        init = f". {shlex.quote(str(LAYER / 'oe-init-build-env'))} {shlex.quote(str(self.folder))} && exec bitbake"
        done = subprocess.run(
            ["bash", "-c", f'{init} "$@"', "bitbake", *arguments],
            env=os.environ
            | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "DL_DIR": str(self.folder / "dl")}
            | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def change_lock(self, old: str, new: str) -> None:
        text = self.lock.read_text()
        assert old in text
        self.lock.write_text(text.replace(old, new))


def make(folder: Path) -> Build:
    own = folder / "own"
    (own / "conf").mkdir(parents=True)
    (own / "files").mkdir()
    (own / "conf/layer.conf").write_text(LAYER_CONF)
    (own / "app-clock.bb").write_text(RECIPE)
    (own / "files/motd").write_text("hello\n")
    build = Build(folder / "build")
    (build.folder / "conf").mkdir(parents=True)
    (build.folder / "conf/bblayers.conf").write_text(
        f'BBPATH = "${{TOPDIR}}"\nBBFILES ?= ""\nBBLAYERS = "{LAYER} {own}"\n'
    )
    (build.folder / "conf/local.conf").write_text('MACHINE = "qemu-amd64"\n')
    return build


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    build = make(tmp_path_factory.mktemp("base"))
    status, text = build.bitbake("app-clock")
    assert status == 0, text
    return build


def names(tar: Path) -> list[str]:
    with tarfile.open(tar) as opened:
        return opened.getnames()


def test_five_lines_of_recipe_deploy_a_layer_with_its_facts(built: Build) -> None:
    fragment = json.loads((built.deployed / "layer.json").read_bytes())
    assert fragment["config"] == {"Cmd": ["/bin/busybox", "date"]}
    assert {"etc/motd", "usr/bin/busybox", "tmp"} <= set(names(built.deployed / "rootfs.tar"))
    assert names(built.deployed / "copyright.tar") == ["busybox-static", "busybox-static/copyright"]


def test_a_changed_file_reruns_its_recipe_and_nothing_is_resolved_again(built: Build) -> None:
    before = built.lock.read_bytes()
    (built.folder.parent / "own/files/motd").write_text("changed\n")
    status, text = built.bitbake("app-clock")
    assert status == 0, text
    with tarfile.open(built.deployed / "rootfs.tar") as tar:
        content = tar.extractfile("etc/motd")
        assert content is not None
        assert content.read() == b"changed\n"
    assert built.lock.read_bytes() == before


def test_another_folder_without_a_network_gives_the_same_bytes(built: Build, tmp_path: Path) -> None:
    other = make(tmp_path)
    (other.folder.parent / "own/files/motd").write_text((built.folder.parent / "own/files/motd").read_text())
    other.lock.write_bytes(built.lock.read_bytes())
    status, text = other.bitbake("app-clock", DL_DIR=str(built.folder / "dl"), BB_NO_NETWORK="1")
    assert status == 0, text
    for file in built.deployed.iterdir():
        assert (other.deployed / file.name).read_bytes() == file.read_bytes(), file.name


def test_an_update_writes_beside_the_lock_and_gives_the_same_for_the_same_mirror(built: Build) -> None:
    status, text = built.bitbake("-p", PYCONTAINER_LOCK="update")
    assert status == 0, text
    fresh, old = (
        json.loads(path.read_bytes()) for path in (built.lock.with_name(built.lock.name + ".new"), built.lock)
    )
    assert fresh["requests"].keys() == old["requests"].keys()


def test_without_network_and_lock_there_is_one_error_that_says_what_to_do(tmp_path: Path) -> None:
    status, text = make(tmp_path).bitbake("app-clock", BB_NO_NETWORK="1")
    assert status == 1
    assert text.count("Debian packages are not pinned yet, and the network is switched off") == 1
    assert "build once with the network" in text
    assert "Traceback" not in text


def test_a_mirror_that_does_not_answer_is_named(tmp_path: Path) -> None:
    status, text = make(tmp_path).bitbake("app-clock", PYCONTAINER_DEBIAN_MIRROR=NOWHERE)
    assert status == 1
    assert f"cannot download {NOWHERE}/dists/trixie/InRelease" in text
    assert "Traceback" not in text


def test_a_pinned_version_that_left_the_mirror_is_told_with_the_way_to_renew(built: Build, tmp_path: Path) -> None:
    build = make(tmp_path)
    build.lock.write_bytes(built.lock.read_bytes())
    version = next(
        p["version"] for p in json.loads(built.lock.read_bytes())["packages"].values() if "busybox" in p["name"]
    )
    build.change_lock(version, "1:1.36.1-9")
    build.change_lock(version.partition(":")[2], "1.36.1-9")
    status, text = build.bitbake("-c", "fetch", "app-clock")
    assert status == 1
    assert "the mirror no longer serves busybox-static" in text
    assert "pycontainer lock --update" in text
    assert "Traceback" not in text


def test_a_file_with_another_digest_is_refused(built: Build, tmp_path: Path) -> None:
    build = make(tmp_path)
    build.lock.write_bytes(built.lock.read_bytes())
    digest = next(
        p["sha256"] for p in json.loads(built.lock.read_bytes())["packages"].values() if "busybox" in p["name"]
    )
    build.change_lock(digest, digest[::-1])
    status, text = build.bitbake("-c", "fetch", "app-clock")
    assert status == 1
    assert "is not the file that the lock pins" in text
    assert not list((build.folder / "dl/deb").glob("busybox*.deb"))


def test_a_package_that_does_not_exist_is_named_with_its_recipe(tmp_path: Path) -> None:
    build = make(tmp_path)
    recipe = build.folder.parent / "own/app-clock.bb"
    recipe.write_text(RECIPE.replace("busybox-static", "bsuybox"))
    status, text = build.bitbake("app-clock")
    assert status == 1
    assert "app-clock: there is no package bsuybox for amd64" in text
    assert "Traceback" not in text
