# SPDX-License-Identifier: MIT
"""A small layer as a base deploys it, and a small root file system, made in a folder."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from orchestrator.build.layerfiles import LayerFiles
from orchestrator.layers.nodes import BytesContent, File, Symlink
from orchestrator.layers.tree import Tree
from orchestrator.sbom import Blob, LayerFacts, Product

DATA = Path(__file__).parents[2] / "data" / "sbom"
PRODUCT = Product("demo", "1.0.0", "Example Ltd", "sbom@example.com")
EPOCH = 1_700_000_000
BLOB = "sha256:" + "ab" * 32
COPYRIGHTS = {
    "libperl": "perl-and-exception",
    "libodd": "unknown-names",
    "libvague": "vague-names",
    "tool": "plain-gpl",
    "fonts": "plain-mixed",
}


def package(name: str, **changes: Any) -> dict[str, Any]:
    value = {
        "SPDXID": f"SPDXRef-{name}",
        "name": name,
        "versionInfo": "1:1.0-1",
        "supplier": "Organization: Example Team (team@example.com)",
        "packageFileName": f"{name}_1.0-1_amd64.deb",
        "checksums": [
            {"algorithm": "SHA256", "checksumValue": "1f" * 32},
            {"algorithm": "SHA512", "checksumValue": "2e" * 64},
        ],
        "sourceInfo": f"built from source package: {name}-src 1.0-1",
        "downloadLocation": "NOASSERTION",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "homepage": "https://example.com/",
        "filesAnalyzed": False,
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": f"pkg:deb/debian/{name}@1:1.0-1?arch=amd64&distro=debian-13",
            }
        ],
    }
    return {key: entry for key, entry in {**value, **changes}.items() if entry is not None}


def facts_document(names: list[str] | None = None) -> dict[str, Any]:
    packages = [package(name) for name in names or sorted(COPYRIGHTS)]
    packages.append(
        package(
            "pycontainer-device",
            licenseDeclared="GPL-2.0-only & MIT",
            supplier="Organization: PyContainer",
            externalRefs=None,
            checksums=None,
            packageFileName=None,
            sourceInfo=None,
            homepage=None,
        )
    )
    return {
        "spdxVersion": "SPDX-2.3",
        "packages": [{"SPDXID": "SPDXRef-layer", "name": "web", "versionInfo": "1.0"}, *packages],
        "relationships": [
            relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-layer"),
            *(relation("SPDXRef-layer", "CONTAINS", entry["SPDXID"]) for entry in packages),
        ],
    }


def relation(element: str, kind: str, related: str) -> dict[str, str]:
    return {"spdxElementId": element, "relationshipType": kind, "relatedSpdxElement": related}


def write_tar(path: Path, files: dict[str, bytes | str]) -> Path:
    """Write a tar; a text value is the target of a symbolic link, or of a hard link when it starts with `=`."""
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.type = tarfile.LNKTYPE if content.startswith("=") else tarfile.SYMTYPE
                member.linkname = content.removeprefix("=")
                archive.addfile(member)
    return path


def tree_of(files: dict[str, bytes | str]) -> LayerFiles:
    """Return a layer's files; a text value is the target of a symbolic link, or of a hard link when it starts with `=`.

    A path that ends with `*` is executable.
    """
    tree = Tree()
    for name, content in files.items():
        path = name.rstrip("*").encode()
        if isinstance(content, bytes):
            tree.add(path, File(mode=0o755 if name.endswith("*") else 0o644, content=BytesContent(content)))
        elif content.startswith("="):
            tree.link(path, content[1:].encode())
        else:
            tree.add(path, Symlink(mode=0o777, target=content.encode()))
    return LayerFiles(tree)


def deployed(folder: Path, document: dict[str, Any] | None = None) -> LayerFacts:
    folder.mkdir(parents=True, exist_ok=True)
    spdx = folder / "web.spdx.json"
    spdx.write_text(json.dumps(document or facts_document()), encoding="utf-8")
    copyrights = write_tar(
        folder / "copyright.tar",
        {f"{name}/copyright": (DATA / f"{file}.copyright").read_bytes() for name, file in sorted(COPYRIGHTS.items())},
    )
    return LayerFacts(
        name="web",
        kind="app",
        version="1.0",
        architecture="amd64",
        blobs=(Blob("rootfs", BLOB), Blob("run-config", "sha256:" + "cd" * 32)),
        origin="recipe app-web",
        spdx=spdx,
        copyright=copyrights,
    )


def root_file_system(folder: Path) -> LayerFacts:
    copyright_file = (DATA / "plain-gpl.copyright").read_bytes()
    tree = tree_of(
        {
            "./etc/os-release": "../usr/lib/os-release",
            "./usr/lib/os-release": b'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="13"\n',
            "./var/lib/dpkg/status": (DATA / "status").read_bytes(),
            "./var/lib/dpkg/status-old": b"Package: ../../etc\n",
            "./usr/share/doc/libc6/copyright": copyright_file,
            "./usr/share/doc/libexample1": "libc6",
            "./bin/sh": b"\x7fELF",
        },
    )
    return LayerFacts(
        name="rootfs",
        kind="rootfs",
        version="13",
        architecture="amd64",
        blobs=(Blob("rootfs", BLOB),),
        tree=tree,
    )
