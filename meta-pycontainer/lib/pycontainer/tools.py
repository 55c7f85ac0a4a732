# SPDX-License-Identifier: MIT
"""The tools tree: native programs whose output bytes matter, out of BitBake's sysroot into the deploy folder.

Native programs find their libraries relative to themselves (`$ORIGIN/../lib`), so a tree of `bin` and `lib` works
wherever it lies on the machine that built it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path

from .errors import LayerError

FACTS = "packages.txt"


def collect(sysroot: Path, programs: Iterable[str], target: Path) -> list[str]:
    """Copy programs of a native sysroot (its `usr/bin`, `usr/sbin`, `bin`, `sbin`) with the libraries that they need.

    Returns the copied paths, sorted. Raises LayerError for a program that is not there.
    """
    copied: list[str] = []
    libraries: list[str] = []
    for name in programs:
        found = next((p for f in ("usr/bin", "usr/sbin", "bin", "sbin") if (p := sysroot / f / name).exists()), None)
        if found is None:
            raise LayerError(f"the native tool {name} is not in the sysroot", str(sysroot), "add its recipe to DEPENDS")
        copied.append(_copy(found, target / "bin" / name, target))
        libraries += needed(found)
    seen: set[str] = set()
    while libraries:
        name = libraries.pop()
        if name in seen:
            continue
        seen.add(name)
        found = next((p for f in ("usr/lib", "lib") if (p := sysroot / f / name).exists()), None)
        if found is not None:  # the C library is the host's or uninative's, as for every native program
            copied.append(_copy(found, target / "lib" / name, target))
            libraries += needed(found)
    return sorted(copied)


def facts(tree: Path, versions: Iterable[str]) -> str:
    """Write down what a tree was made of, a `name version` a line, and return the digest that names the tree.

    The digest covers every file, because a rebuilt native program may differ at an equal version.
    """
    digest = hashlib.sha256()
    for path in sorted(tree.rglob("*")):
        if path.is_file() and path.name != FACTS:
            digest.update(os.fsencode(path.relative_to(tree)) + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    (tree / FACTS).write_text("".join(f"{line}\n" for line in sorted(set(versions))), encoding="utf-8")
    return f"sha256:{digest.hexdigest()}"


def needed(path: Path) -> list[str]:
    """Return the DT_NEEDED names of a 64-bit little-endian ELF file (System V ABI, chapter 5); none for other files."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return []
    try:
        offset, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
        segments = [struct.unpack_from("<IIQQQQQQ", data, offset + index * size) for index in range(count)]
        dynamic = next((each for each in segments if each[0] == 2), None)
        if dynamic is None:
            return []
        entries = list(struct.iter_unpack("<qQ", data[dynamic[2] : dynamic[2] + dynamic[5] // 16 * 16]))
        table = next(value for tag, value in entries if tag == 5)
        base = next(each for each in segments if each[0] == 1 and each[3] <= table < each[3] + each[5])
        start = table - base[3] + base[2]
        return [_string(data, start + value) for tag, value in entries if tag == 1]
    except (struct.error, StopIteration, ValueError) as problem:
        raise LayerError(f"{path} is a damaged ELF file", str(problem)) from problem


def _string(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()


def _copy(source: Path, target: Path, root: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source.resolve(), target)
    return str(target.relative_to(root))
