# SPDX-License-Identifier: MIT
"""Component files: what a person writes about files that no database knows, such as a vendor's binaries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from orchestrator.canonical import read_limited, sha256_digest
from orchestrator.errors import ConfigError
from orchestrator.sbom import yamlfile

_LIMIT = 4 * 1024 * 1024
_TEXT_LIMIT = 4 * 1024 * 1024

_Line = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f]+\Z")]
_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Supplier(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who supplies a component; `contact` is an e-mail address or a URL."""

    name: _Line
    contact: str = ""


class SourceCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a component's source is."""

    name: _Line
    version: str = ""
    uri: str = ""
    sha256: _Sha256 | None = None


class HandComponent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    """One component: `files` are patterns of paths in the layer (`*` does not cross a slash, `**` does).

    `licence` is an SPDX expression; `licence_file` the text of its LicenseRef, beside the component file. `sha256`
    pins files: the build fails when one is another.
    """

    name: _Line
    version: _Line
    layer: _Line
    files: Annotated[list[_Line], msgspec.Meta(min_length=1)]
    supplier: Supplier
    licence: _Line
    licence_file: str = ""
    copyright: list[_Line] = []
    purl: str = ""
    homepage: str = ""
    description: str = ""
    source: SourceCode | None = None
    sha256: dict[str, _Sha256] = {}


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    components: list[HandComponent]


class Handmade(msgspec.Struct, frozen=True, kw_only=True):
    """A component with the file that it stands in, that file's digest, and the text of its licence (may be empty)."""

    component: HandComponent
    evidence: str
    evidence_digest: str
    text: str


def read(path: Path) -> list[Handmade]:
    """Read a component file; raises ConfigError for what it does not allow."""
    try:
        data = read_limited(path, _LIMIT)
        parsed = yamlfile.decode(data, _File, path, limit=_LIMIT, hint="docs/sbom.md shows what it may say")
        return [
            Handmade(
                component=each,
                evidence=path.name,
                evidence_digest=sha256_digest(data),
                text=_text(path.parent, each.licence_file),
            )
            for each in parsed.components
        ]
    except OSError as problem:
        raise ConfigError(f"the component file {path} cannot be read", str(problem), "correct the path") from problem


def _text(folder: Path, name: str) -> str:
    if not name:
        return ""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ConfigError(f"the licence file {name} is not beside its component file")
    return read_limited(folder / name, _TEXT_LIMIT).decode("utf-8", "replace")
