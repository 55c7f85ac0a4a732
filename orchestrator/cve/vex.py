# SPDX-License-Identifier: MIT
"""OpenVEX 0.2.0, in and out: who says that a vulnerability does or does not matter in this product.

Source: the OpenVEX specification 0.0.2 (context v0.2.0): statements, statuses, justifications, inheritance of product
and timestamp from the document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

import orchestrator
from orchestrator.canonical import canonical_json, read_limited, sha256_digest
from orchestrator.compliance.bill import purl_parts
from orchestrator.cve.model import Finding, Package, State
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.oci.strict import decode

CONTEXT = "https://openvex.dev/ns/v0.2.0"
_LIMIT = 64 * 1024 * 1024
Status = Literal["not_affected", "affected", "fixed", "under_investigation"]
Justification = Literal[
    "component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist",
]  # fmt: skip


class _Identified(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="@id", default="")
    identifiers: dict[str, str] = {}


class _Product(_Identified, frozen=True):
    subcomponents: list[_Identified] = []


class _Vulnerability(msgspec.Struct, frozen=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    aliases: list[str] = []


class _Statement(msgspec.Struct, frozen=True):
    vulnerability: _Vulnerability
    status: Status
    products: list[_Product] = []
    timestamp: str = ""
    justification: Justification | None = None
    impact_statement: str = ""
    action_statement: str = ""
    status_notes: str = ""


class _Document(msgspec.Struct, frozen=True):
    context: str = msgspec.field(name="@context")
    author: str
    timestamp: str
    statements: Annotated[list[_Statement], msgspec.Meta(max_length=100_000)]


@dataclass(frozen=True, slots=True)
class Statement:
    """A VEX statement: about which vulnerability (all of its names) of which packages (package URLs; none: all)."""

    vulnerabilities: frozenset[str]
    packages: tuple[str, ...]
    status: State
    words: str
    author: str
    timestamp: str

    def about(self, package: Package, names: Iterable[str]) -> bool:
        """Tell whether it speaks of a vulnerability, by any of its names, in a package."""
        if self.vulnerabilities.isdisjoint(names):
            return False
        return not self.packages or any(_same(purl, package) for purl in self.packages)


def _same(purl: str, package: Package) -> bool:
    """A package URL without a version, or without a qualifier, stands for all of them."""
    kind, name, version, qualifiers = purl_parts(purl)
    own_kind, own_name, own_version, own = purl_parts(package.purl)
    if (kind, name) != (own_kind, own_name) or (version and version != own_version):
        return False
    return all(own.get(key) == value for key, value in qualifiers.items())


def load_vex(path: Path) -> list[Statement]:
    """Return the statements of an OpenVEX file; raises ConfigError or VerificationError naming what is wrong."""
    try:
        data = read_limited(path, _LIMIT)
    except OSError as problem:
        raise ConfigError(
            f"{path} cannot be read", problem.strerror or str(problem), "name an OpenVEX file"
        ) from problem
    document = decode(data, _Document, f"the VEX document {path}", limit=_LIMIT)
    if not document.context.startswith("https://openvex.dev/ns"):
        raise VerificationError(f"{path} is no OpenVEX document", f"its context is {document.context[:80]!r}")
    found = []
    for position, each in enumerate(document.statements):
        if each.status == "not_affected" and not (each.justification or each.impact_statement):
            raise VerificationError(
                f"{path}: statement {position} says not_affected and not why",
                f"{each.vulnerability.name}: neither justification nor impact_statement",
                "the specification demands one of them",
            )
        names = frozenset({each.vulnerability.name, *each.vulnerability.aliases})
        words = (each.justification or "", each.impact_statement, each.action_statement, each.status_notes)
        found.append(
            Statement(
                names, tuple(_purls(each)), each.status, "; ".join(filter(None, words)), document.author,
                each.timestamp or document.timestamp,
            )
        )  # fmt: skip
    return found


def _purls(statement: _Statement) -> Iterable[str]:
    """A product is the image when it has subcomponents; then these are what the statement is about."""
    for product in statement.products:
        for each in product.subcomponents or [product]:
            for name in (each.identifiers.get("purl", ""), each.id):
                if name.startswith("pkg:"):
                    yield name
                    break
            else:
                # A product that is no package cannot fit any: it must not come to mean all.
                yield f"pkg:other/{name or 'unnamed'}"


def apply(findings: Iterable[Finding], statements: Sequence[Statement]) -> list[Finding]:
    """Return findings with the state that the latest fitting statement gives them."""
    ordered = sorted(statements, key=lambda each: each.timestamp)
    result = []
    for finding in findings:
        names = (finding.advisory.id, *finding.advisory.aliases)
        fitting = [each for each in ordered if each.about(finding.package, names)]
        if fitting:
            last = fitting[-1]
            said = f"{last.author}: {last.words}" if last.words else last.author
            finding = Finding(finding.package, finding.advisory, last.status, said)
        result.append(finding)
    return result


def openvex(findings: Iterable[Finding], author: str, product: str, when: int) -> bytes:
    """Return findings as an OpenVEX document with a final newline.

    `product` is the package URL of the product; `when` is in seconds since 1970. What no statement decided is under
    investigation: a database's word is not yet the product's. The id comes from the content.
    """
    time = datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    grouped: dict[tuple[str, tuple[str, ...], State, str], list[str]] = {}
    for each in findings:
        state: State = each.state if each.statement else "under_investigation"
        key = (each.advisory.id, each.advisory.aliases, state, each.statement)
        grouped.setdefault(key, []).append(each.package.purl)
    statements = []
    for (name, aliases, state, words), purls in sorted(grouped.items()):
        statement: dict[str, Any] = {
            "vulnerability": {"name": name} | ({"aliases": list(aliases)} if aliases else {}),
            "products": [{"@id": product, "subcomponents": [{"@id": purl} for purl in sorted(set(purls))]}],
            "status": state,
        }
        if state == "not_affected":
            statement["impact_statement"] = words
        elif state == "affected":
            statement["action_statement"] = words or "update when a fixed version is there"
        elif words:
            statement["status_notes"] = words
        statements.append(statement)
    content: dict[str, Any] = {
        "@context": CONTEXT,
        "author": author,
        "timestamp": time,
        "version": 1,
        "tooling": f"pycontainer {orchestrator.__version__}",
        "statements": statements,
    }
    identifier = f"urn:pycontainer:vex:{sha256_digest(canonical_json(content))}"
    return canonical_json({**content, "@id": identifier}) + b"\n"
