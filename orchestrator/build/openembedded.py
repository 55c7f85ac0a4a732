# SPDX-License-Identifier: MIT
"""What a build from source takes of the machine that builds: OE-core's programs, no root, and room."""

from __future__ import annotations

import shutil
from pathlib import Path

WHY = "OE-core's tasks run it (HOSTTOOLS)"
PROGRAMS = (
    ("bash", "bash"), ("git", "git"), ("wget", "wget"), ("gcc", "gcc"), ("g++", "g++"), ("make", "make"),
    ("patch", "patch"), ("diffstat", "diffstat"), ("chrpath", "chrpath"), ("cpio", "cpio"), ("gawk", "gawk"),
    ("file", "file"), ("perl", "perl"), ("bzip2", "bzip2"), ("xz", "xz-utils"), ("zstd", "zstd"), ("pzstd", "zstd"),
    ("rpcgen", "rpcsvc-proto"),
)  # fmt: skip
"""Those of HOSTTOOLS (OE-core, conf/bitbake.conf) that a small system may lack, with Debian's name of the package."""

FIRST_BYTES = 20 * 10**9
"""The least that a first build gets through with, with shared state or rm_work; without, it takes three times that."""
AGAIN_BYTES = 2 * 10**9


def room(build: Path) -> tuple[bool, str]:
    """Whether the build folder, which may not exist yet, has room for a build; and the words that say so."""
    there = next(place for place in (build, *build.absolute().parents) if place.is_dir())
    free, need = shutil.disk_usage(there).free, AGAIN_BYTES if (build / "tmp").is_dir() else FIRST_BYTES
    return free >= need, f"{free / 1e9:.1f} GB are free in {there}, a build wants {need / 1e9:.0f} GB at the least"
