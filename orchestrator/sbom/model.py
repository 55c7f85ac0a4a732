# SPDX-License-Identifier: MIT
"""What is known about one layer's software, independent of any document format.

Every serialisation (SPDX 2.3 now) is a pure function of these values; nothing here knows of `SPDXRef-` or JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from orchestrator.deploy import Kind

Tier = Literal["dep5", "common-licenses", "text", "recipe", "none"]
"""How a declared licence was found: from the short names of a machine-readable copyright file; from references to
/usr/share/common-licenses; from licence texts (a known one, or kept whole); from the recipe; or not at all."""


@dataclass(frozen=True, slots=True)
class ExtractedLicence:
    """A licence that the SPDX list does not have: `id` is `LicenseRef-...`, minted from `text`; `name` is its source's.

    `copyleft` tells whether name or text speak of a copyleft licence, so that counting never overlooks one.
    """

    id: str
    name: str
    text: str
    copyleft: bool


@dataclass(frozen=True, slots=True)
class LicenceFinding:
    """A declared licence with its evidence.

    `expression` is an SPDX licence expression, empty when nothing is known (the notes then say why). `evidence` is the
    path of the file that was read and `evidence_digest` its `sha256:<hex>`; both are empty without a file. `holders`
    are copyright statements in the file's order, without repetition.
    """

    expression: str = ""
    tier: Tier = "none"
    evidence: str = ""
    evidence_digest: str = ""
    notes: tuple[str, ...] = ()
    extracted: tuple[ExtractedLicence, ...] = ()
    holders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """A person or an organisation; `email` may be empty."""

    kind: Literal["Person", "Organization"]
    name: str
    email: str = ""


@dataclass(frozen=True, slots=True)
class Checksum:
    """A hash of a deployable file; `value` is lower-case hexadecimal."""

    algorithm: Literal["SHA256", "SHA512"]
    value: str


@dataclass(frozen=True, slots=True)
class Component:
    """One package of a layer. `key` is unique within the document and derived from what the component is."""

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


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of the layer by its role (kernel, rootfs, ...); `digest` is `sha256:<hex>`."""

    role: str
    digest: str


@dataclass(frozen=True, slots=True)
class Layer:
    """The layer that a document is about; `origin` says where it came from, in words for an auditor."""

    name: str
    kind: Kind
    version: str
    architecture: str
    blobs: tuple[Blob, ...]
    origin: str


@dataclass(frozen=True, slots=True)
class Dependency:
    """Component `dependent` needs component `needed`; both are keys of components in the same document."""

    dependent: str
    needed: str


@dataclass(frozen=True, slots=True)
class Product:
    """Whose product the layer belongs to. `organisation` issues the documents; empty when the product names none."""

    name: str
    version: str
    organisation: str = ""
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """Everything that is known of one layer. `created` is in seconds since 1970 (SOURCE_DATE_EPOCH)."""

    layer: Layer
    product: Product
    created: int
    components: tuple[Component, ...]
    dependencies: tuple[Dependency, ...] = ()
    remarks: tuple[str, ...] = ()

    def extracted(self) -> Iterator[ExtractedLicence]:
        """Yield every extracted licence of every component, repetitions included, in the components' order."""
        for component in self.components:
            yield from component.licence.extracted
