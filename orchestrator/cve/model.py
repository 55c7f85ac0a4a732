# SPDX-License-Identifier: MIT
"""What a vulnerability search is about: packages as databases name them, and what was found for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Severity = Literal["unknown", "negligible", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("negligible", "low", "medium", "high", "critical")

State = Literal["affected", "undetermined", "not_affected", "fixed", "under_investigation"]
"""`affected` and `undetermined` come from databases; the others, and `affected` again, from VEX statements."""


def rank(severity: Severity) -> int:
    """Return the place of a severity in their order; what is unknown counts as medium, so that it is not overlooked."""
    return SEVERITIES.index("medium" if severity == "unknown" else severity)


@dataclass(frozen=True, slots=True)
class Package:
    """A component as databases look for it: its ecosystem (`Debian`, `Alpine`, `PyPI`, ...), release in it, the name
    and version that advisories speak of (the source's for distributions), and the component itself."""

    ecosystem: str
    release: str
    name: str
    version: str
    component: str
    component_version: str
    layer: str
    purl: str


@dataclass(frozen=True, slots=True)
class Advisory:
    """What a database says of one vulnerability in one package; `fixed` is the version that mends it, empty for none.

    `database` is the digest of the file that says it. `note` are the database's words on why it stays open.
    """

    id: str
    aliases: tuple[str, ...]
    severity: Severity
    fixed: str
    summary: str
    state: Literal["affected", "undetermined"]
    database: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A vulnerability of a component; `state` is the database's, or what a VEX statement made of it, with its words."""

    package: Package
    advisory: Advisory
    state: State
    statement: str = ""

    @property
    def open(self) -> bool:
        """Whether it counts: neither said to be fixed nor not to affect."""
        return self.state not in ("fixed", "not_affected")


@dataclass(frozen=True)
class Database:
    """A database file: its name, digest, kind, how many entries it has, those that could not be judged (ranges over
    commits), and the search: yields the advisories that hold for a package."""

    name: str
    digest: str
    kind: Literal["debian", "osv"]
    entries: int
    search: Callable[[Package], Iterable[Advisory]]
    unjudged: Callable[[Iterable[Package]], int] = lambda packages: 0


def in_order(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield findings by layer, component and id, each once."""
    seen = set()
    for finding in sorted(
        findings, key=lambda each: (each.package.layer, each.package.component, each.package.purl, each.advisory.id)
    ):
        key = (finding.package, finding.advisory.id)
        if key not in seen:
            seen.add(key)
            yield finding
