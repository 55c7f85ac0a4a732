# SPDX-License-Identifier: MIT
"""What starts a board up to UEFI, as one archive beside the boot loader: the deploy contract's role `board`.

plan.json      {"schemaVersion": 1, "areas": [{"name", "offset", "size", "type"?}]}, in bytes
esp/PATH       files of the EFI system partition
areas/NAME     what is written to the disk from an area's offset on
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from . import archive
from .errors import LayerError

KIB = 1024
_AREA = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9._-]{0,35})=(?P<file>[^@;]+)@(?P<offset>\d{1,7})\+(?P<size>\d{1,6})(?:;(?P<type>[0-9a-fA-F-]{36}))?\Z"
)


@dataclass(frozen=True)
class Area:
    """A file, relative to the deploy folder, and where on the disk its bytes belong; numbers are in bytes."""

    name: str
    file: str
    offset: int
    size: int
    type: str = ""


def parse_files(text: str) -> list[tuple[str, str]]:
    """Parse PYCONTAINER_BOARD_FILES, which is written as IMAGE_BOOT_FILES is: `FILE`, `FILE;PATH`, `PATTERN;FOLDER`.

    Returns pairs of what is taken and where it goes; of a pattern that is a folder, with `/`. Raises LayerError.
    """
    found = []
    for word in text.split():
        source, semicolon, path = word.partition(";")
        if not source or (semicolon and not path):
            raise LayerError(f"PYCONTAINER_BOARD_FILES has {word!r}", "it is a list of FILE or FILE;PATH")
        if "*" in source:
            found.append((source, path.rstrip("/") + "/" if path else "/"))
        else:
            found.append((source, path or posixpath.basename(source)))
    return found


def parse_areas(text: str) -> list[Area]:
    """Parse PYCONTAINER_BOARD_AREAS: `NAME=FILE@OFFSET+SIZE` or `NAME=FILE@OFFSET+SIZE;TYPE`.

    The numbers are in KiB of the disk, TYPE is that of a GPT partition which names the area. Raises LayerError.
    """
    found = []
    for word in text.split():
        match = _AREA.match(word)
        if match is None:
            raise LayerError(
                f"PYCONTAINER_BOARD_AREAS has {word!r}", "it is a list of NAME=FILE@OFFSET+SIZE[;TYPE] in KiB"
            )
        offset, size = int(match["offset"]) * KIB, int(match["size"]) * KIB
        found.append(Area(match["name"], match["file"], offset, size, match["type"] or ""))
    return found


def write(target: Path, deploy: Path, files: list[tuple[str, str]], areas: list[Area], epoch: int) -> list[str]:
    """Write the archive `target` of files below the folder `deploy`; returns its members' names.

    Equal files give equal bytes; `epoch` is their time. Raises LayerError for a file that is not there, two that go to
    one place, and one that does not fit into its area.
    """
    content: dict[str, bytes] = {}
    for source, path in files:
        for file in _matching(deploy, source):
            where = posixpath.normpath(f"esp/{path}{file.name if path.endswith('/') else ''}")
            if not where.startswith("esp/") or where in content:
                raise LayerError(f"{source} goes to {path}", "outside of the partition, or where another file is")
            content[where] = file.read_bytes()
    plan = []
    for area in areas:
        [file] = _matching(deploy, area.file)
        data = content[f"areas/{area.name}"] = file.read_bytes()
        if len(data) > area.size:
            raise LayerError(
                f"{area.file} does not fit where the board wants it",
                f"it has {len(data)} bytes, the area {area.name} has {area.size}",
                "correct PYCONTAINER_BOARD_AREAS",
            )
        kind = {"type": area.type} if area.type else {}
        plan.append({"name": area.name, "offset": area.offset, "size": area.size, **kind})
    content["plan.json"] = json.dumps({"schemaVersion": 1, "areas": plan}, sort_keys=True).encode() + b"\n"
    target.parent.mkdir(parents=True, exist_ok=True)
    return archive.write(target, content, epoch)


def _matching(deploy: Path, source: str) -> list[Path]:
    found = sorted(deploy.glob(source)) if "*" in source else [deploy / source]
    found = [path for path in found if path.is_file()]
    if not found:
        raise LayerError(
            f"the board's {source} is not there",
            f"it would be in {deploy}",
            "name the recipe that deploys it in PYCONTAINER_BOARD_RECIPES",
        )
    return found
