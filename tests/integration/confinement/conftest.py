# SPDX-License-Identifier: MIT
"""The probes, compiled once, and what their containers are built with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.build.pipeline import tools_of
from orchestrator.deploy import Deploy
from orchestrator.layers.build import Surroundings
from orchestrator.layers.cache import LayerCache
from tests.integration.confinement.rig import compile_probe
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
    deploy = Deploy(Path(named) if named else request.getfixturevalue("deploy_dir"))
    tools = deploy.manifest.tools
    assert tools is not None
    return Surroundings(
        tools=tools_of(deploy),
        cache=LayerCache(tmp_path_factory.mktemp("layers")),
        architecture=deploy.manifest.architecture,
        source_date_epoch=deploy.manifest.source_date_epoch,
        seccomp_profile=deploy.resolve(tools.path) / "share/containers/seccomp.json",
        tools_digest=tools.digest,
    )
