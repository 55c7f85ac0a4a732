# SPDX-License-Identifier: MIT
"""The form of a release: an OCI image index whose bytes follow from its revisions, read as strictly as these."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.canonical import canonical_json, sha256_digest
from orchestrator.errors import BuildError, ConfigError, VerificationError
from orchestrator.oci import Store
from orchestrator.oci.descriptor import MACHINE, MANIFEST_TYPE, decode_index
from orchestrator.revision import (
    RELEASE_TYPE,
    Revision,
    assemble,
    check_release,
    decode_release,
    is_release,
    make_release,
    read_release,
    release_bytes,
)
from tests.unit.revision.sample import sample_config, store_blobs


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open_or_create(tmp_path / "store")


def revision(store: Store, machine: str, architecture: str, **changes: Any) -> Revision:
    blobs = store_blobs(store)
    return assemble(store, sample_config(blobs, machine=machine, architecture=architecture, **changes), blobs)


def three(store: Store) -> list[Revision]:
    return [revision(store, "one", "amd64"), revision(store, "two", "arm64"), revision(store, "three", "armhf")]


def test_it_is_an_oci_image_index_with_platform_and_machine_of_each(store: Store) -> None:
    made = three(store)
    release = make_release(store, made)
    data = store.read_blob(release.id)
    index = decode_index(data)
    assert index.artifact_type == RELEASE_TYPE
    assert [each.digest for each in index.manifests] == [each.id for each in made]
    entries = json.loads(data)["manifests"]
    assert [each["platform"] for each in entries] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "arm64", "os": "linux", "variant": "v8"},
        {"architecture": "arm", "os": "linux", "variant": "v7"},
    ]
    assert [each["annotations"][MACHINE] for each in entries] == ["one", "two", "three"]
    assert {each["mediaType"] for each in entries} == {MANIFEST_TYPE}
    assert release.of("two").revision == made[1].id
    assert release.of("two").platform == "linux/arm64/v8"
    assert check_release(store, read_release(store, release.id)) == made
    with pytest.raises(ConfigError, match="it has one, two, three"):
        release.of("four")


def test_the_same_revisions_make_the_same_release_and_one_version_is_named(store: Store) -> None:
    made = three(store)
    assert release_bytes(made) == release_bytes(three(store))
    assert make_release(store, made).version == made[0].config.version
    other = revision(store, "two", "arm64", version="9")
    assert make_release(store, [made[0], other]).version == ""


def test_what_is_no_release_is_not_made(store: Store) -> None:
    one = revision(store, "one", "amd64")
    with pytest.raises(BuildError):
        release_bytes([one, one])
    with pytest.raises(BuildError):
        release_bytes([one, revision(store, "two", "amd64", product="other")])


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(artifactType="application/vnd.oci.image.config.v1+json"),
        lambda value: value.update(mediaType="application/vnd.oci.image.manifest.v1+json"),
        lambda value: value.update(manifests=[]),
        lambda value: value.update(extra=1),
        lambda value: value["manifests"][0].update(urls=["https://somewhere.example"]),
        lambda value: value["manifests"][0].update(artifactType=RELEASE_TYPE),
        lambda value: value["manifests"][0].update(digest="sha256:12"),
        lambda value: value["manifests"][0].pop("platform"),
        lambda value: value["manifests"][0]["annotations"].update({MACHINE: "two"}),
        lambda value: value["manifests"][0]["annotations"].update({MACHINE: "../x"}),
        lambda value: value["manifests"].extend([value["manifests"][0]] * 300),
        lambda value: value["annotations"].update({"vnd.pycontainer.product": "UP"}),
    ],
)
def test_bytes_that_are_none_are_refused(store: Store, change: Change) -> None:
    value = json.loads(release_bytes(three(store)))
    change(value)
    data = canonical_json(value)
    with pytest.raises(VerificationError):
        decode_release(data, sha256_digest(data))


def test_bytes_that_are_not_canonical_are_refused(store: Store) -> None:
    data = json.dumps(json.loads(release_bytes(three(store)))).encode()
    with pytest.raises(VerificationError, match="canonical"):
        decode_release(data, sha256_digest(data))


@pytest.mark.parametrize(
    "change",
    [
        lambda entries: entries[0].update(size=entries[0]["size"] + 1),
        lambda entries: entries[0]["annotations"].update({"org.opencontainers.image.version": "2"}),
        lambda entries: entries[0]["platform"].update(architecture="riscv64"),
        lambda entries: entries[0].update(digest=entries[1]["digest"], size=entries[1]["size"]),
    ],
)
def test_a_release_that_says_something_else_of_its_revisions_is_found(
    store: Store, change: Callable[[list[dict[str, Any]]], object]
) -> None:
    value = json.loads(release_bytes(three(store)))
    change(value["manifests"])
    blob = store.put_blob(canonical_json(value))
    with pytest.raises(VerificationError):
        check_release(store, read_release(store, blob.digest))


@given(st.binary(max_size=300) | st.text().map(lambda text: json.dumps({"artifactType": text}).encode()))
def test_any_bytes_are_either_refused_or_read(data: bytes) -> None:
    is_release(data)
    with pytest.raises(VerificationError):
        decode_release(data, sha256_digest(data))
