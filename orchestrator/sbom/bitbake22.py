# SPDX-License-Identifier: MIT
"""BitBake's SPDX 2.2 archives (`IMAGE.spdx.tar.zst`, series up to scarthgap), in the words of our model.

Read is what create-spdx-2.2 writes (OE-core scarthgap, meta/classes/create-spdx-2.2.bbclass): one document of the
image, one for each package, for each package's run-time dependencies and for each recipe, and `index.json`, which names
all of them by their SHA-1. A document names another by its namespace and its SHA-1; both are checked.

The image CONTAINS its packages; a package is GENERATED_FROM its recipe and has its files; RUNTIME_DEPENDENCY_OF is an
edge. These are not all edges: the class leaves out those to a package that was renamed after its library (libc6), so
the dependencies are not called complete.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from orchestrator.errors import BuildError
from orchestrator.sbom import archive
from orchestrator.sbom.bitbake import Import, names_of_manifest
from orchestrator.sbom.facts import Fact, Facts

_LARGEST = 512 * 1024 * 1024
"""The document of a kernel's recipe, with its sources (SPDX_INCLUDE_SOURCES), has tens of thousands of files."""
_TOTAL = 8 * 1024 * 1024 * 1024
_INDEX = "index.json"
_SUFFIX = ".spdx.json"
_MAGICS = (b"\x28\xb5\x2f\xfd",)  # zstd: RFC 8878, section 3.1.1
_WHOLE = "SPDXRef-DOCUMENT"
_ELSEWHERE = re.compile(r"(DocumentRef-[^:\s()]+):(LicenseRef-[^\s()]+)")
_OWN = re.compile(r"(?<![:\w-])LicenseRef-[^\s()]+")
_UNFIT = re.compile(r"[^A-Za-z0-9.-]+")

_Line = Annotated[str, msgspec.Meta(max_length=4096, pattern=r"^[^\x00-\x1f]*\Z")]
_Named = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f]+\Z")]
_Sha1 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{40}\Z")]
_Id = Annotated[str, msgspec.Meta(pattern=r"^SPDXRef-[^\x00-\x20:]{1,1000}\Z")]


class _Checksum(msgspec.Struct, frozen=True, rename="camel"):
    algorithm: Literal["SHA1"]
    checksum_value: _Sha1


class _Reference(msgspec.Struct, frozen=True, rename="camel"):
    external_document_id: Annotated[str, msgspec.Meta(pattern=r"^DocumentRef-[^\x00-\x20:]{1,1000}\Z")]
    spdx_document: _Named
    checksum: _Checksum


class _Package(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    id: _Id = msgspec.field(name="SPDXID")
    name: _Named
    version_info: _Line = ""
    homepage: _Line = ""
    license_declared: _Line = ""
    has_files: list[str] = []


class _File(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    id: _Id = msgspec.field(name="SPDXID")
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)] = msgspec.field(name="fileName")


