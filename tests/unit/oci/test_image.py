# SPDX-License-Identifier: MIT
"""Documents of foreign images: OCI's and Docker's are read, everything ambiguous is refused, nothing crashes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import ConfigError, PyContainerError, VerificationError
from orchestrator.oci.image import (
    DOCKER_INDEX_TYPE,
    DOCKER_MANIFEST_TYPE,
    ImageDescriptor,
    ImageManifest,
    Index,
    candidates,
    compression_of,
    read_config,
    read_document,
)
from orchestrator.oci.platform import Platform, best, parse_platform

DIGEST = "sha256:" + "ab" * 32
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": DIGEST, "size": 7}
MANIFEST = {
    "schemaVersion": 2,
    "config": {"mediaType": OCI_CONFIG, "digest": DIGEST, "size": 2},
    "layers": [LAYER],
    "annotations": {"a": "b"},
}
INDEX = {"schemaVersion": 2, "manifests": [{"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 3}]}
CONFIG = {
    "os": "linux",
    "architecture": "amd64",
    "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
    "config": {"x": 1},
}


def data(value: object) -> bytes:
    return json.dumps(value).encode()


def test_manifests_of_both_worlds_are_read_with_and_without_their_own_media_type():
    for more, announced in (
        ({}, None),
        ({}, OCI_MANIFEST),
        ({"mediaType": OCI_MANIFEST}, OCI_MANIFEST),
        ({"mediaType": DOCKER_MANIFEST_TYPE, "config": {**MANIFEST["config"], "mediaType": DOCKER_CONFIG}}, None),
    ):
        found = read_document(data(MANIFEST | more), "it", announced)
        assert isinstance(found, ImageManifest)
        assert [layer.size for layer in found.layers] == [7]


def test_indexes_of_both_worlds_are_read():
    for more in ({}, {"mediaType": OCI_INDEX}, {"mediaType": DOCKER_INDEX_TYPE}):
        assert isinstance(read_document(data(INDEX | more), "it"), Index)


def test_null_counts_as_absent():
    found = read_document(data(MANIFEST | {"layers": None, "manifests": None, "annotations": None}), "it")
    assert found.layers == ()
    document = read_config(data(CONFIG | {"config": None, "variant": None, "rootfs": {"type": "layers"}}), "it")
    assert (document.diff_ids, document.config) == ((), {})


def test_unknown_members_of_the_configuration_are_kept():
    own = {"Cmd": ["x"], "ArgsEscaped": True, "Vendor": {"deep": [1]}}
    assert read_config(data(CONFIG | {"config": own, "history": [], "other": 1}), "it").config == own


@pytest.mark.parametrize(
    ("value", "announced", "words"),
    [
        (MANIFEST | {"manifests": []}, None, "index and a manifest at once"),
        (INDEX, OCI_MANIFEST, "neither an index nor"),
        (MANIFEST, OCI_INDEX, "neither an index nor"),
        (MANIFEST | {"mediaType": DOCKER_MANIFEST_TYPE}, OCI_MANIFEST, "is of another kind"),
        ({"schemaVersion": 2}, None, "neither an index nor"),
        ({"schemaVersion": 3}, None, "does not have the right form"),
        ([], None, "does not have the right form"),
        (MANIFEST | {"layers": [LAYER | {"digest": "sha256:../../etc/passwd"}]}, None, "does not have the right form"),
        (MANIFEST | {"layers": [LAYER | {"digest": "md5:" + "0" * 32}]}, None, "does not have the right form"),
        (MANIFEST | {"layers": [LAYER | {"size": -1}]}, None, "does not have the right form"),
        (MANIFEST | {"layers": [LAYER] * 501}, None, "does not have the right form"),
        (MANIFEST | {"annotations": {"a": "x" * 2**22}}, None, "is too large"),
    ],
)
def test_what_is_ambiguous_or_malformed_is_refused(value: object, announced: str | None, words: str):
    with pytest.raises(VerificationError, match=words):
        read_document(data(value), "it", announced)


def test_members_given_twice_are_refused():
    with pytest.raises(VerificationError, match="given twice"):
        read_document(b'{"schemaVersion":2,"manifests":[],"manifests":[]}', "it")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (MANIFEST | {"config": {**MANIFEST["config"], "mediaType": "application/vnd.example"}}, "no container image"),
        ({"schemaVersion": 1, "name": "old", "fsLayers": []}, "schema 1"),
        ({"mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws"}, "schema 1"),
    ],
)
def test_what_is_no_image_of_today_is_refused_in_words_for_the_user(value: object, words: str):
    with pytest.raises(ConfigError, match=words):
        read_document(data(value), "it")


@pytest.mark.parametrize(
    ("media_type", "compression"),
    [
        ("application/vnd.oci.image.layer.v1.tar", "none"),
        ("application/vnd.oci.image.layer.v1.tar+gzip", "gzip"),
        ("application/vnd.oci.image.layer.v1.tar+zstd", "zstd"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "gzip"),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", "gzip"),
        ("application/vnd.docker.image.rootfs.diff.tar", "none"),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "gzip"),
    ],
)
def test_the_media_type_says_how_a_layer_is_compressed(media_type: str, compression: str):
    assert compression_of(ImageDescriptor(media_type=media_type, digest=DIGEST, size=1)) == compression


@pytest.mark.parametrize("media_type", ["application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "application/x-tar"])
def test_other_kinds_of_layers_are_refused_by_name(media_type: str):
    with pytest.raises(ConfigError, match=r"of the kind application/"):
        compression_of(ImageDescriptor(media_type=media_type, digest=DIGEST, size=1))


def test_attestations_and_unknown_platforms_are_no_candidates():
    entries = [
        {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
        {"platform": {"os": "unknown", "architecture": "unknown"}},
        {"mediaType": "application/vnd.example+json"},
        {"platform": {"os": "linux", "architecture": "arm64", "variant": None}},
    ]
    index = read_document(data(INDEX | {"manifests": [INDEX["manifests"][0] | each for each in entries]}), "it")
    assert [str(each.runs_on) for each in candidates(index.entries)] == ["linux/arm64"]


@pytest.mark.parametrize(
    ("wanted", "offered", "chosen"),
    [
        ("linux/amd64", ["windows/amd64", "linux/arm64", "linux/amd64", "linux/amd64"], 2),
        ("linux/amd64", ["linux/amd64/v3", "linux/amd64/v2"], None),
        ("linux/amd64/v3", ["linux/amd64", "linux/amd64/v3", "linux/amd64/v2", "linux/amd64/v4"], 1),
        ("linux/arm64", ["linux/arm64/v8"], 0),
        ("linux/arm64/v8", ["linux/arm/v7", "linux/arm64"], 1),
        ("linux/arm64", ["linux/arm64/v9", "linux/arm64/v8.2"], None),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], 1),
        ("linux/arm/v6", ["linux/arm", "linux/arm/v5"], 1),
        ("linux/riscv64", ["linux/riscv64"], 0),
        ("linux/ppc64le/power9", ["linux/ppc64le/power8", "linux/ppc64le/power9"], 1),
        ("linux/amd64", [], None),
    ],
)
def test_the_best_variant_that_the_processor_runs_is_chosen(wanted: str, offered: list[str], chosen: int | None):
    assert best(parse_platform(wanted), [parse_platform(each) for each in offered]) == chosen


@pytest.mark.parametrize("text", ["", "linux", "linux/", "Linux/amd64", "linux/amd64/v1/x", "linux/amd64\n"])
def test_a_platform_is_written_as_everybody_writes_it(text: str):
    with pytest.raises(ValueError, match="is no platform"):
        parse_platform(text)
    assert str(Platform("linux", "arm64", "v8")) == "linux/arm64/v8"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(DIGEST) | st.just(OCI_MANIFEST),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["config", "layers", "manifests", "digest", "size", "mediaType", "platform", "os", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from([MANIFEST, INDEX, CONFIG]), st.dictionaries(st.text(max_size=9), JSON, max_size=3), JSON, JSON)
def test_a_document_with_anything_in_it_is_read_or_refused_in_words(base: dict, more: dict, one: object, other: object):
    value = base | more
    for name, replacement in (("config", one), ("layers", other), ("rootfs", one), ("manifests", other)):
        for changed in (value, value | {name: replacement}):
            for read in (read_document, read_config):
                try:
                    read(data(changed), "it")
                except PyContainerError as problem:
                    assert problem.what


@given(st.binary(max_size=200), st.sampled_from([data(MANIFEST), data(INDEX), data(CONFIG)]), st.integers(0, 400))
def test_damaged_bytes_are_read_or_refused_in_words(noise: bytes, base: bytes, place: int):
    for changed in (noise, base[:place] + noise + base[place + len(noise) :], base[:place]):
        for read in (read_document, read_config):
            try:
                read(changed, "it")
            except PyContainerError as problem:
                assert problem.what
