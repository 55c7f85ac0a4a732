# SPDX-License-Identifier: GPL-2.0-only
"""What the BitBake layer's recipes and classes say, read as BitBake reads it, without OE-core."""

from __future__ import annotations

import re
from pathlib import Path

import bb.data
import bb.data_smart
import bb.parse
import pycontainer
import pytest

from orchestrator.layers.apparmor import PARSER

ROOT = Path(__file__).parents[3]
LAYER = ROOT / "meta-pycontainer"
METADATA = sorted(path for path in LAYER.rglob("*") if path.suffix in (".bb", ".bbclass", ".inc", ".conf"))


def of_distribution(name: str, machine: str) -> tuple[str, str]:
    """Return a variable that the distribution sets for a machine: as other recipes see it, and as native ones do."""
    data = bb.data.init()
    data.setVar("MACHINEOVERRIDES", machine)
    data.setVar("OVERRIDES", "linux:${MACHINEOVERRIDES}:forcevariable")
    bb.parse.handle(str(LAYER / "conf/distro/include/pycontainer-emulator.inc"), data, include=True)
    target = str(data.getVar(name))
    data.setVar("MACHINEOVERRIDES", "")  # native.bbclass
    return target, str(data.getVar(name))


def test_native_recipes_know_the_emulated_machines_firmware() -> None:
    target, native = of_distribution("PYCONTAINER_FIRMWARE", "x86-64:qemux86-64")
    assert target == native == "ovmf.code.qcow2 ovmf.vars.qcow2"
    assert of_distribution("PYCONTAINER_EMULATOR", "x86-64:qemux86-64")[0].startswith('{"binary"')
    for name in ("PYCONTAINER_FIRMWARE", "PYCONTAINER_EMULATOR"):
        assert of_distribution(name, "raspberrypi5") == ("", "")


def test_the_tools_tree_has_every_program_that_the_orchestrator_takes_from_it() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "orchestrator").rglob("*.py"))
    used = {*re.findall(r'tools\.(?:argv|path)\(\s*"([a-z0-9_.]+)"', sources), PARSER}
    assert {"mksquashfs", "mke2fs"} < used
    recipe = (LAYER / "recipes-core/pycontainer-tools/pycontainer-tools-native.bb").read_text()
    [words] = re.findall(r'^PYCONTAINER_TOOLS = "([^"]+)"', recipe, re.MULTILINE)
    assert used <= set(words.replace("\\\n", " ").split())


def test_bitbake_follows_every_module_of_the_library() -> None:
    modules = {path.stem for path in (LAYER / "lib/pycontainer").glob("*.py")} - {"__init__"}
    assert set(pycontainer.BBIMPORTS) == modules


def test_every_variable_that_a_recipe_may_set_is_explained() -> None:
    text = "\n".join(path.read_text() for path in METADATA)
    weak = set(re.findall(r"^(PYCONTAINER_[A-Z_]+)(?::[\w-]+)? \?\??= ", text, re.MULTILINE))
    explained = set(re.findall(r"^(PYCONTAINER_[A-Z_]+)\[doc\] = ", text, re.MULTILINE))
    assert "PYCONTAINER_FILES" in weak
    assert weak - explained == set()


def test_a_layer_is_made_of_what_is_deployed_not_of_work_folders_that_rm_work_empties() -> None:
    classes = "\n".join(path.read_text() for path in (LAYER / "classes-recipe").glob("*.bbclass"))
    assert not re.findall(r"\$\{(IMGDEPLOYDIR|SPDXIMAGEDEPLOYDIR|IMAGE_ROOTFS)\}/\$\{IMAGE_LINK_NAME\}", classes)


def distribution(**settings: str) -> bb.data_smart.DataSmart:
    data = bb.data.init()
    for name, value in {"BBPATH": str(LAYER), "MACHINEOVERRIDES": "qemuarm64", **settings}.items():
        data.setVar(name, value)
    bb.parse.handle(str(LAYER / "conf/distro/pycontainer.conf"), data, include=True)
    return data


@pytest.mark.parametrize(("series", "codename"), [("wrynose", "wrynose"), ("wrynose blacksail", "blacksail")])
def test_the_distribution_is_of_the_series_that_it_is_built_of(series: str, codename: str) -> None:
    assert distribution(LAYERSERIES_CORENAMES=series).getVar("DISTRO_CODENAME") == codename


def test_kas_alone_builds_a_root_file_system_and_an_app_and_a_product_its_own() -> None:
    recipes = {path.stem.partition("_")[0] for path in LAYER.rglob("*.bb")}
    alone = distribution().getVar("PYCONTAINER_RECIPES").split()
    assert alone == ["pycontainer-rootfs-minimal", "app-web"]
    assert set(alone) <= recipes
    # as BitBake takes it from the environment, before any file is read
    assert distribution(PYCONTAINER_RECIPES="").getVar("PYCONTAINER_RECIPES") == ""
