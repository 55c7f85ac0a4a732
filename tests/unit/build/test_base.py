# SPDX-License-Identifier: MIT
"""Before BitBake runs: what is missing is said, and nothing is taken away for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.build import base
from orchestrator.build.base import deployed, ensure_base
from orchestrator.build.doctor import Finding
from orchestrator.build.kas import checkout
from orchestrator.build.pipeline import _check_store
from orchestrator.build.workspace import Workspace
from orchestrator.cli.view import PlainView
from orchestrator.deploy import MANIFEST_NAME
from orchestrator.errors import ConfigError, PyContainerError, TryAgainError, VerificationError
from orchestrator.oci import Store
from orchestrator.product import load_product
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
    _check_store(place)
    Store.open_or_create(place.store)
    _check_store(place)
    (place.store / "index.json").write_text('{"schemaVersion": 2, "mani')
    with pytest.raises(VerificationError) as caught:
        _check_store(place)
    assert f"remove {place.store}" in caught.value.hint
