# SPDX-License-Identifier: MIT
"""Archives of SPDX 2.2 as scarthgap's create-spdx-2.2 wrote them; and what is not as it says is refused.

`kiosk-image` and `kiosk-bsp` were written by that class itself, from prepared package data.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import BuildError
from orchestrator.sbom import Blob, LayerFacts, layer_document, spdx23_bytes
from orchestrator.sbom import archive as tar_archive
from orchestrator.sbom import bitbake22 as reader
from orchestrator.sbom.check import check_spdx23

from .sample import BLOB, EPOCH, PRODUCT, tree_of

DATA = Path(__file__).parents[2] / "data" / "sbom" / "yocto"
IMAGE = DATA / "kiosk-image.spdx.tar.zst"
FILES: dict[str, bytes | str] = {
    "usr/bin/hello*": b"#!/bin/sh\n",
    "etc/hello.conf": b"a",
    "usr/lib/libgreet.so.1": b"lib",
    "etc/motd": b"welcome\n",
    "opt/stray": b"?",
}

Documents = dict[str, dict[str, Any]]


def documents_of(path: Path) -> Documents:
    return {name: json.loads(data) for name, data in tar_archive.regular_files(path, largest=10**6, total=10**6)}


def packed(path: Path, documents: Documents, *, index: bool = True) -> Path:
    """Write an archive in which everything names everything else rightly, once more after a change."""
    namespaces = {each.get("documentNamespace"): name for name, each in documents.items()}
    data: dict[str, bytes] = {}

    def sealed(name: str) -> str:
        if name not in data:
            for reference in documents[name].get("externalDocumentRefs", []):
                there = namespaces.get(reference["spdxDocument"])
                if there is not None and reference["checksum"]["checksumValue"] != "0" * 40:
                    reference["checksum"]["checksumValue"] = sealed(there)
            data[name] = json.dumps(documents[name]).encode()
        return hashlib.sha1(data[name]).hexdigest()

    if index and "index.json" in documents:
        for entry in documents["index.json"]["documents"]:
            if entry["filename"] in documents and entry["sha1"] != "0" * 40:
                entry["sha1"] = sealed(entry["filename"])
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name in documents:
            sealed(name)
            entry = tarfile.TarInfo(name)
            entry.size = len(data[name])
            archive.addfile(entry, io.BytesIO(data[name]))
    path.write_bytes(zstandard.compress(plain.getvalue()))
    return path


def changed(tmp_path: Path, change: Callable[[Documents], Any]) -> Path:
    documents = documents_of(IMAGE)
    change(documents)
    return packed(tmp_path / "changed.spdx.tar.zst", documents)


def test_packages_have_their_recipe_licence_edges_and_files() -> None:
    assert reader.is_archive(IMAGE)
    found = reader.read(IMAGE)
    facts = {fact.name: fact for fact in found.facts.packages}
    assert {name: (fact.version, fact.declared, fact.source_name) for name, fact in facts.items()} == {
        "base-files": ("3.0.14", "GPL-2.0-only", "base-files"),
        "hello": ("1.0", "MIT", "hello"),
        "libgreet1": ("2.1", "LGPL-2.1-or-later AND LicenseRef-Kiosk-EULA", "libgreet"),
    }
    assert facts["libgreet1"].homepage == "https://greet.example/"
    assert found.facts.depends == ((facts["hello"].id, facts["base-files"].id),)
    assert not found.facts.complete  # the class lost the edge to libgreet, which was renamed to libgreet1
    assert found.facts.texts == {"LicenseRef-Kiosk-EULA": "Kiosk end user licence.\nOne copy on one device.\n"}
    assert found.owners["hello"] == ("etc/hello.conf", "usr/bin/hello")


def test_the_kernel_beside_the_modules_is_a_component_of_a_bsp() -> None:
    path = DATA / "kiosk-bsp.spdx.tar.zst"
    assert [fact.name for fact in reader.read(path).facts.packages] == ["kernel-module-dummy-6.6.32"]
    booted = reader.read(path, boots=True).facts.packages
    assert [(fact.name, fact.version) for fact in booted if not fact.name.startswith("kernel-")] == [
        ("linux-yocto", "6.6.32")
    ]


def test_the_layers_document_has_them_and_passes_its_checks() -> None:
    status = b"".join(
        f"Package: {name}\nVersion: 1\nStatus: install ok installed\nArchitecture: all\n\n".encode()
        for name in ("hello", "libgreet1", "base-files", "sideloaded")
    )
    layer = LayerFacts(
        name="kiosk", kind="rootfs", version="1", architecture="amd64", spdx=IMAGE, blobs=(Blob("rootfs", BLOB),),
        tree=tree_of({**FILES, "var/lib/opkg/status": status}),
    )  # fmt: skip
    document = layer_document(layer, PRODUCT, EPOCH)
    assert "Installed, and not in the base's document: sideloaded." in document.remarks
    assert document.census is not None
    assert document.census.owned.files == 4
    assert [each.path for each in document.census.unowned] == ["opt/stray"]
    hello, greet = (next(each for each in document.components if each.name == name) for name in ("hello", "libgreet1"))
    assert (hello.files, hello.file_name, hello.checksums) == (2, "", ())
    assert (greet.files, greet.file_name) == (1, "libgreet.so.1")
    assert greet.licence.expression == "LGPL-2.1-or-later AND LicenseRef-Kiosk-EULA"
    assert [entry.text for entry in greet.licence.extracted] == ["Kiosk end user licence.\nOne copy on one device.\n"]
    assert [each for each in check_spdx23(spdx23_bytes(document)) if each.severity == "error"] == []


def test_two_recipes_licences_of_one_name_stay_two(tmp_path: Path) -> None:
    def add(documents: Documents) -> None:
        hello = documents["hello.spdx.json"]
        hello["packages"][0]["licenseDeclared"] = "LicenseRef-Kiosk-EULA"
        hello["hasExtractedLicensingInfos"] = [
            {"licenseId": "LicenseRef-Kiosk-EULA", "name": "Kiosk-EULA", "extractedText": "Quite another one."}
        ]

    facts = reader.read(changed(tmp_path, add)).facts
    declared = {fact.name: fact.declared for fact in facts.packages}
    texts = {facts.texts[name.rpartition(" ")[2]] for name in (declared["hello"], declared["libgreet1"])}
    assert texts == {"Quite another one.", "Kiosk end user licence.\nOne copy on one device.\n"}


def test_what_is_closed_or_not_asserted_declares_nothing(tmp_path: Path) -> None:
    def close(documents: Documents) -> None:
        documents["hello.spdx.json"]["packages"][0]["licenseDeclared"] = "NONE"

    assert {fact.name: fact.declared for fact in reader.read(changed(tmp_path, close)).facts.packages}["hello"] == ""


def test_a_package_of_the_manifest_without_a_document_is_named(tmp_path: Path) -> None:
    manifest = tmp_path / "kiosk.manifest"
    manifest.write_text("hello core2_64 1.0\nstray core2_64 1.0\n")
    assert reader.read(IMAGE, manifest).unaccounted == ("stray",)


BROKEN: list[tuple[str, Callable[[Documents], Any], str]] = [
    ("a document that the index does not name", lambda all_: all_.pop("recipe-hello.spdx.json"), "other documents"),
    ("no index", lambda all_: all_.pop("index.json"), "index.json is not in it"),
    ("another SHA-1 in the index", lambda all_: all_["index.json"]["documents"][0].update(sha1="0" * 40), "not the"),
    ("a namespace of another", lambda all_: all_["hello.spdx.json"].update(documentNamespace="x"), "not the document"),
    ("a name of another", lambda all_: all_["hello.spdx.json"].update(name="goodbye"), "not its own"),
    ("another format", lambda all_: all_["hello.spdx.json"].update(spdxVersion="SPDX-2.3"), "SPDX-2.3"),
    (
        "another SHA-1 in a reference",
        lambda all_: all_["libgreet1.spdx.json"]["externalDocumentRefs"][0]["checksum"].update(checksumValue="0" * 40),
        "its SHA-1 differs",
    ),
    (
        "a reference to what is not there",
        lambda all_: all_["libgreet1.spdx.json"]["externalDocumentRefs"][0].update(spdxDocument="http://x.example"),
        "not in the archive",
    ),
    ("no reference", lambda all_: all_["libgreet1.spdx.json"].pop("externalDocumentRefs"), "does not say which"),
    (
        "a package that is not there",
        lambda all_: all_["recipe-hello.spdx.json"]["packages"].clear(),
        "which is not there",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), [each[1:] for each in BROKEN], ids=[each[0] for each in BROKEN])
def test_an_archive_that_is_not_as_it_says_is_refused(
    tmp_path: Path, change: Callable[[Documents], Any], words: str
) -> None:
    with pytest.raises(BuildError) as caught:
        reader.read(changed(tmp_path, change))
    assert words in f"{caught.value} {caught.value.why}"


def test_two_images_in_one_archive_are_refused(tmp_path: Path) -> None:
    bsp = documents_of(DATA / "kiosk-bsp.spdx.tar.zst")
    both = documents_of(IMAGE)
    index = [*both.pop("index.json")["documents"], *bsp.pop("index.json")["documents"]]
    path = packed(tmp_path / "both.tar.zst", {**both, **bsp, "index.json": {"documents": index}})
    with pytest.raises(BuildError) as caught:
        reader.read(path)
    assert "2 of its documents" in caught.value.why


def test_what_is_larger_than_its_limits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_LARGEST", 2000)
    with pytest.raises(BuildError, match="too large"):
        reader.read(IMAGE)
    monkeypatch.undo()
    monkeypatch.setattr(reader, "_TOTAL", 9000)
    with pytest.raises(BuildError, match="too large"):
        reader.read(IMAGE)


def test_a_truncated_archive_and_a_link_in_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.zst"
    path.write_bytes(IMAGE.read_bytes()[:-200])
    with pytest.raises(BuildError):
        reader.read(path)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        entry = tarfile.TarInfo("index.json")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    path.write_bytes(zstandard.compress(plain.getvalue()))
    with pytest.raises(BuildError, match="is no file"):
        reader.read(path)


_LINE = st.text(max_size=3) | st.none() | st.just("SPDXRef-a")
_NAME = st.sampled_from(["SPDXRef-a", "DocumentRef-b:SPDXRef-a", "DocumentRef-a:SPDXRef-DOCUMENT", ":"])
_DOCUMENT = st.fixed_dictionaries(
    {
        "spdxVersion": st.just("SPDX-2.2"), "SPDXID": st.just("SPDXRef-DOCUMENT"), "name": st.just("NAME"),
        "documentNamespace": st.just("NAME"),
    },
    optional={
        "packages": st.lists(
            st.fixed_dictionaries(
                {"SPDXID": st.just("SPDXRef-a"), "name": st.sampled_from(["p", "kernel-x"])},
                optional={
                    "licenseDeclared": st.sampled_from(["MIT", "LicenseRef-x OR DocumentRef-a:LicenseRef-y"]),
                    "hasFiles": st.lists(_NAME, max_size=2),
                    "versionInfo": _LINE,
                },
            ),
            max_size=2,
        ),
        "files": st.lists(st.fixed_dictionaries({"SPDXID": _NAME, "fileName": _LINE}), max_size=2),
        "externalDocumentRefs": st.lists(
            st.fixed_dictionaries({
                "externalDocumentId": st.sampled_from(["DocumentRef-a", "DocumentRef-b"]),
                "spdxDocument": st.sampled_from(["a", "b", "c"]),
                "checksum": st.fixed_dictionaries(
                    {"algorithm": st.just("SHA1"), "checksumValue": st.sampled_from(["1" * 40, "0" * 40])}
                ),
            }),
            max_size=2,
        ),
        "relationships": st.lists(
            st.fixed_dictionaries({
                "spdxElementId": _NAME, "relatedSpdxElement": _NAME,
                "relationshipType": st.sampled_from(["CONTAINS", "OTHER", "RUNTIME_DEPENDENCY_OF", "GENERATED_FROM"]),
            }),
            max_size=3,
        ),
    },
)  # fmt: skip


@given(st.tuples(_DOCUMENT, _DOCUMENT))
def test_any_documents_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, both: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    documents: Documents = {}
    for name, document in zip("ab", both, strict=True):
        documents[f"{name}.spdx.json"] = {**document, "name": name, "documentNamespace": name}
    entries = [{"filename": f"{name}.spdx.json", "documentNamespace": name, "sha1": "1" * 40} for name in "ab"]
    # documents that name each other in a ring have no SHA-1s that are right: they stay wrong
    with contextlib.suppress(RecursionError):
        documents["index.json"] = {"documents": entries}
        path = packed(tmp_path_factory.getbasetemp() / "any.tar.zst", documents)
        with contextlib.suppress(BuildError):
            reader.read(path, boots=True)
