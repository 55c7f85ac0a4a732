# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.oci import MANIFEST_TYPE, Descriptor, Manifest, Store
from orchestrator.registry import Patience, Place, Reference, Remote, Repository, Session, Web
from tests.unit.registry.fake import Registry, serving

IMPATIENT = Patience(
    tries=4, first_delay=0.001, longest_delay=0.002, longest_asked=0.1, connect=2, silence=2, answer=2, slow_seconds=2
)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving(Registry()) as running:
        yield running


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a user has set: a home of his own, where a test puts files."""
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "PATH": str(home / "bin"), "CONTAINERS_REGISTRIES_CONF": str(home / "registries.conf")}


@pytest.fixture
def web(environment: dict[str, str]) -> Iterator[Web]:
    with Web(patience=IMPATIENT, environment=environment) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open_or_create(tmp_path / "store")


@pytest.fixture
def other(tmp_path: Path) -> Store:
    return Store.open_or_create(tmp_path / "other")


@pytest.fixture
def repository(registry: Registry) -> Repository:
    return Repository(registry.host, "shop/web")


@pytest.fixture
def reference(repository: Repository) -> Reference:
    return Reference(repository, "stable")


@pytest.fixture
def remote(web: Web, repository: Repository) -> Remote:
    return Remote(Session(web, Place(repository), actions="pull,push"))


def make_revision(store: Store, *sizes: int, attached: int = 2) -> Descriptor:
    """Put a revision with blobs of these sizes into a store, and documents attached to it."""
    blobs = [store.put_blob(bytes([number + 1]) * size) for number, size in enumerate(sizes or (10, 3_000_000))]
    config = store.put_blob(b'{"product":"shop"}', media_type="application/vnd.pycontainer.revision.config.v1+json")
    manifest = store.put_manifest(
        Manifest(
            schema_version=2,
            media_type=MANIFEST_TYPE,
            artifact_type="application/vnd.pycontainer.revision.v1",
            config=config,
            layers=blobs,
        )
    )
    store.index.add(manifest)
    for number in range(attached):
        document = store.put_blob(b"document %d" % number, media_type="application/spdx+json")
        store.attach(manifest, "application/spdx+json", [document], annotations={"vnd.pycontainer.layer": f"l{number}"})
    return manifest
