# SPDX-License-Identifier: MIT
"""Product folders whose stores have small signed revisions in a channel, and a registry in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.canonical import sha256_digest
from orchestrator.cli.main import main
from orchestrator.history.source import SourceFile, SourceList, attach_source
from orchestrator.oci import Store
from orchestrator.revision import (
    SPDX_TYPE,
    LayerBlob,
    Revision,
    assemble,
    initramfs_with_facts,
    load_revision,
    media_type,
    product_facts,
)
from orchestrator.trust import ProductKeys, product_keys, sign_revision
from tests.unit.registry.fake import Registry, serving
from tests.unit.revision.sample import FSVERITY, sample_config, store_blobs

PRODUCT = """\
product: demo
version: 1.0.0
machine: qemu-amd64
layers:
  rootfs: {kind: rootfs, from: {bitbake: rootfs-debian}}
"""
HEAD = "channel/main/qemu-amd64"
TWO = PRODUCT.replace("machine: qemu-amd64", "machines: [qemu-amd64, qemu-arm64]")


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Site:
    """A product's folder on somebody's machine."""

    folder: Path
    keys_folder: Path
    call: Callable[..., Done]

    @property
    def store(self) -> Store:
        return Store.open_or_create(self.folder / ".pycontainer" / "store")

    @property
    def keys(self) -> ProductKeys:
        return product_keys("demo", environment={"PYCONTAINER_KEYS": str(self.keys_folder)})

    def run(self, *words: object, code: int = 0) -> Done:
        """Run a command in the product's folder; it must end with `code`."""
        done = self.call(self, *words)
        assert done.code == code, done.out + done.err
        return done

    def commit(
        self, content: str, *, parents: list[str] | None = None, channel: str = "main", **facts: Any
    ) -> Revision:
        """Make a revision on top of the channel's head and let the head be it, as a commit does."""
        store = self.store
        head = store.resolve(f"channel/{channel}/qemu-amd64")
        revision = make_revision(
            store,
            self.keys,
            content,
            parents=parents if parents is not None else [head.digest] if head else [],
            **facts,
        )
        store.move(f"channel/{channel}/qemu-amd64", revision.descriptor)
        return revision

    def head(self, channel: str = "main") -> str:
        found = self.store.resolve(f"channel/{channel}/qemu-amd64")
        return found.digest if found else ""


def make_revision(store: Store, keys: ProductKeys, content: str, **changes: Any) -> Revision:
    """Put a revision whose app's bytes are `content` into a store, signed, with a document attached."""
    facts = product_facts("demo", "qemu-amd64", keys.facts_keys(), threshold=keys.threshold)
    base = store.root.parent / "initramfs"
    base.write_bytes(b"070701" + b"\0" * 106)
    parts = {("host", "initramfs"): initramfs_with_facts(base, facts), ("web", "rootfs"): content.encode() * 100}
    blobs: list[LayerBlob] = []
    for blob in store_blobs(store):
        if (data := parts.get((blob.layer, blob.role))) is not None:
            stored = store.put_blob(data, media_type=media_type(blob.role))
            blob = LayerBlob(blob.layer, blob.role, stored.digest, stored.size, FSVERITY)
        blobs.append(blob)
    revision = assemble(store, sample_config(blobs, **{"version": "1.0.0", "message": content} | changes), blobs)
    store.index.add(revision.descriptor)
    document = store.put_blob(b'{"spdx":"%s"}' % content.encode(), media_type=SPDX_TYPE)
    store.attach(revision.descriptor, SPDX_TYPE, [document], annotations={"vnd.pycontainer.layer": "web"})
    text = PRODUCT.encode()
    listed = SourceList(1, [SourceFile("pycontainer.yaml", sha256_digest(text), len(text))])
    attach_source(store, revision, listed, {"pycontainer.yaml": text})
    sign_revision(store, revision, keys.signers())
    return revision


@pytest.fixture
def sites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Site]]:
    """Make product folders, each with its own keys unless `keys` names those of another."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DOCKER_CONFIG", "SOURCE_DATE_EPOCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "registries.conf"))

    def call(site: Site, *words: object) -> Done:
        before = Path.cwd()
        monkeypatch.setenv("PYCONTAINER_KEYS", str(site.keys_folder))
        os.chdir(site.folder)
        try:
            code = main([*map(str, words)])
        except SystemExit as problem:
            code = int(problem.code or 0)
        finally:
            os.chdir(before)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    def make(name: str, keys: str = "", *, empty: bool = False, product: str = PRODUCT) -> Site:
        folder = tmp_path / name
        folder.mkdir()
        if not empty:
            (folder / "pycontainer.yaml").write_text(product)
        return Site(folder, tmp_path / f"keys-{keys or name}", call)

    yield make


@pytest.fixture
def ours(sites: Callable[..., Site]) -> Site:
    return sites("ours")


@pytest.fixture
def theirs(sites: Callable[..., Site], ours: Site) -> Site:
    """A colleague with the same keys."""
    return sites("theirs", keys="ours")


@pytest.fixture
def registry() -> Iterator[Registry]:
    with serving(Registry()) as running:
        yield running


@pytest.fixture(params=["registry", "store"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A remote, empty as yet: of each kind."""
    if request.param == "registry":
        with serving(Registry()) as running:
            yield f"{running.host}/shop/device"
    else:
        yield str(tmp_path / "remote")


def load(site: Site, name: str) -> Revision:
    return load_revision(site.store, name)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that do not look at the disk itself: thousands of real syncs take minutes."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def two(sites: Callable[..., Site]) -> Callable[..., Site]:
    """Makes sites of a product for two machines."""

    def make(name: str, keys: str = "", **more: bool) -> Site:
        return sites(name, keys=keys, product=TWO, **more)

    return make
