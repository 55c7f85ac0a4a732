# SPDX-License-Identifier: MIT
"""Machines of another architecture than this computer's: built here, booted, updated, and rolled back.

The revisions, the device and what is asserted of them are those of the tests of updates.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.deploy import Deploy
from orchestrator.emulator.qemu import binary, options_for
from orchestrator.machines.read import machine
from orchestrator.oci import Store
from orchestrator.product.load import load_product
from orchestrator.revision import read_release, read_revision
from tests.integration.conftest import REPOSITORY, Product, copy_demo, pycontainer
from tests.integration.updates.devices import Device
from tests.integration.updates.products import Family
from tests.integration.updates.test_broken_boot import fail_three_times

MACHINES = ("qemu-arm64",)
BOOT_SECONDS = 300.0


@pytest.fixture(scope="session", params=MACHINES)
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Product:
    """The demo for another machine."""
    folder = tmp_path_factory.mktemp(request.param)
    product = copy_demo(folder / "product", folder / "keys", request.param)
    product.build()
    return product


@pytest.fixture(scope="session")
def family(other: Product, tmp_path_factory: pytest.TempPathFactory) -> Family:
    return Family(other, tmp_path_factory.mktemp("family"), box=False)


@pytest.fixture
def device(family: Family, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Device]:
    """A device that is off; the parameter is the firmware's number in the machine's data."""
    described = machine(REPOSITORY, family.product.machine)
    assert described.data is not None and described.data.emulator is not None
    names = [each.name for each in described.data.emulator.firmware]
    if request.param >= len(names):
        pytest.skip(f"{family.product.machine} has one firmware")
    made = Device(family, family.image, tmp_path, firmware=names[request.param])
    yield made
    made.kill()


def _files(product: Product) -> dict[str, tuple[bytes, bytes]]:
    """Every path of the base's root file system: the kind of what it is, and its bytes or what it leads to."""
    deploy = Deploy(product.deploy)
    layer = deploy.layer("rootfs-debian")
    assert layer is not None
    found = {}
    with tarfile.open(deploy.verified(layer.files["rootfs"])) as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isreg() else None
            content = stream.read() if stream else member.linkname.encode()
            found[member.name.rstrip("/")] = (member.type, content)
    return found


def test_maintainer_scripts_did_what_they_do_on_the_build_machines_own_architecture(
    other: Product, demo: Product
) -> None:
    here, there = _files(demo), _files(other)
    common, build = (machine(REPOSITORY, each.machine).architecture for each in (other, demo))
    assert common is not None and build is not None
    settings = {path for path in there if path.startswith(("etc/", "var/lib/pam/", "var/lib/dpkg/alternatives/"))}
    differ = {path for path in settings if there[path] != here.get(path)}
    assert not {path for path in differ if common.triplet not in path}
    missing = {path for path in here.keys() - there.keys() if path.startswith("etc/") and build.triplet not in path}
    assert missing == {"etc/ld.so.cache"}
    assert b":0:0:root:/root:" in there["etc/passwd"][1]
    status = there["var/lib/dpkg/status"][1].decode()
    assert status.count("\nPackage: ") + 1 == status.count("Status: install ok installed\n")
    machines = {content[18:20] for _, content in there.values() if content.startswith(b"\x7fELF")}
    assert len(machines) == 1 and machines != {here["usr/bin/dpkg"][1][18:20]}


@pytest.fixture
def both(demo: Product, other: Product, tmp_path: Path) -> Product:
    """The demo for both machines, on their BitBake folders (by links): building it runs no BitBake."""
    product = copy_demo(tmp_path / "product", demo.keys)
    file = product.folder / "pycontainer.yaml"
    several = f"machines: [{demo.machine}, {other.machine}]"
    file.write_text(file.read_text().replace(f"machine: {demo.machine}", several))
    left_out = shutil.ignore_patterns("bitbake-*", "*.img")
    for each in (demo, other):
        build = each.folder / "build"
        shutil.copytree(build, product.folder / "build", ignore=left_out, symlinks=True, dirs_exist_ok=True)
        (product.folder / "build" / f"bitbake-{each.machine}").symlink_to(build / f"bitbake-{each.machine}")
    return product


