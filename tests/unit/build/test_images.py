# SPDX-License-Identifier: MIT
"""Images of registries in a build: tags are pinned by digest, and what is pinned and here needs no network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.build import lockfile
from orchestrator.build.base import fingerprint
from orchestrator.build.imagelock import ImageChange, key_of, pinned_images, update_images
from orchestrator.build.images import registry_images
from orchestrator.build.workspace import Workspace
from orchestrator.cli.screens import lock_screen
from orchestrator.errors import ConfigError, FetchError
from orchestrator.oci.platform import Platform
from orchestrator.product import load_product
from orchestrator.product.model import Product
from orchestrator.product.reference import parse_reference
from orchestrator.progress import Reporter, Silent
from orchestrator.registry import parse_reference as parse_for_registry
from tests.unit.registry.fake import Registry, serving

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
AMD64 = Platform("linux", "amd64")
QUIET = Reporter(Silent())
PACKAGES = {"packages": {"x": {"name": "crun", "architecture": "amd64", "version": "1"}}}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "registries.conf"))


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving(Registry()) as running:
        yield running


def publish(registry: Registry, name: str, content: bytes, *tags: str) -> str:
    """Put an image that nothing is wrong with but that it is none; returns its digest."""
    config = registry.put(name, content) | {"mediaType": "application/vnd.oci.image.config.v1+json"}
    value = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
    return str(registry.put_json(name, value, MANIFEST, *tags)["digest"])


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    (tmp_path / "product").mkdir()
    return Workspace(tmp_path / "product" / "pycontainer.yaml", "shop", "qemu-amd64")


def product(place: Workspace, **images: str) -> Product:
    layers = "\n".join(f"  {name}: {{kind: app, from: {{image: '{image}'}}}}" for name, image in images.items())
    place.product_file.write_text(f"product: shop\nversion: 1\nmachine: qemu-amd64\nlayers:\n{layers}\n")
    return load_product(place.product_file)


def content(path: Path) -> Any:
    return json.loads(path.read_text())


def test_a_tag_means_what_it_meant_at_the_first_build(registry: Registry, place: Workspace):
    shop = product(place, web=f"{registry.host}/web:1")
    first = publish(registry, "web", b"one", "1")
    assert pinned_images(shop, place, QUIET) == {f"{registry.host}/web:1": first}
    publish(registry, "web", b"two", "1")
    registry.seen.clear()
    assert pinned_images(shop, place, QUIET) == {f"{registry.host}/web:1": first}
    assert registry.seen == []
    assert content(place.build / "images.lock.json") == {"images": {f"{registry.host}/web:1": {"digest": first}}}


def test_the_products_own_lock_keeps_the_pins_beside_the_packages(registry: Registry, place: Workspace):
    own = place.root / "pycontainer.lock"
    own.write_text(json.dumps(PACKAGES))
    shop = product(place, web=f"docker://{registry.host}/web")
    digest = publish(registry, "web", b"one", "latest")
    before = fingerprint(shop, place)
    pinned_images(shop, place, QUIET)
    assert content(own) == PACKAGES | {"images": {f"{registry.host}/web:latest": {"digest": digest}}}
    assert fingerprint(shop, place) == before  # the base does not depend on images: BitBake is not run for them


def test_a_digest_in_the_product_file_needs_no_pin(registry: Registry, place: Workspace):
    digest = publish(registry, "web", b"one")
    assert pinned_images(product(place, web=f"{registry.host}/web@{digest}"), place, QUIET) == {}
    assert registry.seen == []


def test_what_is_pinned_and_here_is_built_without_the_network(registry: Registry, place: Workspace):
    text = f"{registry.host}/web:1"
    digest = publish(registry, "web", b"{}", "1")
    images = registry_images(place, pinned_images(product(place, web=text), place, QUIET), QUIET)
    first = images.source(parse_reference(text), AMD64)
    assert first.manifest == digest
    assert (place.images / "blobs" / "sha256" / digest.removeprefix("sha256:")).is_file()
    registry.seen.clear()
    assert images.source(parse_reference(text), AMD64) == first
    assert registry.seen == []


def test_only_the_images_that_are_named_move(registry: Registry, place: Workspace):
    web, db = f"{registry.host}/web:1", f"{registry.host}/db:1"
    shop = product(place, web=web, db=db)
    old = {name: publish(registry, name, b"one", "1") for name in ("web", "db")}
    pinned_images(shop, place, QUIET)
    new = {name: publish(registry, name, b"two", "1") for name in ("web", "db")}
    assert update_images(shop, place, QUIET, ["web"]) == (ImageChange(web, old["web"], new["web"]),)
    assert pinned_images(shop, place, QUIET) == {web: new["web"], db: old["db"]}
    assert update_images(shop, place, QUIET, ["web"]) == ()
    smaller = product(place, web=web)
    assert update_images(smaller, place, QUIET) == (ImageChange(db, old["db"], None),)


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The base resolves its packages to the same again."""

    def resolved(_product: object, where: Workspace, *_rest: object) -> Path:
        path = where.package_lock.with_name(where.package_lock.name + ".new")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(PACKAGES))
        return path

    monkeypatch.setattr(lockfile, "_resolved", resolved)


