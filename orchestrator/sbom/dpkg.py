# SPDX-License-Identifier: MIT
"""Packages of a root file system by its dpkg database (dpkg-query(1), deb-control(5)), and the files that they own.

Both forms are read: var/lib/dpkg/status with info/*.list, and var/lib/dpkg/status.d/ of images without a package
manager, where <package>.md5sums lists the files.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from orchestrator.errors import BuildError
from orchestrator.sbom import deb822
from orchestrator.sbom.files import FileTree, Release, release, text
from orchestrator.sbom.model import Contact, Source
from orchestrator.sbom.packages import Database, Package

STATUS = "var/lib/dpkg/status"
_FOLDER = "var/lib/dpkg/status.d"
_INFO = "var/lib/dpkg/info"
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{0,200}\Z")
_VERSION = re.compile(r"[A-Za-z0-9.+:~-]{1,200}\Z")
_ARCHITECTURE = re.compile(r"[a-z0-9-]{1,40}\Z")
_SOURCE = re.compile(r"(\S+)(?: \((\S+)\))?\Z")
_BUILT_USING = re.compile(r"\s*(\S+)\s+\(=\s*([^)\s]+)\)\s*")  # one source only (Debian Policy 7.8)
_MAINTAINER = re.compile(r"(.*?)\s*<([^<>]*)>\Z")
_WORD = re.compile(r"\s*([a-z0-9][a-z0-9+.-]*)")
_ORGANISATION = re.compile(
    r"\b(?:team|group|maintainers|developers|packagers|project|list|foundation|debian \w+ )\b", re.I
)


def read(tree: FileTree) -> Database:
    """Read the dpkg database of a layer; raises BuildError for a broken one."""
    identity = release(tree)
    found = [STATUS] if tree.open(STATUS) is not None else []
    found += [f"{_FOLDER}/{name}" for name in tree.names(_FOLDER) if not name.endswith((".md5sums", "-old"))]
    packages: dict[str, Package] = {}
    for path in found:
        for paragraph in deb822.read(text(tree, path) or "")[0]:
            package = _package(tree, path, paragraph, identity)
            if package is not None:
                packages[package.key] = package
    return Database(ecosystem="dpkg", found=tuple(found), packages=tuple(packages[key] for key in sorted(packages)))


def _package(tree: FileTree, path: str, paragraph: deb822.Paragraph, identity: Release) -> Package | None:
    status = paragraph.value("status").split()
    if "package" not in paragraph.names() or (status and status[-1] in ("not-installed", "config-files")):
        return None
    name, version = paragraph.value("package"), paragraph.value("version")
    architecture = paragraph.value("architecture")
    if not _NAME.match(name) or not _VERSION.match(version) or not _ARCHITECTURE.match(architecture):
        raise BuildError(
            "the dpkg database of a layer is damaged",
            f"{path}: package {name!r}, version {version!r}, architecture {architecture!r}",
        )
    source = _SOURCE.match(paragraph.value("source"))
    source_name, source_version = (source[1], source[2] or version) if source else (name, version)
    if "-signed" in source_name and (signed := _BUILT_USING.fullmatch(paragraph.value("built-using"))):
        # A source of signatures: the code that was signed, and what a licence asks for, is in another one.
        source_name, source_version = signed[1], signed[2]
    distribution, number = identity.id or "debian", identity.version
    url = purl(name, version, architecture, distribution, number)
    return Package(
        key=url,
        name=name,
        version=version,
        architecture=architecture,
        supplier=contact(paragraph.value("maintainer")),
        purl=url,
        source=Source(source_name, source_version, purl(source_name, source_version, "source", distribution, number)),
        homepage=paragraph.value("homepage"),
        description=paragraph.value("description"),
        evidence=path,
        needs=_relations(paragraph, "pre-depends", "depends"),
        provides=tuple(name for names in _relations(paragraph, "provides") for name in names),
        files=_files(tree, path, name, architecture),
        dependencies="complete",
    )


def _files(tree: FileTree, path: str, name: str, architecture: str) -> tuple[str, ...]:
    if path == STATUS:
        listed = text(tree, f"{_INFO}/{name}.list")
        if listed is None:  # Multi-Arch: same
            listed = text(tree, f"{_INFO}/{name}:{architecture}.list") or ""
        return tuple(line.lstrip("/") for line in listed.splitlines() if line.strip("/."))
    sums = text(tree, f"{path}.md5sums") or ""
    return tuple(line[34:] for line in sums.splitlines() if len(line) > 34 and line[32:34] == "  ")


def _relations(paragraph: deb822.Paragraph, *fields: str) -> tuple[tuple[str, ...], ...]:
    relations = []
    for part in ",".join(paragraph.values(*fields)).split(","):
        found = [match[1] for word in part.split("|") if (match := _WORD.match(word))]
        if found:
            relations.append(tuple(dict.fromkeys(found)))
    return tuple(dict.fromkeys(relations))


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
