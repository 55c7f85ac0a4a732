# SPDX-License-Identifier: MIT
"""Hashes of source packages, recorded once in `pycontainer.sources.json` beside the product file.

Binary packages do not say which bytes their source has; the distribution's signed source index does. It is asked by a
command and never by a build, so that a build needs no network for it and equal inputs give equal documents:

    {"schemaVersion": 1, "sources": [{"purl": "pkg:deb/debian/glibc@2.41-12?arch=source&distro=debian-13",
      "name": "glibc_2.41-12.dsc", "sha256": "..."}]}

The hash is that of the `.dsc`, which holds those of the source package's other files (deb-src-control of dsc(5)).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from orchestrator.canonical import read_limited
from orchestrator.errors import ConfigError
from orchestrator.product.files import SOURCES_FILE as SOURCES_FILE
from orchestrator.sbom.model import Checksum, Document

_LIMIT = 64 * 1024 * 1024
_HINT = "record it again: pycontainer sbom sources --record"


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """A source package by its package URL, the name of the file that names its files, and that file's SHA-256."""

    purl: Annotated[str, msgspec.Meta(pattern=r"^pkg:\S{1,2000}\Z")]
    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+~_:-]{0,254}\Z")]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema_version: Literal[1] = msgspec.field(name="schemaVersion")
    sources: Annotated[list[Recorded], msgspec.Meta(max_length=50_000)]


def load(path: Path) -> dict[str, Recorded]:
    """Return what was recorded, by package URL; nothing when there is no such file. Raises ConfigError."""
    try:
        data = read_limited(path, _LIMIT)
        if len(data) > _LIMIT:
            raise ConfigError(f"{path} is too large", f"the limit is {_LIMIT} bytes", _HINT)
        entries = msgspec.json.decode(data, type=_File).sources
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as problem:
        raise ConfigError(f"{path} is no record of sources", str(problem), _HINT) from problem
    found = {entry.purl: entry for entry in entries}
    if len(found) != len(entries):
        raise ConfigError(f"{path} is no record of sources", "it has one source twice", _HINT)
    return found


def encode(entries: Mapping[str, Recorded]) -> bytes:
    """Return the bytes of the file, one source a line, so that a difference reads well."""
    lines = ",\n".join(msgspec.json.encode(each).decode() for each in sorted(entries.values()))
    return f'{{"schemaVersion": 1, "sources": [\n{lines}\n]}}\n'.encode()


def apply(document: Document, known: Mapping[str, Recorded]) -> Document:
    """Return a layer's document with the hashes of those sources that were recorded and have none yet."""
    if not known:
        return document
    components = []
    for each in document.components:
        entry = known.get(each.source_uri)
        if entry is not None and not each.source_checksums:
            each = dataclasses.replace(each, source_checksums=(Checksum("SHA256", entry.sha256),))
        components.append(each)
    return dataclasses.replace(document, components=tuple(components))
