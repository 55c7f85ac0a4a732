# SPDX-License-Identifier: MIT
"""Machines as data: every file is whole, both sides read it alike, and nothing else knows a machine by its name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml
from pycontainer_debian.errors import DebianError
from pycontainer_debian.machine import variables

from orchestrator.build.kas import configuration
from orchestrator.cli.main import main
from orchestrator.deploy import Emulator
from orchestrator.errors import ConfigError
from orchestrator.machines.read import emulated, emulators, machine, machines, usual_machine

ROOT = Path(__file__).resolve().parents[3]
NAMES = sorted(path.stem for path in (ROOT / "machines").glob("*.toml"))
BOARD = """
description = "A board that nobody makes"
architecture = "arm64"
[kernel]
package = "linux-image-arm64"
arguments = ["console=ttyS7,9600", "panic=10"]
device-tree = "nobody/nothing.dtb"
[modules]
host = ["nobodys_mmc"]
"""
KAS = """
header: {version: 14, includes: [kas/include/debian.yml]}
machine: nobodys-board
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A checkout of one's own, as far as machines are concerned."""
    for name in ("kas", "machines"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_every_data_file_is_whole_and_has_a_kas_file_that_builds_it(name: str) -> None:
    found = machine(ROOT, name)
    assert found.data is not None
    assert "debian" in found.bases
    kas = yaml.safe_load(configuration(ROOT, "debian", name).read_text())
    assert kas["machine"] == name


@pytest.mark.parametrize("name", NAMES)
def test_bitbake_reads_of_a_file_what_the_deploy_contract_takes(name: str) -> None:
    found, data = variables(ROOT / "machines", name, "amd64"), machine(ROOT, name)
    assert data.data is not None and data.architecture is not None
    assert found["DEBIAN_ARCH"] == data.data.architecture
    assert found["KERNEL_COMMAND_LINE"].split() == data.data.kernel.arguments
    assert found["EFI_NAME"] == data.architecture.uefi.name
    emulator = msgspec.convert(json.loads(found["EMULATOR"]), Emulator | None)
    if data.data.emulator is None:
        assert emulator is None
    else:
        assert emulator is not None
        assert [each.name for each in emulator.firmware] == [each.name for each in data.data.emulator.firmware]
        assert all(each.code.removeprefix("firmware/") in found["EMULATOR_FILES"].split() for each in emulator.firmware)


def test_a_board_is_added_by_one_data_file_and_one_kas_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "machines" / "nobodys-board.toml").write_text(BOARD)
    (home / "kas" / "debian-nobodys-board.yml").write_text(KAS)
    monkeypatch.setenv("PYCONTAINER_HOME", str(home))
    assert main(["machines", "--json"]) == 0
    listed = {each["name"]: each for each in json.loads(capsys.readouterr().out)["machines"]}
    assert listed["nobodys-board"] == {
        "name": "nobodys-board",
        "bases": ["debian"],
        "architecture": "arm64",
        "description": "A board that nobody makes",
        "emulated": False,
        "tried": False,
        "board": None,
        "firmware": [],
        "deviceTree": "nobody/nothing.dtb",
    }
    assert configuration(home, "debian", "nobodys-board").name == "debian-nobodys-board.yml"
    found = variables(home / "machines", "nobodys-board", "amd64")
    assert found["MACHINE_DEVICE_TREE"] == "nobody/nothing.dtb"
    assert found["TARGET_TRIPLET"] == "aarch64-linux-gnu"
    assert "nobodys_mmc" in found["MACHINE_MODULES_HOST"].split()
    assert "sha2_ce" in found["MACHINE_MODULES_HOST"].split()
    # The initramfs takes its modules out of the BSP's.
    assert "nobodys_mmc" in found["MACHINE_MODULES_BSP"].split()
    assert found["EMULATOR"] == "null"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("arguments", "argumnets"), "argumnets"),
        (('"arm64"', '"vax"'), "unknown architecture 'vax'"),
        (('"panic=10"', '"panic=10; reboot"'), "kernel.arguments"),
        (("nobody/nothing.dtb", "../../etc/shadow"), "device-tree"),
        (("description", "description = "), "wrong"),
    ],
)
def test_a_data_file_that_is_wrong_is_named_with_the_reason(home: Path, change: tuple[str, str], says: str) -> None:
    path = home / "machines" / "nobodys-board.toml"
    path.write_text(BOARD.replace(*change))
    (home / "kas" / "debian-nobodys-board.yml").write_text(KAS)
    with pytest.raises(ConfigError) as caught:
        machines(home)
    assert "nobodys-board.toml" in caught.value.what
    assert says in f"{caught.value.what} {caught.value.why}"


def test_an_unknown_machine_is_answered_with_those_there_are(home: Path) -> None:
    with pytest.raises(ConfigError, match="unknown machine 'toaster'") as caught:
        machine(home, "toaster")
    assert all(name in caught.value.hint for name in NAMES)
    with pytest.raises(DebianError, match=r"toaster.toml") as other:
        variables(home / "machines", "toaster", "amd64")
    assert all(name in other.value.why for name in NAMES)


def test_each_emulated_architecture_names_the_program_that_runs_it() -> None:
    assert {each.architecture: each.package for each in emulators(ROOT)}["arm64"] == "qemu-system-arm"


