# SPDX-License-Identifier: MIT
"""Where a remote is: a repository of a registry, or a path with a store, a product, or a bundle."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.canonical import home_path
from orchestrator.errors import ConfigError
from orchestrator.registry.reference import Reference, parse_reference

_PATH = re.compile(r"(?:/|\.{1,2}(?:/|\Z)|~|file:|oci:)")
_LIMIT = 4096


@dataclass(frozen=True)
class Location:
    """A registry's reference, whose repository counts, or a path; exactly one of them."""

    text: str
    reference: Reference | None = None
    path: Path | None = None

    @property
    def kind(self) -> str:
        """What it is, for people: registry, store, folder or bundle."""
        if self.path is None:
            return "registry"
        if self.path.suffix == ".tar":
            return "bundle"
        return "store" if store_of(self.path) is not None else "folder"

    def __str__(self) -> str:
        return self.text


def parse_location(text: str, root: Path = Path()) -> Location:
    """Return what a user means: a path when it looks like one or exists, else a repository of a registry.

    Relative paths are relative to `root`. Raises ConfigError for what is neither.
    """
    if not text or len(text) > _LIMIT or not text.isprintable():
        raise ConfigError(
            f"not the place of a remote: {text[:80]!r}", "it is empty, too long, or has control characters"
        )
    plain = re.sub(r"\A(?:file:(?://)?|oci:)", "", text)
    if _PATH.match(text) or (root / plain).exists():
        return Location(text, path=root / home_path(plain))
    try:
        return Location(text, reference=parse_reference(text))
    except ConfigError as problem:
        raise ConfigError(
            f"not the place of a remote: {text[:200]!r}",
            f"there is no such path, and as a registry's repository: {problem.why}",
            "write HOST[:PORT]/NAME, or a path that begins with / or ./",
        ) from problem


def store_of(path: Path) -> Path | None:
    """Return the folder of the OCI image layout that a path means: itself, or the store of a product's folder."""
    for place in (path, path / ".pycontainer" / "store"):
        if (place / "oci-layout").is_file():
            return place
    return None
