# SPDX-License-Identifier: MIT
"""Packages of a root file system by its dpkg database (dpkg-query(1), deb-control(5)), read out of a tar.

Both forms are read: var/lib/dpkg/status, and var/lib/dpkg/status.d/ of images without a package manager.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from orchestrator.errors import BuildError
from orchestrator.sbom import archive, deb822
from orchestrator.sbom.archive import Files
from orchestrator.sbom.model import Contact

_WANTED = re.compile(
    r"(?:var/lib/dpkg/status|var/lib/dpkg/status\.d/[^/]+|usr/share/doc/[^/]+/copyright|(?:etc|usr/lib)/os-release)\Z"
)
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{0,200}\Z")
_VERSION = re.compile(r"[A-Za-z0-9.+:~-]{1,200}\Z")
_ARCHITECTURE = re.compile(r"[a-z0-9-]{1,40}\Z")
_SOURCE = re.compile(r"(\S+)(?: \((\S+)\))?\Z")
_MAINTAINER = re.compile(r"(.*?)\s*<([^<>]*)>\Z")
_RELEASE = re.compile(r"^(ID|VERSION_ID)=[\"']?([A-Za-z0-9._-]+)[\"']?$", re.MULTILINE)
_ORGANISATION = re.compile(
    r"\b(?:team|group|maintainers|developers|packagers|project|list|foundation|debian \w+ )\b", re.I
)


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package. `needs` are the names it depends on, with alternatives; `provides` are its own names."""

    name: str
    version: str
    architecture: str
    supplier: Contact | None
    purl: str
    source_name: str
    source_version: str
    homepage: str
    needs: tuple[str, ...]
    provides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Database:
    """What a root file system says of its packages; `found` tells whether it has a dpkg database at all."""

    found: bool
    packages: tuple[Package, ...]
    files: Files


def read(tar: Path) -> Database:
    """Read the dpkg database and the copyright files of a root file system tar; raises BuildError for a broken one."""
    files = archive.read(tar, lambda path: _WANTED.match(path) is not None)
    release = files.get("etc/os-release") or files.get("usr/lib/os-release") or b""
    identity = dict(_RELEASE.findall(release.decode("utf-8", "replace")))
    database = [
        path
        for path in files.paths()
        if path.startswith("var/lib/dpkg/status") and not path.endswith((".md5sums", "-old"))
    ]
    packages: dict[str, Package] = {}
    for path in database:
        for paragraph in deb822.read(files.regular[path].decode("utf-8", "replace"))[0]:
            package = _package(tar, paragraph, identity)
            if package is not None:
                packages[package.purl] = package
    return Database(bool(database), tuple(packages[key] for key in sorted(packages)), files)


def _package(tar: Path, paragraph: deb822.Paragraph, release: dict[str, str]) -> Package | None:
    status = paragraph.value("status").split()
    if "package" not in paragraph.names() or (status and status[-1] in ("not-installed", "config-files")):
        return None
    name, version = paragraph.value("package"), paragraph.value("version")
    architecture = paragraph.value("architecture")
    if not _NAME.match(name) or not _VERSION.match(version) or not _ARCHITECTURE.match(architecture):
        raise BuildError(
            f"{tar}: the dpkg database is damaged",
            f"package {name!r}, version {version!r}, architecture {architecture!r}",
        )
    source = _SOURCE.match(paragraph.value("source"))
    return Package(
        name=name,
        version=version,
        architecture=architecture,
        supplier=contact(paragraph.value("maintainer")),
        purl=purl(name, version, architecture, release.get("ID", "debian"), release.get("VERSION_ID", "")),
        source_name=source[1] if source else name,
        source_version=(source[2] or version) if source else version,
        homepage=paragraph.value("homepage"),
        needs=_relations(paragraph, "pre-depends", "depends"),
        provides=(name, *_relations(paragraph, "provides")),
    )


def _relations(paragraph: deb822.Paragraph, *fields: str) -> tuple[str, ...]:
    text = ",".join(paragraph.values(*fields))
    found = (re.match(r"\s*([a-z0-9][a-z0-9+.-]*)", part) for part in re.split(r"[,|]", text))
    return tuple(dict.fromkeys(match[1] for match in found if match))


def purl(name: str, version: str, architecture: str, distribution: str, release: str) -> str:
    """Return the package URL of a Debian package (purl specification, type deb), qualifiers sorted by key."""
    namespace = quote(distribution, safe="")
    qualifiers = f"arch={architecture}" + (f"&distro={namespace}-{quote(release, safe='')}" if release else "")
    return f"pkg:deb/{namespace}/{quote(name, safe='')}@{quote(version, safe=':~')}?{qualifiers}"


def contact(maintainer: str) -> Contact | None:
    """Return a Maintainer field as a contact; teams and lists are organisations. None for an empty field."""
    if not maintainer:
        return None
    match = _MAINTAINER.match(maintainer)
    name, email = (match[1].strip('" '), match[2]) if match else (maintainer, "")
    team = _ORGANISATION.search(name) is not None or "lists." in email
    return Contact("Organization" if team else "Person", name or email, email)
