# SPDX-License-Identifier: MIT
"""Package relations, Debian Policy 7.1: `a (>= 1) | b, c`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from .version import satisfies

_ATOM = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]+)(?::(?P<qualifier>[a-z0-9-]+))?\s*"
    r"(?:\(\s*(?P<operator><<|<=|=|>=|>>)\s*(?P<version>[^\s()]+)\s*\))?\Z"
)


@dataclass(frozen=True, slots=True)
class Atom:
    """One name with an optional version constraint; `operator` is empty when any version does."""

    name: str
    operator: str = ""
    version: str = ""

    def accepts(self, version: str) -> bool:
        """Say whether this version fulfils the constraint."""
        return not self.operator or satisfies(version, self.operator, self.version)

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


Group = tuple[Atom, ...]


@lru_cache(maxsize=16384)
def parse_relations(text: str) -> tuple[Group, ...]:
    """Parse a relation field to groups of alternatives; raises ValueError for what Policy 7.1 does not allow."""
    groups = []
    for part in filter(None, (part.strip() for part in text.replace("\n", " ").split(","))):
        atoms = []
        for alternative in part.split("|"):
            match = _ATOM.match(alternative.strip())
            if not match:
                raise ValueError(f"not a package relation: {alternative.strip()[:100]!r}")
            atoms.append(Atom(match["name"], match["operator"] or "", match["version"] or ""))
        groups.append(tuple(atoms))
    return tuple(groups)