def test_a_product_for_both_is_built_and_travels_as_one(
    both: Product, demo: Product, other: Product, tmp_path: Path
) -> None:
    names = [demo.machine, other.machine]
    assert [each["machine"] for each in both.build()["machines"]] == names
    place = tmp_path / "place"

    def ok(*words: str | Path, folder: Path = both.folder, **environment: str) -> Any:
        done = pycontainer(*words, "--json", cwd=folder, **(both.environment | environment))
        assert done.code == 0, done.out + done.err
        return done.json

    ok("remote", "add", "origin", place)
    made = {each["machine"]: each["revision"] for each in ok("commit", "-m", "First")["machines"]}
    assert list(made) == names
    ok("tag", "v1")
    pushed = ok("push", "--tags")["release"]
    store = Store.open(place)
    assert read_release(store, pushed).machines == made
    # What is made for another architecture has the same form: layers and their parts, and what is attached.
    ours, theirs = (read_revision(store, made[name]) for name in names)
    forms = [[(layer.name, layer.kind, sorted(layer.blobs)) for layer in each.config.layers] for each in (ours, theirs)]
    assert forms[0] == forms[1]
    kinds = [sorted(entry.artifact_type or "" for entry in store.referrers(each.id)) for each in (ours, theirs)]
    assert kinds[0] == kinds[1] and len(kinds[0]) > len(forms[0])
    # Who has nothing yet, and wants one machine, or both.
    keys = str(tmp_path / "others-keys")
    cloned = ok("clone", place, "one", "--machine", other.machine, folder=tmp_path, PYCONTAINER_KEYS=keys)
    assert [(each["machine"], each["revision"]) for each in cloned["channels"]] == [(other.machine, theirs.id)]
    assert not Store.open(tmp_path / "one/.pycontainer/store").has_blob(ours.id)
    assert several_of(tmp_path / "one") == several_of(both.folder) == names
    ok("clone", place, "all", folder=tmp_path, PYCONTAINER_KEYS=keys)
    checked = ok("verify", "v1", folder=tmp_path / "all", PYCONTAINER_KEYS=keys)
    assert (checked["release"], checked["passed"]) == (pushed, True)
    assert ok("fsck", folder=tmp_path / "all", PYCONTAINER_KEYS=keys)["whole"]


def several_of(folder: Path) -> list[str]:
    """The machines that a folder's product file names."""
    return list(load_product(folder / "pycontainer.yaml").machines)


@pytest.mark.parametrize("device", [0], indirect=True)
def test_it_boots_to_its_page_and_is_updated_with_and_without_a_restart(device: Device, family: Family) -> None:
    device.start()
    device.wait_settled(family.base, timeout=BOOT_SECONDS)
    device.assert_runs(family.base)
    assert device.update(family.made("page")).result == "confirmed"
    device.assert_runs(family.made("page"))
    assert device.text.count("booting revision") == 1
    assert device.update(family.made("kernel")).result == "confirmed"
    device.assert_runs(family.made("kernel"))
    assert f"booting revision {family.made('kernel').short}, try 2 left" in device.text
    device.kill()
    found = device.record()
    assert (found.rev, found.attempt) == (family.made("kernel").id, "")


@pytest.mark.parametrize("device", [1], indirect=True)
def test_by_its_other_firmware_a_revision_that_never_comes_up_is_rolled_back(device: Device, family: Family) -> None:
    device.start()
    device.wait_settled(family.base, timeout=BOOT_SECONDS)
    fail_three_times(device, family, family.made("panics"))
    device.kill()
    found = device.record()
    assert (found.rev, found.attempt, found.left) == (family.base.id, "", 0)


def emulators_tree(family: Family, folder: Path) -> bytes:
    """The device tree that QEMU makes for this machine; with firmware, as it has other devices without."""
    options = options_for(family.deploy, family.image)
    emulator, path = options.emulator, folder / "emulator.dtb"
    argv = [binary(emulator), "-machine", f"{emulator.machine},dumpdtb={path}", "-cpu", emulator.cpu, "-nodefaults"]
    argv += ["-smp", str(emulator.smp), "-m", str(emulator.memory_mi_b), "-display", "none"]
    subprocess.run([*argv, f"-{options.firmware_kind}", options.firmware_code], check=True, capture_output=True)
    return path.read_bytes()


@pytest.mark.parametrize("device", [0, 1], indirect=True)
def test_a_revisions_own_device_tree_comes_and_goes_with_it(device: Device, family: Family, tmp_path: Path) -> None:
    """By either firmware: the kernel has the revision's tree, and after the way back the firmware's or none again."""
    tree = emulators_tree(family, tmp_path)
    ours, theirs = b"linux,tested-vm", b"linux,dummy-virt"
    assert theirs in tree
    made = family.with_tree("tree", tree.replace(theirs, ours + b"\0"))
    device.start()
    device.wait_settled(family.base, timeout=BOOT_SECONDS)
    assert device.update(made).result == "confirmed"
    device.assert_runs(made)
    assert f"Machine model: {ours.decode()}" in device.text
    assert device.update(family.made("talkative")).result == "confirmed"
    assert device.text.count("Machine model: linux,tested-vm") == 1
