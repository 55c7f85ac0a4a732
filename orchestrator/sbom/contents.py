# SPDX-License-Identifier: MIT
"""Who owns which file of a layer, as a BitBake base hands it over: `contents.json` of the deploy contract.

The base knows it while it puts the layer together; of the finished layer nobody could tell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from orchestrator.canonical import read_limited
from orchestrator.errors import BuildError

_LIMIT = 128 * 1024 * 1024

_Path = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"^[^/\x00][^\x00]*\Z")]
_Words = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+\Z")]


class Removed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Files that the layer's inputs had and the layer has not: why, how many, their bytes, the first of the paths."""

    reason: _Words
    files: Annotated[int, msgspec.Meta(ge=0)]
    size: Annotated[int, msgspec.Meta(ge=0)]
    paths: Annotated[list[_Path], msgspec.Meta(max_length=1000)] = []


class Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`owners`: the files of each package, by its name; `explained`: files by the reason why they are there."""

    schema_version: Literal[1] = msgspec.field(name="schemaVersion")
    owners: dict[str, list[_Path]] = {}
    explained: dict[_Words, list[_Path]] = {}
    removed: list[Removed] = []


def read(path: Path) -> Contents:
    """Read the file; raises BuildError when it does not follow the contract."""
    try:
        data = read_limited(path, _LIMIT)
        if len(data) > _LIMIT:
            raise msgspec.ValidationError(f"the limit is {_LIMIT} bytes")
        return msgspec.json.decode(data, type=Contents)
    except (OSError, msgspec.MsgspecError) as problem:
        raise BuildError(
            f"the base's list of files {path} does not follow the deploy contract",
            str(problem),
            "base and orchestrator must be of one release",
        ) from problem
