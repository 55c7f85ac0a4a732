# SPDX-License-Identifier: MIT
"""kas, for real, over a base whose BitBake is three lines: what was built from what is written down when asked for."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from orchestrator.build.kas import KasRun, run_kas
from orchestrator.errors import ConfigError
from orchestrator.progress import Silent

KAS = """\
header: {version: 16}
build_system: oe
machine: box
distro: none
target: pycontainer-deploy
artifacts: {deploy: tmp/deploy/images/*/pycontainer-deploy.json}
repos: {base: {path: base, layers: {.: }}}
"""
ENVIRONMENT = 'export PATH="$PWD:$PATH"; mkdir -p "$1"; cd "$1"\n'
BITBAKE = """\
#!/bin/sh
mkdir -p tmp/deploy/images/box && echo "$2 $3" > tmp/deploy/images/box/pycontainer-deploy.json
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name, text in {"kas/box.yml": KAS, "base/oe-init-build-env": ENVIRONMENT, "base/bitbake": BITBAKE}.items():
        path = tmp_path / "home" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    return tmp_path / "home"


def run(home: Path, build: Path, *, provenance: bool) -> KasRun:
    return KasRun(
        home=home, config=home / "kas" / "box.yml", build_dir=build, targets=(), environment={}, log=build / "kas.log",
        own_interface=True, provenance=provenance,
    )  # fmt: skip


def test_what_was_built_is_named_with_what_it_was_built_from(home: Path, tmp_path: Path) -> None:
    run_kas(run(home, tmp_path / "b", provenance=True), Silent())
    built = tmp_path / "b" / "tmp" / "deploy" / "images" / "box" / "pycontainer-deploy.json"
    statement = json.loads((tmp_path / "b" / "attestation" / "kas-build.provenance.json").read_text())
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert statement["subject"] == [
        {"name": "pycontainer-deploy.json", "digest": {"sha256": sha256(built.read_bytes()).hexdigest()}}
    ]
    assert statement["predicate"]["buildDefinition"]["externalParameters"]["config"] == ["kas/box.yml"]


def test_nothing_is_written_down_unasked(home: Path, tmp_path: Path) -> None:
    run_kas(run(home, tmp_path / "b", provenance=False), Silent())
    assert not (tmp_path / "b" / "attestation").exists()


def test_a_build_that_deploys_nothing_has_no_provenance(home: Path, tmp_path: Path) -> None:
    (home / "base" / "bitbake").write_text("#!/bin/sh\n")
    with pytest.raises(ConfigError, match="No artifact"):
        run_kas(run(home, tmp_path / "b", provenance=True), Silent())
