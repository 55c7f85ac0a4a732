# SPDX-License-Identifier: MIT
"""The probes, compiled once, and what their containers are built with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.layers.build import Surroundings
from tests.integration.confinement.rig import compile_probe, surroundings
from tests.integration.device.conftest import inputs

__all__ = ["inputs"]


@pytest.fixture(scope="session")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that probes."""
    return compile_probe(tmp_path_factory.mktemp("probe"))


@pytest.fixture(scope="session")
def around(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Surroundings:
    """What the layers of probes are built with: the demo's native tools, or those of the folder PYC_DEVICE_DEPLOY."""
    named = os.environ.get("PYC_DEVICE_DEPLOY")
    folder = Path(named) if named else request.getfixturevalue("deploy_dir")
    return surroundings(folder, tmp_path_factory.mktemp("layers"))
