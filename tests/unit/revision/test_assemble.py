# SPDX-License-Identifier: MIT
"""The same inputs give the same revision, and a revision that is not whole is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.canonical import canonical_json, sha256_digest
from orchestrator.errors import BuildError, ConfigError, VerificationError
from orchestrator.oci import Store, fsck
from orchestrator.revision import assemble, load_revision, read_revision, revisions, set_candidate
from tests.unit.revision.sample import sample_config, sample_revision, store_blobs


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open_or_create(tmp_path / "store")


def test_the_manifest_is_that_of_the_contract(store: Store):
    revision = sample_revision(store)
    data = store.read_blob(revision.id)
    assert sha256_digest(data) == revision.id
    value = json.loads(data)
    assert canonical_json(value) == data
    assert value["schemaVersion"] == 2
    assert value["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert value["artifactType"] == "application/vnd.pycontainer.revision.v1"
    assert value["config"]["mediaType"] == "application/vnd.pycontainer.revision.config.v1+json"
    assert value["annotations"] == {
        "org.opencontainers.image.created": "2026-01-01T00:00:00Z",
        "vnd.pycontainer.product": "demo",
    }
    assert value["layers"][-2] == {
        "mediaType": "application/vnd.pycontainer.rootfs.v1.squashfs",
        "digest": sha256_digest(b"web squashfs"),
        "size": 12,
        "annotations": {
            "vnd.pycontainer.layer": "web",
            "vnd.pycontainer.role": "rootfs",
            "vnd.pycontainer.fsverity": "sha256:" + "f" * 64,
        },
    }


def test_the_order_in_which_blobs_are_given_does_not_matter(store: Store):
    blobs = store_blobs(store)
    config = sample_config(blobs)
    assert assemble(store, config, blobs).id == assemble(store, config, blobs[::-1]).id


def test_the_id_does_not_depend_on_place_hash_seed_or_time_zone(tmp_path: Path):
    script = (
        "import sys; from pathlib import Path; from orchestrator.oci import Store;"
        "from tests.unit.revision.sample import sample_revision;"
        "print(sample_revision(Store.open_or_create(Path(sys.argv[1]))).id)"
    )
    root = Path(__file__).parents[3]
    found = set()
    for seed, zone in (("0", "UTC"), ("1", "Asia/Tokyo"), ("4242", "America/New_York")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(root)}
        arguments = [sys.executable, "-c", script, str(tmp_path / seed / "store")]
        found.add(subprocess.run(arguments, env=environment, check=True, capture_output=True, text=True).stdout)
    assert len(found) == 1


def test_one_blob_may_serve_two_layers(store: Store):
    blobs = store_blobs(store)
    shared = next(blob for blob in blobs if (blob.layer, blob.role) == ("rootfs", "rootfs"))
    blobs = [replace(shared, layer="web") if (blob.layer, blob.role) == ("web", "rootfs") else blob for blob in blobs]
    revision = assemble(store, sample_config(blobs), blobs)
    assert [blob.layer for blob in revision.blobs() if blob.digest == shared.digest] == ["rootfs", "web"]
    set_candidate(store, revision)
    assert fsck(store).whole


def test_configuration_and_blobs_must_agree(store: Store):
    blobs = store_blobs(store)
    config = sample_config(blobs)
    with pytest.raises(BuildError, match="differ"):
        assemble(store, config, blobs[1:])
    with pytest.raises(BuildError, match="differ"):
        assemble(store, config, [*blobs, replace(blobs[0], role="dtb")])
    with pytest.raises(BuildError, match="differ"):
        assemble(store, config, [*blobs, blobs[0]])
    with pytest.raises(BuildError, match="two digests"):
        assemble(store, config, [replace(blobs[0], digest=blobs[1].digest), *blobs[1:]])
    with pytest.raises(VerificationError, match="no fs-verity"):
        assemble(store, config, [replace(blobs[0], fsverity=""), *blobs[1:]])


def test_a_blob_that_is_not_in_the_store_is_refused(store: Store):
    blobs = store_blobs(store)
    store.blob_path(blobs[0].digest).unlink()
    with pytest.raises(VerificationError, match="not in the store"):
        assemble(store, sample_config(blobs), blobs)


def test_a_revision_is_visible_only_as_a_candidate(store: Store):
    revision = sample_revision(store)
    assert revisions(store) == []
    assert set_candidate(store, revision) == "candidate/qemu-amd64"
    assert [entry.digest for entry in revisions(store)] == [revision.id]


def test_a_revision_is_found_by_tag_id_and_prefix(store: Store):
    revision = sample_revision(store)
    set_candidate(store, revision)
    for name in ("candidate/qemu-amd64", revision.id, revision.hex, revision.short, revision.hex[:4], revision.id[:11]):
        assert load_revision(store, name) == revision


def test_a_revision_is_found_when_another_tool_rewrote_the_index(store: Store):
    revision = sample_revision(store)
    set_candidate(store, revision)
    index = json.loads((store.root / "index.json").read_text())
    del index["manifests"][0]["artifactType"]
    (store.root / "index.json").write_text(json.dumps(index))
    assert load_revision(store, revision.short) == revision


def test_unknown_names_are_explained(store: Store):
    with pytest.raises(ConfigError) as caught:
        load_revision(store, "v1")
    assert "has no revision" in caught.value.why
    assert "pycontainer build" in caught.value.hint
    set_candidate(store, sample_revision(store))
    for name in ("v1", "abc", "0" * 64, "", "sha256:", "../x"):
        with pytest.raises(ConfigError) as caught:
            load_revision(store, name)
        assert "candidate/qemu-amd64" in caught.value.why


def test_ambiguous_names_list_what_they_may_mean(store: Store):
    real = sample_revision(store).descriptor
    ids = ["abcd" + "0" * 60, "abcd" + "1" * 60]
    entries = [
        {"mediaType": real.media_type, "artifactType": real.artifact_type, "digest": f"sha256:{each}", "size": 1}
        for each in ids
    ]
    (store.root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
    with pytest.raises(ConfigError, match="ambiguous") as caught:
        load_revision(store, "abcd")
    assert all(each[:16] in caught.value.why for each in ids)
    assert caught.value.hint == "give more digits"


def _tampered(store: Store, change) -> str:
    revision = sample_revision(store)
    value = json.loads(store.read_blob(revision.id))
    change(value)
    return store.put_blob(canonical_json(value)).digest


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.pop("artifactType"),
        lambda value: value.update(artifactType="application/spdx+json"),
        lambda value: value.update(extra=1),
        lambda value: value["layers"][0].update(urls=["u"]),
        lambda value: value["layers"].pop(),
        lambda value: value["layers"].append(value["layers"][0]),
        lambda value: value["layers"][0].update(digest=value["layers"][1]["digest"]),
        lambda value: value["layers"][0].update(mediaType="application/x"),
        lambda value: value["layers"][0].update(size=0),
        lambda value: value["layers"][0].update(size=(1 << 40) + 1),
        lambda value: value["layers"].extend([value["layers"][0]] * 512),
        lambda value: value["layers"][0]["annotations"].pop("vnd.pycontainer.fsverity"),
        lambda value: value["layers"][0]["annotations"].update({"vnd.pycontainer.role": "kernel"}),
        lambda value: value["annotations"].update({"vnd.pycontainer.product": "other"}),
        lambda value: value["config"].update(mediaType="application/x"),
        lambda value: value["config"].update(digest=value["layers"][0]["digest"]),
        lambda value: value.update(subject=value["config"]),
    ],
)
def test_a_manifest_that_is_not_the_configuration_s_is_refused(store: Store, change):
    digest = _tampered(store, change)
    with pytest.raises(VerificationError):
        read_revision(store, digest)


def test_a_manifest_in_another_spelling_is_refused(store: Store):
    revision = sample_revision(store)
    spaced = json.dumps(json.loads(store.read_blob(revision.id)), indent=1).encode()
    with pytest.raises(VerificationError, match="canonical"):
        read_revision(store, store.put_blob(spaced).digest)
