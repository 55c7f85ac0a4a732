# SPDX-License-Identifier: MIT
"""Fingerprints of inputs, and the stamp of the last build: what lets an unchanged step be skipped.

A fingerprint is the digest of names and contents, never of times: a fresh clone of the same state has the same one.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from orchestrator.canonical import canonical_json, read_limited, sha256_digest, write_atomically
from orchestrator.errors import ConfigError

_STAMP_LIMIT = 4 * 1024 * 1024
_PASSED_OVER = {"__pycache__", ".git", ".mypy_cache", ".ruff_cache"}


def files_below(place: Path) -> Iterable[Path]:
    """Yield a file, or what is below a folder, in a fixed order: files, links, what is neither; no tools' caches."""
    if place.is_file() or place.is_symlink():
        yield place
        return
    for folder, names, files in os.walk(place):
        names[:] = sorted(name for name in names if name not in _PASSED_OVER)
        here = Path(folder)
        # Links to folders stand among the folders' names; they are entries of the tree like any other.
        yield from (here / name for name in sorted([*files, *(n for n in names if (here / n).is_symlink())]))


def tree_fingerprint(places: Iterable[Path]) -> str:
    """Return a digest over names, kinds, executable bits and contents below `places`.

    Raises ConfigError when one of them does not exist or cannot be read.
    """
    digest = hashlib.sha256()
    for place in places:
        try:
            place.lstat()
            for path in files_below(place):
                if path.suffix == ".pyc":
                    continue
                state = path.lstat()
                name = os.fsencode(path.relative_to(place)) if path != place else b"."
                if stat.S_ISLNK(state.st_mode):
                    kind, content = b"l", os.fsencode(path.readlink())
                elif stat.S_ISREG(state.st_mode):
                    with path.open("rb") as stream:
                        content = hashlib.file_digest(stream, "sha256").digest()
                    kind = b"x" if state.st_mode & 0o100 else b"f"
                else:
                    kind, content = b"o", b""
                for part in (kind, name, content):
                    digest.update(len(part).to_bytes(8, "big") + part)
        except OSError as problem:
            raise ConfigError(
                f"cannot read {problem.filename or place}",
                problem.strerror or str(problem),
                "the product file or the build names it; put it there or mend the name",
            ) from problem
        digest.update(b"\xff")
    return "sha256:" + digest.hexdigest()


def combine(parts: Mapping[str, Any]) -> str:
    """Return one digest for named parts."""
    return sha256_digest(canonical_json(parts))


def read_stamp(path: Path) -> dict[str, Any]:
    """Return the last build's stamp; an absent or damaged one counts as none: everything is then looked at again."""
    try:
        value = json.loads(read_limited(path, _STAMP_LIMIT))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_stamp(path: Path, value: Mapping[str, Any]) -> None:
    """Replace the stamp."""
    write_atomically(path, canonical_json(value) + b"\n")


def file_state(path: Path) -> list[int]:
    """Return size, modification time (ns) and inode: enough to see that an output of ours was touched; [] if absent."""
    try:
        state = path.stat()
    except OSError:
        return []
    return [state.st_size, state.st_mtime_ns, state.st_ino]
