# SPDX-License-Identifier: MIT
"""`pycontainer lock`: the product's own lock is made or renewed, and no other file is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.build import lockfile
from orchestrator.build.lockfile import Change, LockChanges
from orchestrator.build.workspace import Workspace
from orchestrator.cli.view import PlainView
from orchestrator.errors import ConfigError
from orchestrator.machines.read import checkout
from orchestrator.product import load_product
from orchestrator.progress import Reporter


def lock_of(version: str) -> str:
    return json.dumps({"packages": {"x": {"name": "crun", "architecture": "amd64", "version": version}}})


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path / "pycontainer.yaml", "demo", "qemu-amd64")
    found.bitbake.mkdir(parents=True)
    return found


def lock(place: Workspace, monkeypatch: pytest.MonkeyPatch, *, update: bool, fresh: str = "2") -> LockChanges:
    """Lock with a base that would resolve crun to the version `fresh`."""

    def resolved(_product: object, where: Workspace, *_rest: object) -> Path:
        path = where.package_lock.with_name(where.package_lock.name + ".new")
        path.write_text(lock_of(fresh))
        return path

    monkeypatch.setattr(lockfile, "_resolved", resolved)
    product = load_product(checkout() / "examples" / "demo" / "pycontainer.yaml")
    return lockfile.lock(product, place, Reporter(PlainView()), update=update, held=-1)


def test_the_builds_own_lock_stays_where_it_is(place: Workspace, monkeypatch: pytest.MonkeyPatch):
    built = place.bitbake / "debian.lock.json"
    built.write_text(lock_of("1"))
    result = lock(place, monkeypatch, update=False)
    assert (result.written, result.packages) == (True, 1)
    assert built.read_text() == result.path.read_text() == lock_of("1")


def test_an_update_shows_what_changes_and_leaves_no_file_beside(place: Workspace, monkeypatch: pytest.MonkeyPatch):
    own = place.root / "pycontainer.lock"
    own.write_text(lock_of("1"))
    assert lock(place, monkeypatch, update=True).changes == (Change("crun:amd64", "1", "2"),)
    assert own.read_text() == lock_of("2")
    assert not own.with_name("pycontainer.lock.new").exists()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"packages": {"x": 1}}', "{}"])
def test_an_update_mends_a_damaged_lock_as_the_error_says(
    place: Workspace, monkeypatch: pytest.MonkeyPatch, damage: str
):
    own = place.root / "pycontainer.lock"
    own.write_text(damage)
    with pytest.raises(ConfigError) as caught:
        lock(place, monkeypatch, update=False)
    assert "pycontainer lock --update" in caught.value.hint
    assert lock(place, monkeypatch, update=True).written
    assert own.read_text() == lock_of("2")