def test_no_program_knows_a_machine_by_its_name() -> None:
    """Data, kas files, documents, examples and tests name machines; what is run does not."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    # The BitBake layer's configuration is data as well: what each board's BSP layer calls its files.
    configuration = "meta-pycontainer/conf/"
    data = ("machines/", "kas/", configuration, "docs/", "tests/", "examples/", "bench/", ".ci/", "README.md")
    known = {each.name for each in machines(ROOT)}
    assert known > {*NAMES}
    names = re.compile("|".join(rf"(?<![\w-]){re.escape(name)}(?![\w-])" for name in sorted(known)))
    wrong = []
    for name in listed.split("\0"):
        if name and not name.startswith(data) and "/tests/" not in name and "/fuzz/" not in name:
            text = (ROOT / name).read_text(errors="replace") if (ROOT / name).is_file() else ""
            wrong += [f"{name}: {found[0]}" for found in names.finditer(text)]
    assert wrong == []


@pytest.mark.parametrize("base", ["debian", "yocto"])
def test_who_names_no_machine_gets_one_that_runs_here_best(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = emulated(ROOT, base)
    for name, processor in found.items():
        assert base in machine(ROOT, name).bases
        monkeypatch.setattr("platform.machine", lambda processor=processor: processor)
        assert found[usual_machine(ROOT, base)] == processor
    monkeypatch.setattr("platform.machine", lambda: "vax")
    assert usual_machine(ROOT, base) in found


def test_the_list_says_what_starts_a_machine_whichever_base_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["machines", "--json"]) == 0
    listed = {each["name"]: each for each in json.loads(capsys.readouterr().out)["machines"]}
    for base in ("debian", "yocto"):
        for name in emulated(ROOT, base):
            assert (listed[name]["emulated"], bool(listed[name]["firmware"])) == (True, True)
            assert listed[name]["tried"] == (base == "debian")
    assert main(["machines"]) == 0
    (line,) = [each for each in capsys.readouterr().out.splitlines() if each.startswith("qemux86-64 ")]
    assert "edk2" in line


def test_a_base_without_an_emulated_machine_asks_for_one(home: Path) -> None:
    with pytest.raises(ConfigError, match="no emulated machine"):
        usual_machine(home, "yocto")


FIRMWARE = """
[firmware]
packages = ["u-boot-nobody"]
[[firmware.files]]
path = "config.txt"
text = "kernel=u-boot.bin"
[[firmware.areas]]
name = "loader"
offset-kib = 32
size-kib = 100
source = "usr/lib/u-boot/nobody/loader.img"
[[firmware.areas]]
name = "u-boot"
offset-kib = 8192
size-kib = 4096
source = "usr/lib/u-boot/nobody/u-boot.itb"
type = "2e54b353-1271-4842-806f-e436d6af6985"
"""


def test_what_starts_a_board_is_data_too(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "machines" / "nobodys-board.toml").write_text(BOARD + FIRMWARE)
    (home / "kas" / "debian-nobodys-board.yml").write_text(KAS)
    monkeypatch.setenv("PYCONTAINER_HOME", str(home))
    assert main(["machines", "--json"]) == 0
    listed = {each["name"]: each for each in json.loads(capsys.readouterr().out)["machines"]}
    assert listed["nobodys-board"]["board"] == {
        "packages": ["u-boot-nobody"],
        "components": [],
        "files": ["config.txt"],
        "areas": [
            {"name": "loader", "offset": 32768, "size": 102400, "type": None},
            {"name": "u-boot", "offset": 8388608, "size": 4194304, "type": "2e54b353-1271-4842-806f-e436d6af6985"},
        ],
    }
    assert main(["machines"]) == 0
    line = next(each for each in capsys.readouterr().out.splitlines() if each.startswith("nobodys-board"))
    assert "board, untried" in line
    found = variables(home / "machines", "nobodys-board", "amd64")
    assert json.loads(found["MACHINE_FIRMWARE"])["areas"][1]["offset-kib"] == 8192
    assert (found["MACHINE_FIRMWARE_PACKAGES"], found["DEBIAN_COMPONENTS"]) == ("u-boot-nobody", "main")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("offset-kib = 32", "offset-kib = 16"), "offset-kib"),
        (("size-kib = 100", "size-kib = 8192"), "overlap"),
        (('name = "u-boot"', 'name = "loader"'), "one name"),
        (('"config.txt"', '"EFI/BOOT/BOOTAA64.EFI"'), "path"),
        (('"config.txt"', '"pycontainer/record.0"'), "path"),
        (('text = "kernel=u-boot.bin"', ""), "either source or text"),
        (("2e54b353-", "esp"), "type"),
        (("usr/lib/u-boot/nobody/loader.img", "../../loader.img"), "source"),
    ],
)
def test_a_board_that_could_not_start_is_refused_as_data(home: Path, change: tuple[str, str], says: str) -> None:
    (home / "machines" / "nobodys-board.toml").write_text((BOARD + FIRMWARE).replace(*change))
    (home / "kas" / "debian-nobodys-board.yml").write_text(KAS)
    with pytest.raises(ConfigError) as caught:
        machines(home)
    assert says in caught.value.why


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_that_is_not_emulated_brings_what_starts_it(name: str) -> None:
    data = machine(ROOT, name).data
    assert data is not None
    assert (data.emulator is None) == (data.firmware is not None)
