# SPDX-License-Identifier: MIT
"""What starts a board up to UEFI, out of the revision's blob of the role `board`: files and areas of the disk.

plan.json      {"schemaVersion": 1, "areas": [{"name", "offset", "size", "type"?}]}, in bytes of the disk
esp/PATH       files of the EFI system partition
areas/NAME     what is written from an area's offset on
"""

from __future__ import annotations

import tarfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from orchestrator.errors import VerificationError
from orchestrator.image import gpt

_LIMIT = 64 * 1024 * 1024
_COUNT = 4096
_OURS = ("efi", "pycontainer")
"""Folders of the EFI system partition, in any case: the boot loader's and the boot record's."""


@dataclass(frozen=True)
class Area:
    """Bytes at a place of the disk that the board reads before any file system; with `type` a partition names them."""

    name: str
    offset: int
    size: int
    data: bytes
    type: uuid.UUID | None = None


@dataclass(frozen=True)
class Board:
    """Files (path on the EFI system partition -> content) and areas, in the order of the disk; none on a PC."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    areas: tuple[Area, ...] = ()

    @property
    def end(self) -> int:
        """Where the first partition of our own may start: behind the areas, at a multiple of the alignment."""
        last = max([gpt.ALIGNMENT, *(area.offset + area.size for area in self.areas)])
        return -(-last // gpt.ALIGNMENT) * gpt.ALIGNMENT

    def partitions(self, product: str, machine: str) -> list[gpt.Partition]:
        """Return the partitions for those areas that have a type."""
        return [
            gpt.Partition(area.name, area.type, gpt.stable_uuid(product, machine, area.name), area.offset, area.size)
            for area in self.areas
            if area.type is not None
        ]


class _Area(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,35}$")]
    offset: Annotated[int, msgspec.Meta(ge=gpt.TABLE_BYTES, multiple_of=gpt.SECTOR)]
    size: Annotated[int, msgspec.Meta(ge=gpt.SECTOR, le=1 << 28, multiple_of=gpt.SECTOR)]
    type: str | None = None


class _Plan(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    schema_version: Literal[1]
    areas: Annotated[list[_Area], msgspec.Meta(max_length=64)]


def read_board(path: Path) -> Board:
    """Read a blob; raises VerificationError when it is not of this form, or areas lie in each other's way."""
    try:
        content = _members(path)
        plan = msgspec.json.decode(content.pop("plan.json", b""), type=_Plan)
        areas: list[Area] = []
        for each in sorted(plan.areas, key=lambda each: each.offset):
            data = content.pop(f"areas/{each.name}")
            if len(data) > each.size:
                raise ValueError(f"the area {each.name} has {each.size} bytes, its content has {len(data)}")
            if areas and areas[-1].offset + areas[-1].size > each.offset:
                raise ValueError(f"the areas {areas[-1].name} and {each.name} overlap")
            areas.append(Area(each.name, each.offset, each.size, data, uuid.UUID(each.type) if each.type else None))
        files = {name.removeprefix("esp/"): data for name, data in content.items() if name.startswith("esp/")}
        if stray := sorted(content.keys() - {f"esp/{name}" for name in files}):
            raise ValueError(f"unknown member {stray[0]!r}")
        if ours := sorted(name for name in files if name.partition("/")[0].lower() in _OURS):
            raise ValueError(f"{ours[0]} is the boot loader's own")
        return Board(files, tuple(areas))
    except (OSError, tarfile.TarError, ValueError, KeyError, EOFError) as problem:
        raise VerificationError(
            "the board's firmware in the revision cannot be understood",
            str(problem)[:300],
            "base and orchestrator must be of one release; build again",
        ) from problem


def _members(path: Path) -> dict[str, bytes]:
    """Return every regular file of the tar by its name; no path is ever made of one."""
    found: dict[str, bytes] = {}
    total = 0
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            if member.isdir():
                continue
            name = member.name
            if not member.isreg() or name in found or any(part in ("", ".", "..") for part in name.split("/")):
                raise ValueError(f"not a plain file of one's own name: {name[:80]!r}")
            total += member.size
            if total > _LIMIT or len(found) >= _COUNT:
                raise ValueError(f"larger than {_LIMIT} bytes or {_COUNT} files")
            stream = tar.extractfile(member)
            data = stream.read() if stream else b""
            if len(data) != member.size:
                raise ValueError(f"{name[:80]!r} is cut short")
            found[name] = data
    return found
