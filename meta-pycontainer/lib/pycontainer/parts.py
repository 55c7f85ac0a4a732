# SPDX-License-Identifier: MIT
"""Taking an image apart: a tar's modules and firmware as tars of their own, for the roles of a BSP layer."""

from __future__ import annotations

import gzip
import lzma
import posixpath
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from .errors import LayerError

PLACES = {"modules": ("lib/modules", "usr/lib/modules"), "firmware": ("lib/firmware", "usr/lib/firmware")}


def split(image: Path, target: Path) -> dict[str, Path]:
    """Write `target/modules.tar` and `target/firmware.tar` from a root file system tar, those that have files.

    Both hold `lib/modules` or `lib/firmware`, whether the image has merged /usr or not. Owners, modes and times are
    the image's. Raises LayerError for a tar that cannot be read.
    """
    target.mkdir(parents=True, exist_ok=True)
    found: dict[str, Path] = {}
    try:
        for role, places in PLACES.items():
            path = target / f"{role}.tar"
            if _copy(image, path, places):
                found[role] = path
            else:
                path.unlink()
    except (tarfile.TarError, OSError, EOFError, lzma.LZMAError) as problem:
        raise LayerError(f"{image} cannot be taken apart", str(problem)) from problem
    return found


def release_of(modules: Path) -> str:
    """Return the one kernel release that a modules tar has an index of; raises LayerError otherwise."""
    with tarfile.open(modules) as source:
        releases = sorted(name.split("/")[2] for name in source.getnames() if name.endswith("/modules.dep"))
    if len(releases) != 1:
        raise LayerError(
            "the BSP's modules are not of exactly one kernel",
            f"modules.dep of: {', '.join(releases) or 'none'}",
            "let the image install kernel-modules of one kernel",
        )
    return releases[0]


def _copy(image: Path, path: Path, places: tuple[str, ...]) -> bool:
    files = 0
    short = places[0]
    with (
        _opened(image) as stream,
        tarfile.open(fileobj=stream, mode="r|") as source,
        tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as sink,
    ):
        for member in source:
            name = posixpath.normpath(member.name)
            place = next((place for place in places if name == place or name.startswith(place + "/")), None)
            if place is None:
                continue
            member.name = short + name[len(place) :]
            if member.islnk():
                linked = posixpath.normpath(member.linkname)
                if not linked.startswith(place + "/"):
                    raise LayerError(f"{name} is a hard link out of {place}", member.linkname)
                member.linkname = short + linked[len(place) :]
            sink.addfile(member, source.extractfile(member) if member.isreg() else None)
            files += member.isreg()
    return files > 0


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as probe:
        magic = probe.read(6)
    if magic.startswith(b"\x1f\x8b"):
        with gzip.open(path, "rb") as stream:
            yield cast(IO[bytes], stream)
    elif magic == b"\xfd7zXZ\0":
        with lzma.open(path, "rb") as packed:
            yield packed
    else:
        with path.open("rb") as plain:
            yield plain
