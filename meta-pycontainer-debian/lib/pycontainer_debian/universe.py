# SPDX-License-Identifier: MIT
"""The candidates of a set of indexes, kept in an SQLite file: a later parse need not read 60 MB of text again."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from .index import Package
from .relation import parse_relations
from .version import version_key

FORMAT = "2"
_PRIORITIES = ("required", "important", "standard", "optional", "extra")


def candidates(packages: Iterable[Package]) -> dict[str, Package]:
    """Return the newest version of every name; of equal versions the one that came first, so order the indexes."""
    best: dict[str, Package] = {}
    for package in packages:
        old = best.get(package.name)
        if old is None or version_key(package.version) > version_key(old.version):
            best[package.name] = package
    return best


def write(path: Path, packages: Iterable[Package]) -> None:
    """Write the candidates of `packages` (ordered by index) to a new SQLite file, by a temporary name."""
    best = candidates(packages)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    connection = sqlite3.connect(temporary)
    try:
        connection.execute("create table package (name text primary key, essential integer, facts text) without rowid")
        connection.execute("create table provides (virtual text, name text, primary key (virtual, name)) without rowid")
        ordered = [best[name] for name in sorted(best)]
        connection.executemany(
            "insert into package values (?, ?, ?)", ((p.name, int(p.essential), json.dumps(asdict(p))) for p in ordered)
        )
        connection.executemany(
            "insert or ignore into provides values (?, ?)",
            ((group[0].name, p.name) for p in ordered for group in parse_relations(p.provides)),
        )
        connection.commit()
    finally:
        connection.close()
    temporary.replace(path)


def _preference(package: Package) -> tuple[int, str]:
    known = package.priority in _PRIORITIES
    return (_PRIORITIES.index(package.priority) if known else len(_PRIORITIES), package.name)


class StoredUniverse:
    """A resolver's view of a file that `write` made."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _select(self, tail: str, *values: str) -> list[Package]:
        rows = self._connection.execute(f"select facts from package {tail}", values)
        return [Package(**json.loads(facts)) for (facts,) in rows]

    def get(self, name: str) -> Package | None:
        """Return the candidate of this name."""
        return next(iter(self._select("where name = ?", name)), None)

    def providers(self, name: str) -> list[Package]:
        """Return the candidates whose Provides name `name`: by priority, as debootstrap would choose, then by name."""
        found = self._select("where name in (select name from provides where virtual = ?)", name)
        return sorted(found, key=_preference)

    def essential(self) -> list[Package]:
        """Return the packages marked Essential, sorted by name."""
        return self._select("where essential = 1 order by name")
