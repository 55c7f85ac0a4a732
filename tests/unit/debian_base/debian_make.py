# SPDX-License-Identifier: MIT
"""Makes small Debian packages, indexes and universes for the tests, without dpkg."""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
from pathlib import Path
from typing import Any

from pycontainer_debian.index import Package
from pycontainer_debian.relation import parse_relations


def package(name: str, version: str = "1", **fields: Any) -> Package:
    digest = hashlib.sha256(f"{name}{version}".encode()).hexdigest()
    filename = f"pool/main/{name}_{version}_amd64.deb"
    facts = {"architecture": "amd64", "archive": "debian", "filename": filename, "size": 1}
    return Package(**{"name": name, "version": version, "sha256": digest, **facts, **fields})


class Universe:
    def __init__(self, *packages: Package) -> None:
        self.packages = {one.name: one for one in packages}

    def get(self, name: str) -> Package | None:
        return self.packages.get(name)

    def providers(self, name: str) -> list[Package]:
        found = self.packages.values()
        return [p for p in found if any(a.name == name for g in parse_relations(p.provides) for a in g)]

    def essential(self) -> list[Package]:
        return [p for p in self.packages.values() if p.essential]


def tar_xz(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return lzma.compress(buffer.getvalue())


def member(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def ar(members: list[tuple[str, bytes]]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members:
        out += b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name.encode(), 0, 0, 0, b"100644", len(data)) + data
        out += b"\n" * (len(data) % 2)
    return out


def deb(path: Path, name: str, files: list[tuple[tarfile.TarInfo, bytes]], **fields: str) -> Path:
    lines = {"Package": name, "Version": "1.0-1", "Architecture": "amd64", "Maintainer": "A B <a@b.org>", **fields}
    control = "".join(f"{key}: {value}\n" for key, value in lines.items()).encode()
    parts = [("debian-binary", b"2.0\n"), ("control.tar.xz", tar_xz([member("./control", control)]))]
    path.write_bytes(ar([*parts, ("data.tar.xz", tar_xz(files))]))
    return path
