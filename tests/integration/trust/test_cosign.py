# SPDX-License-Identifier: MIT
"""cosign itself, as Debian 13 packages it, accepts a revision in a registry by the exported key, and by no other."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.compliance.bundle.mirror import mirrors
from orchestrator.registry.reference import parse_reference
from orchestrator.registry.revisions import push
from tests.integration.conftest import pycontainer
from tests.integration.registry.conftest import docker_registry
from tests.integration.registry.test_release import TWO, build
from tests.integration.trust.conftest import Shop

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@pytest.fixture(scope="session")
def cosign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program: the machine's, or that of Debian 13's archive, which apt verifies; nothing is installed."""
    if found := shutil.which("cosign"):
        return Path(found)
    folder = tmp_path_factory.mktemp("cosign")
    for name in ("lists/partial", "cache/archives/partial", "etc"):
        (folder / name).mkdir(parents=True)
    (folder / "etc" / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirrors(os.environ)[0]} trixie main\n")
    apt = [
        "apt-get", "-q", "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache",
        "-o", f"Dir::Etc::sourcelist={folder}/etc/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null",
        "-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none",
    ]  # fmt: skip
    for words in (["update"], ["download", "cosign"]):
        subprocess.run([*apt, *words], cwd=folder, check=True, capture_output=True, timeout=300)
    (package,) = folder.glob("cosign_*.deb")
    subprocess.run(["dpkg-deb", "-x", package, folder / "tree"], check=True, timeout=60)
    return folder / "tree" / "usr" / "bin" / "cosign"


def test_cosign_accepts_a_revision_by_its_keys_and_by_no_other(shop: Shop, cosign: Path, tmp_path: Path) -> None:
    shop.ok("key", "new", "second", "--no-passphrase")
    shop.ok("key", "new", "stranger", "--no-passphrase", "--product-name", "other")
    signed = shop.ok("sign", "--cosign")
    assert len(signed["keys"]) == 1, "the second key is the only one of the product"
    for name, product in (("second", "demo"), ("stranger", "other")):
        shop.ok("key", "export", name, "--product-name", product, "-o", tmp_path / f"{name}.pem")
    with docker_registry(tmp_path / "registry", secure=False) as server:
        reference = parse_reference(f"{server.host}/shop:main")
        push(shop.store, shop.revision.id, reference.repository, ["main"])

        accepted = verify(cosign, tmp_path / "second.pem", str(reference))
        assert accepted.returncode == 0, accepted.stderr
        assert shop.revision.id in accepted.stdout
        refused = verify(cosign, tmp_path / "stranger.pem", str(reference))
        assert refused.returncode != 0
        assert "no matching signatures" in refused.stderr


def verify(cosign: Path, key: Path, reference: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [cosign, "verify", "--key", key, "--insecure-ignore-tlog=true", "--allow-http-registry", reference],
        env=os.environ | {"HOME": str(key.parent)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_cosign_accepts_a_release_and_each_of_its_revisions(cosign: Path, tmp_path: Path) -> None:
    folder, keys = tmp_path / "product", tmp_path / "keys"
    folder.mkdir()
    (folder / "pycontainer.yaml").write_text(TWO)
    build(folder, keys, "one")

    def ok(*words: str | Path) -> Any:
        done = pycontainer(*words, "--json", cwd=folder, PYCONTAINER_KEYS=str(keys))
        assert done.code == 0, done.out + done.err
        return done.json

    made = ok("commit", "-m", "First")
    signed = ok("sign", "main", "--cosign")
    assert signed["release"] == made["release"]
    ok("key", "export", "signing", "-o", tmp_path / "signing.pem")
    with docker_registry(tmp_path / "registry", secure=False) as server:
        place = f"{server.host}/two/device"
        ok("push", place)
        wanted = [(f"{place}:main", made["release"])]
        wanted += [(f"{place}@{each['revision']}", each["revision"]) for each in made["machines"]]
        for reference, digest in wanted:
            accepted = verify(cosign, tmp_path / "signing.pem", reference)
            assert accepted.returncode == 0, accepted.stderr
            assert digest in accepted.stdout