class _Relation(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    source: str = msgspec.field(name="spdxElementId")
    kind: str = msgspec.field(name="relationshipType")
    target: str = msgspec.field(name="relatedSpdxElement")


class _Extracted(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    license_id: _Line
    extracted_text: str


class _Document(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    spdx_version: Literal["SPDX-2.2"]
    id: Literal["SPDXRef-DOCUMENT"] = msgspec.field(name="SPDXID")
    name: _Named
    document_namespace: _Named
    packages: list[_Package] = []
    files: list[_File] = []
    relationships: list[_Relation] = []
    external_document_refs: list[_Reference] = []
    has_extracted_licensing_infos: list[_Extracted] = []


class _Entry(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    filename: _Named
    document_namespace: _Named
    sha1: _Sha1


class _Index(msgspec.Struct, frozen=True):
    documents: list[_Entry]


@dataclass(frozen=True)
class _Kept:
    """What is kept of a document while the others are read."""

    name: str
    namespace: str
    sha1: str
    packages: dict[str, _Package]
    references: dict[str, _Reference]
    relations: tuple[_Relation, ...]
    texts: dict[str, str]
    files: dict[str, str]


@dataclass
class _Archive:
    """All documents of an archive by namespace, and the licence texts that were named so far."""

    path: Path
    documents: dict[str, _Kept] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def element(self, document: _Kept, name: str) -> tuple[_Kept, str]:
        """Return the document and the id that `DocumentRef-x:SPDXRef-y` means; raises BuildError when there is none."""
        where, colon, element = name.partition(":")
        if not colon:
            return document, name
        reference = document.references.get(where)
        if reference is None:
            raise refuse(self.path, f"{document.name} names {where!r} and does not say which document that is")
        found = self.documents.get(reference.spdx_document)
        if found is None:
            raise refuse(self.path, f"{document.name} names {reference.spdx_document!r}, which is not in the archive")
        if found.sha1 != reference.checksum.checksum_value:
            raise refuse(self.path, f"{found.name} is not the document that {document.name} names: its SHA-1 differs")
        return found, element

    def package(self, document: _Kept, name: str) -> tuple[_Kept, _Package]:
        """Return a package and the document that has it; raises BuildError when there is none."""
        found, element = self.element(document, name)
        if element not in found.packages:
            raise refuse(self.path, f"{document.name} names the package {name!r}, which is not there")
        return found, found.packages[element]

    def recipe(self, document: _Kept, package: _Package) -> tuple[_Kept, _Package] | None:
        """Return the recipe that a package comes from."""
        for each in document.relations:
            if each.kind == "GENERATED_FROM" and each.source == package.id:
                return self.package(document, each.target)
        return None

    def licence(self, document: _Kept, statement: str) -> str:
        """Return a licence statement with LicenseRefs of one name each; their texts are kept."""

        def elsewhere(match: re.Match[str]) -> str:
            there, _ = self.element(document, f"{match[1]}:{_WHOLE}")
            return self._text(there, match[2])

        if statement in ("NOASSERTION", "NONE"):
            return ""
        own = _OWN.sub(lambda match: self._text(document, match[0]), statement)
        return _ELSEWHERE.sub(elsewhere, own)

    def _text(self, document: _Kept, name: str) -> str:
        plain = _UNFIT.sub("-", name)
        text = document.texts.get(name, "")
        if self.texts.setdefault(plain, text) != text:  # two recipes have a licence of this name, each its own
            plain = _UNFIT.sub("-", f"{name}-{document.name.removeprefix('recipe-')}")
            self.texts[plain] = text
        return plain


def is_archive(path: Path) -> bool:
    """Whether a file is a compressed archive and no document: OE-core compresses it by zstd."""
    try:
        with path.open("rb") as stream:
            return stream.read(4) in _MAGICS
    except OSError:
        return False


def read(path: Path, manifest: Path | None = None, *, boots: bool = False) -> Import:
    """Read an image's archive; what is asked for and given is that of `bitbake.read`.

    Raises BuildError for what is no such archive, and for a document that another one names and that is not there, or
    is another one.
    """
    found = _Archive(path, _documents(path))
    images = [
        document
        for document in found.documents.values()
        if any(each.kind == "CONTAINS" and ":" in each.target for each in document.relations)
    ]
    if len(images) != 1:
        raise refuse(path, f"{len(images)} of its documents contain packages of others, an image is one")
    image = images[0]
    facts: dict[str, Fact] = {}
    owners: dict[str, tuple[str, ...]] = {}
    for each in image.relations:
        if each.kind == "CONTAINS" and ":" in each.target:
            document, package = found.package(image, each.target)
            recipe = found.recipe(document, package)
            facts[_key(document, package)] = _fact(found, document, package, recipe)
            owners[package.name] = tuple(document.files[name] for name in package.has_files if name in document.files)
            if boots and recipe and package.name.startswith("kernel-"):
                facts[_key(*recipe)] = _fact(found, *recipe, recipe)
    known = {fact.name for fact in facts.values()}
    return Import(
        Facts(
            packages=tuple(facts[key] for key in sorted(facts)),
            depends=tuple(sorted(pair for pair in _edges(found, image) if set(pair) <= set(facts))),
            linked=(),
            complete=False,
            texts=dict(found.texts),
        ),
        tuple(sorted(names_of_manifest(manifest) - known)) if manifest else (),
        owners,
    )


def refuse(path: Path, why: str) -> BuildError:
    """Return the error for what is no archive of an image's SPDX 2.2 documents."""
    return BuildError(
        f"{path} is no archive of SPDX 2.2 documents that BitBake wrote",
        why,
        "take IMAGE.spdx.tar.zst as create-spdx-2.2 left it beside the image",
    )


def _documents(path: Path) -> dict[str, _Kept]:
    """Read every document and hold all of them against the index."""
    index: _Index | None = None
    files: dict[str, _Kept] = {}
    found: dict[str, _Kept] = {}
    for name, data in archive.regular_files(path, largest=_LARGEST, total=_TOTAL):
        try:
            if name == _INDEX:
                index = msgspec.json.decode(data, type=_Index)
                continue
            document = _kept(msgspec.json.decode(data, type=_Document), hashlib.sha1(data, usedforsecurity=False))
        except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
            raise refuse(path, f"{name}: {problem}") from problem
        if name != document.name + _SUFFIX or name in files or document.namespace in found:
            raise refuse(path, f"{name}: its name, or its namespace {document.namespace!r}, is not its own")
        files[name] = found[document.namespace] = document
    if index is None:
        raise refuse(path, f"{_INDEX} is not in it")
    if sorted(files) != sorted(entry.filename for entry in index.documents):
        raise refuse(path, f"{_INDEX} names other documents than there are")
    for entry in index.documents:
        document = files[entry.filename]
        if (entry.sha1, entry.document_namespace) != (document.sha1, document.namespace):
            raise refuse(path, f"{entry.filename} is not the document that {_INDEX} names")
    return found


def _kept(document: _Document, digest: hashlib._Hash) -> _Kept:
    packages = {package.id: package for package in document.packages}
    owned = {name for package in document.packages for name in package.has_files}
    recipe = document.name.startswith("recipe-")  # the files of these are sources
    return _Kept(
        document.name,
        document.document_namespace,
        digest.hexdigest(),
        packages,
        {each.external_document_id: each for each in document.external_document_refs},
        tuple(
            each
            for each in document.relationships
            if each.kind in ("OTHER", "RUNTIME_DEPENDENCY_OF")
            or (each.kind == "CONTAINS" and ":" in each.target)
            or (each.kind == "GENERATED_FROM" and each.source in packages)
        ),
        {each.license_id: each.extracted_text for each in document.has_extracted_licensing_infos},
        {} if recipe else {each.id: each.name for each in document.files if each.id in owned},
    )


def _edges(found: _Archive, image: _Kept) -> Iterator[tuple[str, str]]:
    """Yield who needs whom, by key, from the documents that the image names for it."""
    for each in image.relations:
        if each.kind != "OTHER":
            continue
        runtime, _ = found.element(image, each.target)
        for relation in runtime.relations:
            if relation.kind == "RUNTIME_DEPENDENCY_OF":
                needed = _key(*found.package(runtime, relation.source))
                dependent = _key(*found.package(runtime, relation.target))
                if needed != dependent:
                    yield dependent, needed


def _key(document: _Kept, package: _Package) -> str:
    return f"{document.namespace}#{package.id}"


def _fact(found: _Archive, document: _Kept, package: _Package, recipe: tuple[_Kept, _Package] | None) -> Fact:
    made_by = recipe[1] if recipe else None
    return Fact(
        id=_key(document, package),
        name=package.name,
        version=package.version_info,
        supplier=None,
        purl="",
        file_name="",
        checksums=(),
        source_name=made_by.name if made_by else "",
        source_version=made_by.version_info if made_by else "",
        homepage=made_by.homepage if made_by else "",
        declared=found.licence(document, package.license_declared),
    )
