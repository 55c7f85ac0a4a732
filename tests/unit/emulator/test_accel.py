# SPDX-License-Identifier: MIT
from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import msgspec
import pytest

from orchestrator.deploy import Emulator
from orchestrator.emulator import accel
from tests.unit.emulator.conftest import Faker, emulator


@pytest.fixture(autouse=True)
def kvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A device node that opens, and a processor of the guest's architecture."""
    node = tmp_path / "kvm"
    node.touch()
    monkeypatch.setattr(accel, "KVM", node)
    monkeypatch.setattr(accel.platform, "machine", lambda: "x86_64")
    return node


def starts(folder: Path) -> int:
    argv = folder / "argv"
    return len(argv.read_text().splitlines()) if argv.exists() else 0


def test_kvm_is_taken_when_the_image_boots_with_it_and_not_probed_again(fake: Faker, tmp_path: Path) -> None:
    options, cache = fake("pycontainer: booting\n|pycontainer[   0.812] storage: clean\n"), tmp_path / "c" / "kvm.json"
    assert accel.choose(options, cache=cache) == "kvm"
    assert starts(tmp_path) == 1
    assert "kvm" in (tmp_path / "argv").read_text()
    assert accel.choose(options, cache=cache) == "kvm"
    assert starts(tmp_path) == 1


def test_a_kvm_that_opens_but_fails_is_not_taken(fake: Faker, tmp_path: Path) -> None:
    options, cache = fake("pycontainer[ 1.0] up\n", "kvm fails"), tmp_path / "kvm.json"
    assert accel.choose(options, cache=cache) == "tcg"
    assert accel.choose(options, cache=cache) == "tcg"
    assert starts(tmp_path) == 1


def test_a_kernel_that_stays_silent_under_kvm_is_not_taken(
    fake: Faker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accel, "_PROBE_SECONDS", 0.3)
    assert not accel.boots(fake("pycontainer: booting\n"), timeout=0.3)


def test_after_a_restart_of_this_machine_it_is_probed_again(
    fake: Faker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, cache = fake("pycontainer[ 1.0] up\n"), tmp_path / "kvm.json"
    accel.choose(options, cache=cache)
    other = tmp_path / "boot_id"
    other.write_text("another boot\n")
    monkeypatch.setattr(accel, "_BOOT_ID", other)
    accel.choose(options, cache=cache)
    assert starts(tmp_path) == 2


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"key": "x", "works": True})])
def test_a_spoilt_cache_is_not_believed(fake: Faker, tmp_path: Path, content: str) -> None:
    options, cache = fake("", "kvm fails"), tmp_path / "kvm.json"
    cache.write_text(content)
    assert accel.choose(options, cache=cache) == "tcg"


def test_without_the_device_or_the_architecture_or_the_manifests_leave_nothing_is_probed(
    fake: Faker, tmp_path: Path, kvm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = fake("pycontainer[ 1.0] up\n")
    assert emulator().kvm
    without = dataclasses.replace(options, emulator=_changed(kvm=False))
    assert accel.choose(without, cache=tmp_path / "c") == "tcg"
    foreign = dataclasses.replace(options, emulator=_changed(binary="qemu-system-aarch64"))
    assert accel.choose(foreign, cache=tmp_path / "c") == "tcg"
    kvm.unlink()
    assert accel.choose(options, cache=tmp_path / "c") == "tcg"
    assert starts(tmp_path) == 0


def test_what_the_user_wants_is_not_probed(fake: Faker, tmp_path: Path) -> None:
    assert accel.choose(fake(), "kvm") == "kvm"
    assert accel.choose(fake(), "tcg") == "tcg"
    assert starts(tmp_path) == 0


def _changed(**changes: object) -> Emulator:
    return msgspec.structs.replace(emulator(), **changes)
