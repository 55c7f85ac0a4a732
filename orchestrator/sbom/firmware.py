# SPDX-License-Identifier: MIT
"""Firmware by the file WHENCE of linux-firmware: for each driver the files, their versions, and the licence.

Sections are separated by lines of dashes and have `Driver:`, `File:` or `RawFile:`, `Link:`, `Version:` and
`Licence:` entries; what follows a licence line belongs to it.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from orchestrator.sbom.files import text
from orchestrator.sbom.inventory import Inventory

_PLACES = re.compile(r"(?:.*/)?(?:lib/firmware/WHENCE|share/doc/firmware-[^/]+/WHENCE)(?:\.[a-z]+)?\Z")
_ENTRY = re.compile(r"(Driver|File|RawFile|Link|Version|Licence|License|Source|Info)\s*:\s*(.*)\Z")
_REFERENCE = re.compile(r"\b(?:LICEN[CS]E[A-Za-z0-9._-]*|GPL-[23])")
_PACKED = (".xz", ".zst")


@dataclass(frozen=True, slots=True)
class Firmware:
    """The firmware of one driver: the files that the layer has of it, and its licence in WHENCE's words.

    `texts` are the licence files that the words name and the layer has, by path.
    """

    driver: str
    version: str
    files: tuple[str, ...]
    licence: str
    texts: tuple[str, ...]
    whence: str


def read(inventory: Inventory) -> list[Firmware]:
    """Return the firmware of a layer that a WHENCE file accounts for; sections without files here are left out."""
    whence = next((entry.path for entry in inventory.entries if _PLACES.match(entry.path)), None)
    if whence is None:
        return []
    roots = sorted(
        {
            entry.path[: entry.path.index("lib/firmware/") + len("lib/firmware")]
            for entry in inventory.entries
            if "lib/firmware/" in entry.path
        }
    )
    found = []
    for section in re.split(r"^-{3,}\s*$", text(inventory.tree, whence) or "", flags=re.MULTILINE):
        firmware = _section(inventory, whence, roots, section)
        if firmware is not None:
            found.append(firmware)
    return found


def _section(inventory: Inventory, whence: str, roots: list[str], section: str) -> Firmware | None:
    driver = version = ""
    names: list[str] = []
    licence: list[str] = []
    in_licence = False
    for line in section.splitlines():
        match = _ENTRY.match(line.strip())
        if match is None:
            if in_licence and line.strip():
                licence.append(line.strip())
            continue
        key, value = match[1], match[2].strip()
        in_licence = key in ("Licence", "License")
        if in_licence:
            licence.append(value)
        elif key == "Driver":
            driver = driver or value
        elif key in ("File", "RawFile"):
            names.append(value.strip('"'))
        elif key == "Version":
            version = version or value
    files = []
    for name in names:
        for root in roots:
            places = [f"{root}/{name}", *(f"{root}/{name}{suffix}" for suffix in _PACKED)]
            files += [place for place in places if place in inventory.by_path]
    if not files or not driver:
        return None
    words = " ".join(licence)
    folder = posixpath.dirname(whence)
    texts = [f"{folder}/{name.rstrip('.')}" for name in _REFERENCE.findall(words)]
    return Firmware(
        driver=re.split(r"\s+--?\s+", driver)[0].strip(),
        version=version,
        files=tuple(sorted(set(files))),
        licence=words,
        texts=tuple(dict.fromkeys(place for place in texts if inventory.tree.open(place) is not None)),
        whence=whence,
    )
