# SPDX-License-Identifier: MIT
"""The small values that the model is made of: licences with their evidence, hashes, contacts, counts of files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tier = Literal["curation", "manual", "dep5", "common-licenses", "text", "package", "module", "recipe", "none"]
"""How a declared licence was found: a person's curation record; a component file by hand; the short names of a
machine-readable copyright file; references to /usr/share/common-licenses; licence texts (a known one, or kept whole);
the licence field of a package database or of a language's package; a kernel module's own tag; the recipe; none."""

Confidence = Literal["high", "medium", "low", "none"]
"""How far a licence finding can be trusted; who finds it says so, and why in the notes."""

Completeness = Literal["complete", "incomplete", "unknown"]
"""Whether a list (of a layer's components, of a component's dependencies) is all that there is."""

ComponentKind = Literal[
    "package", "application", "library", "kernel", "kernel-module", "firmware", "bootloader", "file"
]
"""What a component is. `package` is an entry of a distribution's database; `application` and `library` come from
language ecosystems or recipes; `kernel-module`, `firmware` and `file` are single files (`Component.place` is their
path); `file` is a binary that no package owns."""

Linking = Literal["static", "dynamic", "mixed", "none", "unknown"]
"""How a component's programs are linked (ELF headers); `none` without programs, `mixed` with both."""


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
    confidence: Confidence = "none"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A concluded licence that a person decided: who, when (`YYYY-MM-DD`), why. Without one, concluded is declared."""

    expression: str
    author: str
    date: str
    reason: str
    extracted: tuple[ExtractedLicence, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """A person or an organisation; `email` (an e-mail address or a URL) may be empty."""

    kind: Literal["Person", "Organization"]
    name: str
    email: str = ""


@dataclass(frozen=True, slots=True)
class Checksum:
    """A hash of a deployable file; `value` is lower-case hexadecimal."""

    algorithm: Literal["SHA256", "SHA512"]
    value: str


@dataclass(frozen=True, slots=True)
class Traits:
    """What a deployable is, in BSI TR-03183-2's words (v2.1.0, 5.2.2): each None where it was not looked at.

    `executable`: can be run or loaded as code; `archive`: files can be taken out of it; `structured`: its metadata
    is kept in it (a package, a container image), against one that is only bytes (a firmware blob).
    """

    executable: bool | None = None
    archive: bool | None = None
    structured: bool | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What a component was built from; `uri` where it can be had (a purl counts), `checksums` of that."""

    name: str
    version: str
    uri: str = ""
    checksums: tuple[Checksum, ...] = ()


@dataclass(frozen=True, slots=True)
class Bucket:
    """A number of regular files and their bytes, and in a few words why they are where they are."""

    reason: str
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class UnownedFile:
    """A regular file that nothing accounts for: path in the layer, size in bytes, SHA-256, executable code or not."""

    path: str
    size: int
    sha256: str
    executable: bool


NOTHING_UNOWNED = Bucket("unowned", 0, 0)


@dataclass(frozen=True, slots=True)
class Census:
    """Every regular file of a layer, accounted for: `files` = owned + explained + unowned, in count and bytes.

    `explained` files belong to no component but have a reason (the product's own, made by the build, ...). `unowned`
    holds at most the first thousand by path; `unowned_total` counts all. `removed` says what the layer's inputs had and
    the layer has not (whiteouts of an OCI image, stripped documentation), `removed_paths` the first thousand of them.
    """

    files: int
    size: int
    owned: Bucket
    explained: tuple[Bucket, ...] = ()
    unowned_total: Bucket = NOTHING_UNOWNED
    unowned: tuple[UnownedFile, ...] = ()
    removed: tuple[Bucket, ...] = ()
    removed_paths: tuple[str, ...] = ()