@pytest.mark.usefixtures("packages")
def test_locking_shows_images_too_and_moves_them_only_when_told(registry: Registry, place: Workspace):
    text = f"{registry.host}/web:1"
    shop = product(place, web=text)
    old = publish(registry, "web", b"one", "1")
    made = lockfile.lock(shop, place, QUIET, update=False, held=-1)
    assert (made.written, made.packages, made.images) == (True, 1, 1)
    new = publish(registry, "web", b"two", "1")
    assert not lockfile.lock(shop, place, QUIET, update=False, held=-1).written
    assert content(place.root / "pycontainer.lock")["images"] == {text: {"digest": old}}
    moved = lockfile.lock(shop, place, QUIET, update=True, held=-1)
    assert moved.image_changes == (ImageChange(text, old, new),)
    assert moved.to_data()["imageChanges"] == [{"image": text, "before": old, "after": new}]
    assert content(place.root / "pycontainer.lock") == PACKAGES | {"images": {text: {"digest": new}}}
    screen = lock_screen(moved)
    assert text in screen
    assert new.removeprefix("sha256:")[:12] in screen


@pytest.mark.usefixtures("packages")
def test_an_image_that_came_later_is_added_to_the_lock(registry: Registry, place: Workspace):
    lockfile.lock(product(place, web=f"{registry.host}/web@sha256:{'0' * 64}"), place, QUIET, update=False, held=-1)
    digest = publish(registry, "db", b"one", "1")
    added = lockfile.lock(product(place, db=f"{registry.host}/db:1"), place, QUIET, update=False, held=-1)
    assert added.written
    assert content(place.root / "pycontainer.lock")["images"] == {f"{registry.host}/db:1": {"digest": digest}}


@pytest.mark.usefixtures("packages")
def test_an_image_that_is_gone_stops_the_update_before_anything_changes(registry: Registry, place: Workspace):
    shop = product(place, web=f"{registry.host}/web:1")
    publish(registry, "web", b"one", "1")
    lockfile.lock(shop, place, QUIET, update=False, held=-1)
    before = (place.root / "pycontainer.lock").read_bytes()
    registry.repos.clear()
    with pytest.raises(FetchError):
        lockfile.lock(shop, place, QUIET, update=True, held=-1)
    assert (place.root / "pycontainer.lock").read_bytes() == before


@pytest.mark.parametrize(
    "images", ['{"images": []}', '{"images": {"a": 1}}', '{"images": {"a": {"digest": "sha256:x"}}}', "[", "[]"]
)
def test_a_damaged_lock_is_named(registry: Registry, place: Workspace, images: str):
    (place.root / "pycontainer.lock").write_text(images)
    with pytest.raises(ConfigError) as caught:
        pinned_images(product(place, web=f"{registry.host}/web:1"), place, QUIET)
    assert "pycontainer.lock" in caught.value.what
    assert "lock --update" in caught.value.hint


_HOSTS = st.sampled_from(
    ["localhost", "a.example", "A.example:5000", "[::1]:5000", "[1.2.3.4]", "a.example:0", "x" * 64 + ".b"]
)
_WORDS = st.text("aB9._-/:[]@", max_size=12)


@given(
    st.builds(
        "{}{}/{}{}".format, _HOSTS, st.sampled_from(["", ":1", ":70000", "."]), _WORDS, st.sampled_from(["", ":1", ":"])
    )
)
def test_what_the_product_file_takes_for_an_image_the_registry_client_does_too(text: str) -> None:
    try:
        found = parse_reference(text)
    except ValueError:
        with pytest.raises(ConfigError):
            parse_for_registry(text)
        return
    assert parse_for_registry(key_of(found)).repository == parse_for_registry(text).repository
