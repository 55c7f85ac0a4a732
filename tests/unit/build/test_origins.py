# SPDX-License-Identifier: MIT
"""Which image a layer was, and what its OCI layers took away, as its document says it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from packageurl import PackageURL

from orchestrator.build.contained import _whited_out
from orchestrator.build.origins import origin_of
from orchestrator.layers.image import layout_source
from orchestrator.layers.layout import ImageIdentity
from orchestrator.layers.tree import Limits
from orchestrator.oci.platform import parse_platform
from orchestrator.product.reference import parse_reference
from orchestrator.sbom import LayerFacts, Product, layer_document, spdx3_bytes
from orchestrator.sbom.files import NoFiles
from tests.unit.layers.images import INDEX, Layout
from tests.unit.layers.images import MANIFEST as MANIFEST_TYPE

MANIFEST, CONFIG, BASE = (f"sha256:{digit * 64}" for digit in "abc")


@pytest.mark.parametrize(
    ("reference", "name", "qualifiers"),
    [
        ("r.example:5000/team/app:1.2", "app", {"repository_url": "r.example:5000/team/app", "tag": "1.2"}),
        (f"registry.example/app@{MANIFEST}", "app", {"repository_url": "registry.example/app"}),
        ("oci:images:shop:7", "shop", {"tag": "7"}),
        ("oci-archive:shop.tar", "shop.tar", {}),
        ("oci:images:r.example/team/shop:7", "shop", {"repository_url": "r.example/team/shop", "tag": "7"}),
    ],
)  # fmt: skip
def test_an_image_is_named_by_the_digest_of_its_manifest(reference: str, name: str, qualifiers: dict[str, str]) -> None:
    origin = origin_of(parse_reference(reference), ImageIdentity(MANIFEST, CONFIG), "amd64")
    url = PackageURL.from_string(origin.uri)
    assert (url.type, url.name, url.version) == ("oci", name, MANIFEST)
    assert url.qualifiers == {"arch": "amd64", **qualifiers}
    assert MANIFEST in origin.words
    assert origin.base == ""


def test_what_docker_saved_has_no_manifest_and_is_named_by_its_image_id() -> None:
    origin = origin_of(parse_reference("docker-archive:a.tar:team/app:1"), ImageIdentity("", CONFIG), "amd64")
    url = PackageURL.from_string(origin.uri)
    assert (url.type, url.name, url.version, url.qualifiers) == ("docker", "app", CONFIG, {"tag": "1"})


def test_the_image_that_it_was_built_on_is_named_where_its_maker_says_so() -> None:
    identity = ImageIdentity(MANIFEST, CONFIG, "registry.example/library/debian:13-slim", BASE)
    url = PackageURL.from_string(origin_of(parse_reference("oci:images"), identity, "amd64").base)
    assert (url.type, url.name, url.version) == ("oci", "debian", BASE)
    assert url.qualifiers == {"repository_url": "registry.example/library/debian", "tag": "13-slim"}


def test_an_image_says_which_manifest_was_chosen_and_what_it_was_built_on(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    prefix = "org.opencontainers.image.base"
    stated = {f"{prefix}.name": "registry.example/b:1", f"{prefix}.digest": "no digest"}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": layout.config([]), "layers": []}
    chosen = layout.document(manifest | {"annotations": stated}, MANIFEST_TYPE)
    layout.index(layout.document({"schemaVersion": 2, "manifests": [chosen]}, INDEX))
    source = layout_source(tmp_path, "", "", parse_platform("linux/amd64"), "x")
    image = source.load(tmp_path / "work", Limits(), 0).image
    assert image is not None
    assert image.manifest == chosen["digest"]
    assert (image.base_name, image.base_digest) == ("registry.example/b:1", "")  # what is no digest is not repeated


def test_files_that_an_image_removed_are_counted_and_named_in_the_document() -> None:
    removed = _whited_out([b"usr/share/secret", b"odd\xff"])
    facts = LayerFacts(
        name="app", kind="app", version="1", architecture="amd64", removed=removed, origin_uri="pkg:oci/a@b",
        tree=NoFiles(),
    )  # fmt: skip
    graph = json.loads(spdx3_bytes(layer_document(facts, Product("p", "1"), 0)))["@graph"]
    notes = [json.loads(each["statement"]) for each in graph if each["type"] == "Annotation"]
    (said,) = [note for note in notes if "removed" in note]
    assert said["removed"]["files"] == 2
    assert said["removed"]["paths"] == ["usr/share/secret", "odd?"]
    assert said["originUri"] == "pkg:oci/a@b"
    assert _whited_out([]) == ()
