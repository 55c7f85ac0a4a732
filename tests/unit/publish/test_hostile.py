# SPDX-License-Identifier: MIT
"""A published layer is foreign bytes: whatever its manifest, configuration and tree say, a product is not harmed."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.build.published import asked_words, effective
from orchestrator.build.skeleton import PublishedSource
from orchestrator.canonical import canonical_json
from orchestrator.errors import PyContainerError
from orchestrator.layers.tree import Limits
from orchestrator.oci import Store
from orchestrator.product.model import Layer
from orchestrator.product.source import Source
from orchestrator.publish import LayerConfig, PublishedLayer, assemble_layer, check_signers, read_layer, sign_layer
from orchestrator.trust import PrivateKey

QUIET = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEY, OTHER = PrivateKey.from_seed(b"\1" * 32), PrivateKey.from_seed(b"\2" * 32)
FSVERITY = "sha256:" + "f" * 64


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open_or_create(tmp_path / "store")


def made(store: Store, run: dict[str, Any] | None = None, tree: bytes = b"tree") -> PublishedLayer:
    config = LayerConfig(
        name="kiosk", version="1", kind="app", architecture="amd64", created="2026-01-01T00:00:00Z", run=run or {}
    )
    parts = {"rootfs": store.put_blob(b"rootfs"), "tree": store.put_blob(tree), "document": store.put_blob(b"{}")}
    return assemble_layer(store, config, parts, FSVERITY)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += paths(item, (*path, key))
    return found


JUNK = st.one_of(st.none(), st.integers(), st.text(max_size=20), st.lists(st.integers(), max_size=2), st.booleans())


@QUIET
@given(st.data())
def test_a_changed_manifest_or_configuration_is_refused_or_still_a_layer(store: Store, data: st.DataObject):
    layer = made(store)
    document = data.draw(st.sampled_from([layer.id, layer.manifest.config.digest]))
    value = json.loads(store.read_blob(document))
    place = data.draw(st.sampled_from([each for each in paths(value) if each]))
    changed = copy.deepcopy(value)
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = data.draw(JUNK)
    blob = store.put_blob(canonical_json(changed))
    if document != layer.id:
        manifest = json.loads(store.read_blob(layer.id))
        manifest["config"] |= {"digest": blob.digest, "size": blob.size}
        blob = store.put_blob(canonical_json(manifest))
    try:
        found = read_layer(store, blob.digest)
    except PyContainerError:
        return
    assert set(found.parts) == {"rootfs", "tree", "document"}
    assert isinstance(asked_words(found), list)


@QUIET
@given(st.dictionaries(st.sampled_from(["relax", "ports", "memory", "user", "files", "from", "kind", "x"]), JUNK))
def test_what_a_layer_says_of_itself_is_understood_or_refused(store: Store, run: dict[str, Any]):
    layer = made(store, run)
    granted = Layer(kind="app", source=Source(layer="oci:x:1", signers=["0" * 64]))
    try:
        found = effective("kiosk", granted, layer)
    except PyContainerError:
        return
    assert found.source == granted.source
    assert (found.relax, found.ports, found.files) == ([], [], [])


@QUIET
@given(st.binary(max_size=200))
def test_a_tree_that_is_none_is_refused(store: Store, tmp_path: Path, data: bytes):
    if not data:
        return
    source = PublishedSource(store, made(store, tree=data), "kiosk")
    with pytest.raises(PyContainerError):
        source.load(tmp_path / "work", Limits(), 0)


def test_a_signature_of_another_layer_or_key_counts_for_nothing(store: Store):
    first, second = made(store), made(store, {"user": "1"})
    sign_layer(store, first, [KEY])
    sign_layer(store, second, [OTHER])
    (entry,) = store.referrers(first.id)
    parts = store.read_manifest(entry.digest).layers
    store.attach(second.descriptor, entry.artifact_type or "", parts)  # a good signature, of something else
    assert check_signers(store, first, [KEY.public.keyid]) == [KEY.public.keyid]
    assert check_signers(store, second, [OTHER.public.keyid]) == [OTHER.public.keyid]
    with pytest.raises(PyContainerError, match="not signed by who may sign it"):
        check_signers(store, second, [KEY.public.keyid])
