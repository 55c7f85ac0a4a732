# SPDX-License-Identifier: MIT
"""An image of one platform comes into a shared layout, once; what is there needs no network."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ConfigError, FetchError, PyContainerError
from orchestrator.oci import Store, fsck
from orchestrator.oci.platform import Platform
from orchestrator.registry import Reference, Repository, Web, pull_image, resolve_image
from tests.unit.registry.fake import Registry

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
SCHEMA_2 = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
NAME = "library/base"


def image(
    registry: Registry, content: bytes, *tags: str, docker: bool = False, architecture: str = "amd64"
) -> dict[str, Any]:
    """Put an image of two OCI layers, one of them shared by all."""
    about = {"os": "linux", "architecture": architecture, "rootfs": {"type": "layers"}, "x": content.decode()}
    config = registry.put(NAME, json.dumps(about).encode()) | {"mediaType": CONFIG}
    if docker:
        config |= {"mediaType": "application/vnd.docker.container.image.v1+json"}
    layers = [registry.put(NAME, b"shared" * 1000), registry.put(NAME, content * 1000)]
    value = {
        "schemaVersion": 2,
        "mediaType": SCHEMA_2 if docker else MANIFEST,
        "config": config,
        "layers": [layer | {"mediaType": LAYER} for layer in layers],
    }
    return registry.put_json(NAME, value, value["mediaType"], *tags)


def several(registry: Registry, *tags: str, docker: bool = False) -> dict[str, dict[str, Any]]:
    """Put an index: an attestation first, then a foreign platform, then ours."""
    found = {name: image(registry, name.encode(), docker=docker) for name in ("s390x", "arm64", "amd64")}
    attestation = image(registry, b"attestation") | {"platform": {"os": "unknown", "architecture": "unknown"}}
    entries = [attestation]
    entries += [each | {"platform": {"os": "linux", "architecture": name}} for name, each in found.items()]
    kind = LIST if docker else INDEX
    index = registry.put_json(NAME, {"schemaVersion": 2, "mediaType": kind, "manifests": entries}, kind, *tags)
    return found | {"index": index}


@pytest.fixture
def base(registry: Registry) -> Repository:
    return Repository(registry.host, NAME)


@pytest.mark.parametrize("docker", [False, True], ids=["OCI", "Docker schema 2"])
def test_the_right_platform_comes_out_of_an_index(
    registry: Registry, web: Web, base: Repository, tmp_path: Path, docker: bool
):
    found = several(registry, "1", docker=docker)
    pulled = pull_image(Reference(base, "1"), ARM64, tmp_path / "layout", web=web)
    assert pulled.digest == found["index"]["digest"]
    assert pulled.manifest == found["arm64"]["digest"]
    store = Store.open(pulled.folder)
    assert store.has_blob(pulled.manifest)
    assert not store.has_blob(found["amd64"]["digest"])
    assert len(list(store.blobs.folder.iterdir())) == 5  # index, manifest, config, two OCI layers
    assert fsck(store).whole


def test_a_tag_that_has_not_moved_costs_one_question(registry: Registry, web: Web, base: Repository, tmp_path: Path):
    several(registry, "1")
    first = pull_image(Reference(base, "1"), AMD64, tmp_path / "layout", web=web)
    registry.seen.clear()
    again = pull_image(Reference(base, "1"), AMD64, tmp_path / "layout", web=web)
    assert (again.manifest, again.moved) == (first.manifest, 0)
    assert [(each.method, each.path) for each in registry.seen if each.path != "/v2/"] == [
        ("HEAD", f"/v2/{NAME}/manifests/1")
    ]


def test_a_digest_whose_blobs_are_here_needs_no_network(registry: Registry, web: Web, base: Repository, tmp_path: Path):
    found = several(registry, "1")
    reference = Reference(base, "1").at(found["index"]["digest"])
    first = pull_image(reference, AMD64, tmp_path / "layout", web=web)
    registry.seen.clear()
    assert pull_image(reference, AMD64, tmp_path / "layout", web=web).manifest == first.manifest
    assert registry.seen == []


def test_images_share_their_blobs(registry: Registry, web: Web, base: Repository, tmp_path: Path):
    image(registry, b"one", "1")
    image(registry, b"two", "2")
    pull_image(Reference(base, "1"), AMD64, tmp_path / "layout", web=web)
    second = pull_image(Reference(base, "2"), AMD64, tmp_path / "layout", web=web)
    assert second.moved < second.size - 5000


def test_a_lost_blob_comes_again(registry: Registry, web: Web, base: Repository, tmp_path: Path):
    found = image(registry, b"one", "1")
    reference = Reference(base, None, found["digest"])
    pulled = pull_image(reference, AMD64, tmp_path / "layout", web=web)
    layer = next(path for path in (pulled.folder / "blobs" / "sha256").iterdir() if path.stat().st_size == 3000)
    layer.unlink()
    assert pull_image(reference, AMD64, tmp_path / "layout", web=web).moved == 3000


def test_a_tag_is_resolved_without_its_manifest(registry: Registry, web: Web, base: Repository):
    found = several(registry, "1")
    assert resolve_image(Reference(base, "1"), web=web) == found["index"]["digest"]
    assert not registry.asked("GET", "manifests")


def test_a_tag_that_is_not_there_is_named(registry: Registry, web: Web, base: Repository):
    several(registry, "1")
    with pytest.raises(FetchError) as caught:
        resolve_image(Reference(base, "2"), web=web)
    assert caught.value.what == f"there is no tag 2 in {base}"


def test_a_port_at_which_nobody_listens_is_said_to_be_that(web: Web):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(FetchError) as caught:
        resolve_image(Reference(Repository(host, "web"), "1"), web=web)
    assert (caught.value.what, caught.value.why) == (
        f"the registry {host} cannot be reached",
        "nobody listens at its port",
    )


def test_a_platform_that_is_not_there_is_refused_with_those_that_are(
    registry: Registry, web: Web, base: Repository, tmp_path: Path
):
    several(registry, "1")
    with pytest.raises(ConfigError) as caught:
        pull_image(Reference(base, "1"), Platform("linux", "riscv64"), tmp_path / "layout", web=web)
    assert "linux/amd64, linux/arm64, linux/s390x" in caught.value.why


def test_an_index_that_names_no_platform_is_chosen_from_by_what_its_images_say(
    registry: Registry, web: Web, base: Repository, tmp_path: Path
):
    entries = [image(registry, word.encode(), architecture=word) for word in ("arm64", "amd64")]
    index = registry.put_json(NAME, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX, "1")
    outer = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [index]}
    registry.put_json(NAME, outer, INDEX, "2")
    for tag in ("1", "2"):
        pulled = pull_image(Reference(base, tag), AMD64, tmp_path / tag, web=web)
        assert pulled.manifest == entries[1]["digest"]


def test_an_image_larger_than_the_limit_is_refused_before_it_comes(
    registry: Registry, web: Web, base: Repository, tmp_path: Path
):
    image(registry, b"one", "1")
    with pytest.raises(FetchError, match="too large"):
        pull_image(Reference(base, "1"), AMD64, tmp_path / "layout", web=web, limit=1000)
    assert not registry.asked("GET", "/blobs/")


def test_indexes_within_indexes_have_an_end(registry: Registry, web: Web, base: Repository, tmp_path: Path):
    inner = image(registry, b"one")
    for _ in range(6):
        entry = inner | {"platform": {"os": "linux", "architecture": "amd64"}}
        inner = registry.put_json(NAME, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}, INDEX, "1")
    with pytest.raises(FetchError):
        pull_image(Reference(base, "1"), AMD64, tmp_path / "layout", web=web)


@pytest.mark.parametrize(
    "value",
    [
        {"schemaVersion": 1, "fsLayers": []},
        {"schemaVersion": 2},
        {"schemaVersion": 2, "manifests": [], "config": {}},
        {"schemaVersion": 2, "config": {"mediaType": CONFIG, "digest": "sha256:../../x", "size": 1}, "layers": []},
        {"schemaVersion": 2, "config": {"mediaType": CONFIG, "digest": "sha256:" + "0" * 64, "size": -1}, "layers": []},
    ],
)
def test_a_manifest_out_of_form_is_refused(
    registry: Registry, web: Web, base: Repository, tmp_path: Path, value: dict[str, Any]
):
    registry.put_json(NAME, value, MANIFEST, "1")
    with pytest.raises(PyContainerError):
        pull_image(Reference(base, "1"), AMD64, tmp_path / "layout", web=web)


def test_a_folder_of_something_else_is_left_alone(web: Web, base: Repository, tmp_path: Path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ConfigError):
        pull_image(Reference(base, "1"), AMD64, tmp_path, web=web)
