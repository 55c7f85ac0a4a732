# SPDX-License-Identifier: MIT
"""Packages by the rpm database in its SQLite form (rpm 4.16 and newer: Fedora, RHEL 9, openSUSE's newer images).

The older forms, Berkeley DB (`Packages`) and ndb (`Packages.db`), are not read: the layer's document says so.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3

from orchestrator.errors import BuildError
from orchestrator.sbom import rpmheader
from orchestrator.sbom.declared import resolve_declared
from orchestrator.sbom.dpkg import contact
from orchestrator.sbom.files import FileTree, Release, release
from orchestrator.sbom.files import read as read_file
from orchestrator.sbom.model import Contact, Source
from orchestrator.sbom.packages import Database, Package, purl

PLACES = ("usr/lib/sysimage/rpm", "var/lib/rpm")
_NAME = "rpmdb.sqlite"
_OLD = {"Packages": "Berkeley DB", "Packages.db": "ndb"}
_LIMIT = 512 * 1024 * 1024
_SOURCE = re.compile(r"(.+)-([^-]+)-([^-]+)\.(?:no)?src\.rpm\Z")
_FOLDER = 0o040000
_KIND = 0o170000


def read(tree: FileTree) -> Database:
    """Read the rpm database of a layer; raises BuildError for a broken one."""
    for folder in PLACES:
        path = f"{folder}/{_NAME}"
        if tree.open(path) is not None:
            return _sqlite(tree, path)
    for folder in PLACES:
        for name, form in _OLD.items():
            if tree.open(f"{folder}/{name}") is not None:
                remark = (
                    f"{folder}/{name}: this form of the rpm database ({form}) is not read; its packages are unknown."
                )
                return Database(ecosystem="rpm", found=(f"{folder}/{name}",), remarks=(remark,))
    return Database(ecosystem="rpm")


def _sqlite(tree: FileTree, path: str) -> Database:
    identity = release(tree)
    data = read_file(tree, path, _LIMIT) or b""
    packages: dict[str, Package] = {}
    try:
        for blob in _blobs(data):
            header = rpmheader.parse(blob)
            package = _package(path, header, identity)
            if package is not None:
                packages[package.key] = package
    except (sqlite3.Error, rpmheader.RpmError) as problem:
        raise BuildError("the rpm database of a layer is damaged", f"{path}: {problem}") from problem
    return Database(ecosystem="rpm", found=(path,), packages=tuple(packages[key] for key in sorted(packages)))


def _blobs(data: bytes) -> list[bytes]:
    # In memory: a foreign database is never opened by its name, and nothing that it says is executed.
    if data[18:20] == b"\x02\x02":  # a database in WAL mode cannot be read from memory; without its log it is the same
        data = data[:18] + b"\x01\x01" + data[20:]
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(data)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA query_only = ON")
        return [bytes(row[0]) for row in connection.execute("SELECT blob FROM Packages ORDER BY hnum")]


def _package(path: str, header: rpmheader.Header, identity: Release) -> Package | None:
    name = header.text(rpmheader.NAME)
    if not name or name == "gpg-pubkey":  # keys are kept as if they were packages
        return None
    epoch = header.number(rpmheader.EPOCH)
    version = f"{header.text(rpmheader.VERSION)}-{header.text(rpmheader.RELEASE)}"
    architecture = header.text(rpmheader.ARCH)
    distribution = identity.id or "rpm"
    distro = f"{distribution}-{identity.version}" if identity.version else ""
    qualifiers = [("arch", architecture), ("distro", distro), ("epoch", str(epoch or ""))]
    url = purl("rpm", distribution, name, version, qualifiers)
    source_file = header.text(rpmheader.SOURCE_RPM)
    match = _SOURCE.match(source_file)
    source = None
    if match:
        source_version = f"{match[2]}-{match[3]}"
        uri = purl("rpm", distribution, match[1], source_version, [("arch", "src"), ("distro", distro)])
        source = Source(match[1], source_version, uri)
    modes = header.numbers.get(rpmheader.FILE_MODES, ())
    paths = header.paths()
    files = tuple(each for number, each in enumerate(paths) if number >= len(modes) or modes[number] & _KIND != _FOLDER)
    provides = (*header.texts.get(rpmheader.PROVIDE_NAME, ()), *(f"/{each}" for each in paths))
    needs = dict.fromkeys(
        need for need in header.texts.get(rpmheader.REQUIRE_NAME, ()) if not need.startswith(("rpmlib(", "config("))
    )
    return Package(
        key=url,
        name=name,
        version=f"{epoch}:{version}" if epoch else version,
        architecture=architecture,
        supplier=_supplier(header),
        purl=url,
        source=source,
        homepage=header.text(rpmheader.URL),
        description=header.text(rpmheader.SUMMARY),
        licence=resolve_declared(header.text(rpmheader.LICENSE), "rpm"),
        evidence=path,
        needs=tuple((need,) for need in needs),
        provides=provides,
        files=files,
        dependencies="complete",
    )


def _supplier(header: rpmheader.Header) -> Contact | None:
    packager, vendor = header.text(rpmheader.PACKAGER), header.text(rpmheader.VENDOR)
    found = contact(packager)
    if found and found.email:
        return Contact("Organization", vendor or found.name, found.email)
    if vendor or packager:
        # "Fedora Project" as packager is a name; openSUSE and others put a URL there.
        url = packager if packager.startswith(("http://", "https://")) else ""
        return Contact("Organization", vendor or packager, url)
    return None
