# SPDX-License-Identifier: MIT
"""What differs between revisions: layers, versions, sizes, settings, packages, licences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import VerificationError
from orchestrator.history.compare import compare
from orchestrator.history.packages import Package, PackageChange, package_changes, read_packages
from orchestrator.history.source import SourceList
from orchestrator.history.status import documents, examine, licences
from tests.unit.history.sample import WEB, Works, document


def test_the_first_revision_adds_every_layer(works: Works) -> None:
    made = works.build()
    found = compare(None, made)
    assert [each.change for each in found.layers] == ["added"] * 5
    assert found.fetch == sum(blob.size for blob in made.blobs())
    assert not found.empty


def test_only_what_changed_is_told_with_what_a_device_fetches(works: Works) -> None:
    before, after = works.build("1.0.0", "old"), works.build("1.1.0", "a new one")
    found = compare(before, after)
    (layer,) = found.layers
    assert (layer.name, layer.kind, layer.change) == ("web", "app", "changed")
    assert [each.role for each in layer.blobs] == ["rootfs"]
    new = len(b"squashfs of a new one")
    assert layer.fetch == found.fetch == new
    assert layer.sizes[1] - layer.sizes[0] == new - len(b"squashfs of old")
    assert [(each.name, each.before, each.after) for each in found.settings] == [("version", "1.0.0", "1.1.0")]
    assert compare(after, after).empty


def test_a_blob_of_two_layers_is_fetched_once(works: Works) -> None:
    before = works.build("1.0.0", "old")
    after = works.build("1.0.0", "new")
    sizes = {blob.digest: blob.size for blob in after.blobs()}
    have = {blob.digest for blob in before.blobs()}
    assert compare(before, after).fetch == sum(size for digest, size in sizes.items() if digest not in have)


def test_settings_of_a_layer_are_named(works: Works) -> None:
    import msgspec

    before = works.build()
    layers = [
        msgspec.structs.replace(layer, required=True) if layer.name == "web" else layer
        for layer in before.config.layers
    ]
    after = works.build(layers=layers)
    (layer,) = compare(before, after).layers
    assert [(each.name, each.before, each.after) for each in layer.settings] == [("required", False, True)]
    assert layer.fetch == 0


def test_packages_of_a_document(works: Works) -> None:
    blob = works.store.put_blob(document("web", WEB))
    assert read_packages(works.store, blob.digest) == [
        Package("pkg:deb/debian/nginx?arch=amd64", "nginx", "1.26", "BSD-2-Clause"),
        Package("pkg:deb/debian/zlib?arch=amd64", "zlib", "1.3", "Zlib"),
    ]


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"@graph": 1}', b'{"@graph": [1]}', b"\xff", b"[" * 100_000])
def test_what_is_no_document_is_refused(works: Works, data: bytes) -> None:
    blob = works.store.put_blob(data)
    with pytest.raises(VerificationError):
        read_packages(works.store, blob.digest)


def test_packages_that_came_went_changed_or_were_relicensed(works: Works) -> None:
    before = works.build("1.0.0", "a", WEB)
    later = {"nginx": ("1.28", "BSD-2-Clause"), "zlib": ("1.3", "MIT"), "curl": ("8", "curl")}
    after = works.build("1.0.0", "b", later)
    comparison = compare(before, after)
    changes = documents(works.store, comparison)
    assert [(each.name, each.what) for each in changes.packages] == [
        ("curl", "added"), ("nginx", "changed"), ("zlib", "relicensed"),
    ]  # fmt: skip
    assert licences(works.store, before, after, changes) == (["MIT", "curl"], ["Zlib"])
    gone = documents(works.store, compare(after, before))
    assert ("curl", "removed") in [(each.name, each.what) for each in gone.packages]


def test_a_licence_that_another_layer_has_already_is_not_new(works: Works) -> None:
    before = works.build("1.0.0", "a", WEB)
    after = works.build("1.0.0", "b", {**WEB, "libx": ("1", "LGPL-2.1")})
    changes = documents(works.store, compare(before, after))
    assert licences(works.store, before, after, changes) == ([], [])


def test_a_document_that_cannot_be_read_is_named(works: Works) -> None:
    before = works.build("1.0.0", "a", WEB)
    after = works.build("1.0.0", "b", {"x": ("1", "MIT")})
    path = works.store.blob_path(after.config.layer("web").spdx)  # type: ignore[union-attr]
    path.chmod(0o644)
    path.write_bytes(b"not it")
    assert documents(works.store, compare(before, after)).unread == ["web"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("123")), max_size=8), st.data())
def test_changes_account_for_every_package_exactly_once(old: list[tuple[str, str]], data: st.DataObject) -> None:
    new = data.draw(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("123")), max_size=8))
    before, after = ({Package(key, key, version, "MIT") for key, version in each} for each in (old, new))
    found: list[PackageChange] = package_changes("layer", sorted(before), sorted(after))
    assert {each.before for each in found if each.before} == before - after
    assert {each.after for each in found if each.after} == after - before
    assert len([each for each in found if each.before]) == len(before - after)


def test_where_a_product_stands(works: Works) -> None:
    nothing = SourceList(schema_version=1, files=[])
    found = examine(works.names, nothing)
    assert (found.head, found.candidate, found.comparison, found.work) == (None, None, None, None)
    candidate = works.build()
    source = works.source()[0]
    found = examine(works.names, source)
    assert found.candidate == candidate and found.head is None and found.work == []
    assert not found.clean
    made = works.commit("one").revision
    found = examine(works.names, source)
    assert found.head == made and found.clean
    assert not examine(works.names, nothing).clean
    works.build("2.0.0", "b", {"nginx": ("1.28", "GPL-3.0-only")})
    found = examine(works.names, works.source()[0])
    assert found.comparison is not None and not found.comparison.empty
    assert found.new_licences == ["GPL-3.0-only"]
    assert {each.name for each in found.packages} == {"nginx", "zlib"}
