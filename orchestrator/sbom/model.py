# SPDX-License-Identifier: MIT
"""What is known about one layer's software, and about a whole image, independent of any document format.

Every serialisation (SPDX 3.0.1, SPDX 2.3, CycloneDX 1.6) is a pure function of these values; nothing here knows of
`SPDXRef-` or JSON. An empty text, an empty tuple, None or "unknown" means that the fact is not known: writers say
so in their format's words and invent nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.deploy import Kind
from orchestrator.sbom.parts import (
    Bucket,
    Census,
    Checksum,
    Completeness,
    ComponentKind,
    Conclusion,
    Confidence,
    Contact,
    ExtractedLicence,
    LicenceFinding,
    Linking,
    Source,
    Tier,
    Traits,
    UnownedFile,
)

__all__ = [
    "Aggregate",
    "Blob",
    "Bucket",
    "Census",
    "Checksum",
    "Completeness",
    "Component",
    "ComponentKind",
    "Conclusion",
    "Confidence",
    "Contact",
    "Dependency",
    "Document",
    "ExtractedLicence",
    "ImageFile",
    "Layer",
    "LicenceFinding",
    "Linking",
    "Product",
    "Source",
    "Tier",
    "Traits",
    "UnownedFile",
]


UNSEEN = Traits()
"""The traits of what nobody looked at."""


@dataclass(frozen=True, slots=True)
class Component:
    """One package, program or file of a layer. `key` is unique within the document and derived from what it is.

    `parent` is the key of the component that contains this one (a module's kernel package), empty for the layer
    itself. `place` is a path in the layer where the component is one file. `files` and `size` count the regular files
    of the layer that it owns, in bytes. `dependencies` says whether the edges that leave it are all.
    `conclusion` is a person's; `remarks` are sentences for an auditor. `source_name`, `source_version`: see `source`.
    """

    key: str
    name: str
    version: str
    architecture: str
    supplier: Contact | None
    purl: str
    file_name: str
    checksums: tuple[Checksum, ...]
    source_name: str
    source_version: str
    homepage: str
    licence: LicenceFinding
    kind: ComponentKind = "package"
    traits: Traits = UNSEEN
    source_uri: str = ""
    source_checksums: tuple[Checksum, ...] = ()
    conclusion: Conclusion | None = None
    linking: Linking = "unknown"
    dependencies: Completeness = "unknown"
    parent: str = ""
    place: str = ""
    files: int = 0
    size: int = 0
    description: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def source(self) -> Source | None:
        """What it was built from, or None when that is not known."""
        if not self.source_name:
            return None
        return Source(self.source_name, self.source_version, self.source_uri, self.source_checksums)

    @property
    def concluded(self) -> str:
        """The concluded licence: a person's, else the declared one; empty when unknown."""
        return self.conclusion.expression if self.conclusion else self.licence.expression


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of the layer by its role (kernel, rootfs, ...); `digest` is `sha256:<hex>`.

    `partition` and `path` say where it lies on the disk, `mount` where a running device sees its content.
    """

    role: str
    digest: str
    sha512: str = ""
    size: int = 0
    partition: str = ""
    path: str = ""
    mount: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    """The layer that a document is about; `origin` says where it came from, in words for an auditor.

    `origin_uri` is the same for tools (a purl `pkg:oci/...`, a URL), empty when there is none; `base_image` is the
    purl of the image that it descends from. `completeness` is that of its components.
    """

    name: str
    kind: Kind
    version: str
    architecture: str
    blobs: tuple[Blob, ...]
    origin: str
    origin_uri: str = ""
    base_image: str = ""
    completeness: Completeness = "unknown"


@dataclass(frozen=True, slots=True)
class Dependency:
    """Component `dependent` needs component `needed`; both are keys of components in the same document.

    `static`: the needed one's code is in the dependent's programs.
    """

    dependent: str
    needed: str
    static: bool = False


@dataclass(frozen=True, slots=True)
class Product:
    """Whose product the layer belongs to. `organisation` issues the documents; empty when the product names none."""

    name: str
    version: str
    organisation: str = ""
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """Everything that is known of one layer. `created` is in seconds since 1970 (SOURCE_DATE_EPOCH).

    `census` is None when the layer's files were not looked at.
    """

    layer: Layer
    product: Product
    created: int
    components: tuple[Component, ...]
    dependencies: tuple[Dependency, ...] = ()
    remarks: tuple[str, ...] = ()
    census: Census | None = None

    def extracted(self) -> Iterator[ExtractedLicence]:
        """Yield every extracted licence of every component, repetitions included, in the components' order."""
        for component in self.components:
            yield from component.licence.extracted
            if component.conclusion:
                yield from component.conclusion.extracted


@dataclass(frozen=True, slots=True)
class ImageFile:
    """The flashable image: its file name, size in bytes and both hashes in lower-case hexadecimal."""

    name: str
    size: int
    sha256: str
    sha512: str


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One flashable image with all of its layers: the union of their documents, and nothing else (A1).

    `base` names what the platform descends from (a distribution's release as purl or URL) with its words for people.
    `revision` is the id of the revision in the image, empty before there is one.
    """

    image: ImageFile
    product: Product
    machine: str
    created: int
    documents: tuple[Document, ...]
    base: str = ""
    base_uri: str = ""
    revision: str = ""
    remarks: tuple[str, ...] = ()
