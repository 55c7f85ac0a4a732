# SPDX-License-Identifier: MIT
"""Debian's security tracker as JSON: by source package, vulnerability and release.

Source: security-tracker's own export (`data/json`): `{package: {CVE: {description, releases: {codename: {status,
fixed_version, urgency, nodsa}}}}}`. A fixed version of `0` says that the release never had the vulnerability.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from orchestrator.compliance.bundle.debian import CODENAMES
from orchestrator.cve.model import Advisory, Database, Package, Severity
from orchestrator.errors import VerificationError
from orchestrator.sbom.versions import compare_debian

_URGENCY: dict[str, Severity] = {
    "unimportant": "negligible", "low": "low", "medium": "medium", "high": "high", "end-of-life": "unknown",
}  # fmt: skip

Word = Annotated[str, msgspec.Meta(max_length=512)]


class _Release(msgspec.Struct, frozen=True):
    status: Word
    fixed_version: Word = ""
    urgency: Word = ""
    nodsa: str = ""


class _Issue(msgspec.Struct, frozen=True):
    releases: dict[str, _Release]
    description: str = ""


def database(data: bytes, name: str, digest: str) -> Database:
    """Return the tracker's export as a database; raises VerificationError when it is none."""
    try:
        issues = msgspec.json.decode(data, type=dict[str, dict[str, _Issue]])
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise VerificationError(f"{name} is no export of Debian's security tracker", str(problem)[:200]) from problem

    def search(package: Package) -> Iterator[Advisory]:
        release = CODENAMES.get(package.release, package.release)
        if package.ecosystem != "Debian":
            return
        for identifier, issue in issues.get(package.name, {}).items():
            state = issue.releases.get(release)
            if state is None or not _holds(state, package.version):
                continue
            yield Advisory(
                identifier,
                (),
                _URGENCY.get(state.urgency.rstrip("*"), "unknown"),
                state.fixed_version if state.status == "resolved" else "",
                issue.description[:500],
                "undetermined" if state.status == "undetermined" else "affected",
                digest,
                state.nodsa[:200],
            )

    return Database(name, digest, "debian", sum(map(len, issues.values())), search)


def _holds(state: _Release, version: str) -> bool:
    if state.status != "resolved":
        return True
    if not state.fixed_version or state.fixed_version == "0":
        return False
    return compare_debian(version[:512], state.fixed_version) < 0
