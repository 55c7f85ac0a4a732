# SPDX-License-Identifier: MIT
"""Before BitBake runs: what is missing is said, and nothing is taken away for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from orchestrator.build import base
from orchestrator.build.base import _check, deployed, ensure_base, environment, runtimes
from orchestrator.build.candidate import check_store
from orchestrator.build.doctor import Finding
from orchestrator.build.workspace import Workspace
from orchestrator.cli.view import PlainView
from orchestrator.deploy import MANIFEST_NAME, Deploy
from orchestrator.errors import ConfigError, PyContainerError, TryAgainError, VerificationError
from orchestrator.machines.read import checkout
from orchestrator.oci import Store
from orchestrator.product import Product, load_product
from orchestrator.progress import Reporter

LOW = Finding("free disk", False, "0.1 GB are free in /x", passing=True)
GONE = Finding("wget", False, "BitBake's fetcher runs it", "wget")


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "pycontainer.yaml", "demo", "qemu-amd64")


@pytest.fixture
def forced(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., PyContainerError]:
    """Build the base anew on a machine of which the doctor has found so; returns the error."""

    def force(*findings: Finding) -> PyContainerError:
        monkeypatch.setattr(base, "examine", lambda *_: list(findings))
        product = load_product(checkout() / "examples" / "demo" / "pycontainer.yaml")
        with pytest.raises(PyContainerError) as caught:
            ensure_base(product, place, {}, Reporter(PlainView()), force=True, held=-1)
        return caught.value

    return force


def test_a_base_that_cannot_be_built_anew_is_left_as_it_is(place: Workspace, forced: Callable[..., PyContainerError]):
    place.deploy.mkdir(parents=True)
    (place.deploy / MANIFEST_NAME).write_text("{}")
    error = forced(GONE)
    assert isinstance(error, ConfigError)
    assert "wget" in error.what
    assert (place.deploy / MANIFEST_NAME).exists()


def test_nobody_is_sent_to_the_doctor_for_what_it_cannot_mend(forced: Callable[..., PyContainerError]):
    assert "doctor" in forced(GONE).hint
    assert "doctor" not in forced(Finding("a user who is not root", False, "OE-core refuses root")).hint


def test_a_full_disk_alone_asks_to_try_again(forced: Callable[..., PyContainerError]):
    error = forced(LOW)
    assert isinstance(error, TryAgainError)
    assert (error.why, "doctor" in error.hint) == (LOW.detail, False)
    error = forced(LOW, GONE)
    assert isinstance(error, ConfigError)
    assert error.why == GONE.detail
    assert "free disk" not in error.what


def test_what_was_never_built_is_said_so(place: Workspace):
    with pytest.raises(ConfigError, match="demo was not built yet for qemu-amd64") as caught:
        deployed(place)
    assert "pycontainer build " in caught.value.hint


def test_a_damaged_store_is_found_before_bitbake_runs(place: Workspace):
    check_store(place)
    Store.open_or_create(place.store)
    check_store(place)
    (place.store / "index.json").write_text('{"schemaVersion": 2, "mani')
    with pytest.raises(VerificationError) as caught:
        check_store(place)
    assert f"remove {place.store}" in caught.value.hint


def test_a_host_without_lxc_does_not_get_a_product_that_needs_it(tmp_path: Path, place: Workspace):
    platform = [
        {"name": kind, "kind": kind, "recipe": kind, "version": "1", "architecture": "amd64", "files": {}}
        for kind in ("bootloader", "bsp", "host")
    ]
    manifest = {
        "schemaVersion": 1, "base": "debian", "machine": place.machine, "architecture": "amd64",
        "distribution": {"id": "debian", "version": "13"}, "sourceDateEpoch": 0, "layers": platform,
    }  # fmt: skip
    (tmp_path / MANIFEST_NAME).write_text(json.dumps(manifest))
    layers = {"web": {"kind": "app", "from": {"tar": "x.tar"}, "runtime": "lxc"}}
    product = msgspec.convert({"product": "demo", "version": "1", "machine": place.machine, "layers": layers}, Product)
    assert runtimes(product) == ["crun", "lxc"]
    assert environment(product, place)["PYCONTAINER_RUNTIMES"] == "crun lxc"
    with pytest.raises(ConfigError, match="cannot run containers by lxc") as caught:
        _check(Deploy(tmp_path), product, place)
    assert "leave 'runtime' out" in caught.value.hint
    platform[2]["runtimes"] = ["crun", "lxc"]
    (tmp_path / MANIFEST_NAME).write_text(json.dumps(manifest))
    _check(Deploy(tmp_path), product, place)
