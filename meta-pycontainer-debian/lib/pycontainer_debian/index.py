# SPDX-License-Identifier: MIT
"""Debian archive indexes: the signed InRelease file and the Packages file of one suite, parsed strictly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from .errors import DebianError

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+\Z")
_FILENAME = re.compile(r"pool/[A-Za-z0-9+._~%/:-]+\.deb\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_RELEASE_LIMIT = 4 * 1024 * 1024
_WANTED = frozenset(
    [
        *("Package", "Version", "Architecture", "Filename", "Size", "SHA256", "Essential", "Priority"),
        *("Depends", "Pre-Depends", "Provides", "Conflicts", "Breaks"),
    ]
)


@dataclass(frozen=True)
class Release:
    """A suite's Release file: dates in seconds since 1970, and the size and SHA-256 of each index file by its path."""

    suite: str
    codename: str
    date: int
    valid_until: int | None
    files: dict[str, tuple[int, str]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Package:
    """One binary package of an index. `archive` is "debian" or "debian-security"; relations are the raw fields."""

    name: str
    version: str
    architecture: str
    archive: str
    filename: str
    size: int
    sha256: str
    depends: str = ""
    pre_depends: str = ""
    provides: str = ""
    conflicts: str = ""
    breaks: str = ""
    essential: bool = False
    priority: str = "optional"


def paragraphs(text: str, wanted: frozenset[str] | None = None) -> Iterator[dict[str, str]]:
    """Yield the paragraphs of a deb822 file (deb822(5)) as field dicts; continuation lines are joined by newlines.

    With `wanted`, other fields are skipped. Raises ValueError for a line that is neither a field nor a continuation.
    """
    fields: dict[str, str] = {}
    last = ""
    for line in text.split("\n"):
        if not line.strip():
            if fields:
                yield fields
            fields, last = {}, ""
        elif line[0] in " \t":
            if last in fields:
                fields[last] += "\n" + line.strip()
        elif line[0] != "#":
            last, colon, value = line.partition(":")
            if not colon:
                raise ValueError(f"not a field: {line[:80]!r}")
            if wanted is None or last in wanted:
                if last in fields:
                    raise ValueError(f"the field {last} comes twice in one paragraph")
                fields[last] = value.strip()
    if fields:
        yield fields


def _seconds(text: str) -> int:
    return int(parsedate_to_datetime(text).timestamp())


def parse_release(text: str) -> Release:
    """Parse the verified text of an InRelease file; raises DebianError when a needed field is missing or malformed."""
    try:
        if len(text) > _RELEASE_LIMIT:
            raise ValueError(f"{len(text)} characters, the limit is {_RELEASE_LIMIT}")
        (fields,) = paragraphs(text)
        files: dict[str, tuple[int, str]] = {}
        for line in filter(None, fields["SHA256"].split("\n")):
            digest, size, path = line.split()
            if not _SHA256.match(digest):
                raise ValueError(f"not a SHA-256: {digest[:80]!r}")
            files[path] = (int(size), digest)
        until = fields.get("Valid-Until")
        return Release(
            suite=fields.get("Suite", ""),
            codename=fields["Codename"],
            date=_seconds(fields["Date"]),
            valid_until=_seconds(until) if until else None,
            files=files,
        )
    except (KeyError, ValueError, TypeError) as problem:
        raise DebianError("an archive's InRelease file cannot be understood", repr(problem)) from problem


def check_release(release: Release, suite: str, now: int) -> None:
    """Raise DebianError when the Release file is another suite's, or is no longer valid at `now`."""
    if suite not in (release.codename, release.suite):
        raise DebianError(
            f"the mirror's index for {suite} is another suite's",
            f"its code name is {release.codename}",
            "check PYCONTAINER_DEBIAN_MIRROR",
        )
    if release.valid_until is not None and now > release.valid_until:
        raise DebianError(
            f"the mirror's index for {suite} has expired",
            f"it was valid until {release.valid_until}, now it is {now} (seconds since 1970): a stale mirror hides "
            "security updates",
            "use a mirror that is kept up to date (PYCONTAINER_DEBIAN_MIRROR), or correct this machine's clock",
        )


def parse_packages(text: str, archive: str) -> Iterator[Package]:
    """Yield the packages of a Packages file; raises DebianError for a paragraph that no build may trust."""
    try:
        for fields in paragraphs(text, _WANTED):
            package = Package(
                name=fields["Package"],
                version=fields["Version"],
                architecture=fields["Architecture"],
                archive=archive,
                filename=fields["Filename"],
                size=int(fields["Size"]),
                sha256=fields["SHA256"],
                depends=fields.get("Depends", ""),
                pre_depends=fields.get("Pre-Depends", ""),
                provides=fields.get("Provides", ""),
                conflicts=fields.get("Conflicts", ""),
                breaks=fields.get("Breaks", ""),
                essential=fields.get("Essential") == "yes",
                priority=fields.get("Priority", "optional"),
            )
            check_package(package)
            yield package
    except (KeyError, ValueError) as problem:
        raise DebianError(f"a Packages file of the archive {archive} cannot be understood", repr(problem)) from problem


def check_package(package: Package) -> None:
    """Raise ValueError unless name, path and digest of a package have the form that Policy gives them."""
    if not _NAME.match(package.name):
        raise ValueError(f"not a package name: {package.name[:80]!r}")
    if not _FILENAME.match(package.filename) or ".." in package.filename:
        raise ValueError(f"not a file of the pool: {package.filename[:200]!r}")
    if not _SHA256.match(package.sha256):
        raise ValueError(f"not a SHA-256: {package.sha256[:80]!r}")
