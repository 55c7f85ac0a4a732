# SPDX-License-Identifier: MIT
"""Container images made by hand: OCI layers as tars, layouts with whatever documents a test wants in them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

OCI = "application/vnd.oci.image."
DOCKER = "application/vnd.docker."
MANIFEST = OCI + "manifest.v1+json"
INDEX = OCI + "index.v1+json"
CONFIG = OCI + "config.v1+json"
LAYER = OCI + "layer.v1.tar"
DOCKER_MANIFEST = DOCKER + "distribution.manifest.v2+json"
DOCKER_LIST = DOCKER + "distribution.manifest.list.v2+json"
DOCKER_CONFIG = DOCKER + "container.image.v1+json"
DOCKER_LAYER = DOCKER + "image.rootfs.diff.tar.gzip"


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def entry(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = len(data)
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def folder(name: str, **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, tarfile.DIRTYPE, **more)


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, tarfile.SYMTYPE, linkname=target)


def hard(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, tarfile.LNKTYPE, linkname=target)


def tar(*members: tuple[tarfile.TarInfo, bytes], fmt: int = tarfile.PAX_FORMAT) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=fmt, encoding="utf-8", errors="surrogateescape") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def compressed(data: bytes, how: str) -> bytes:
    if how == "gzip":
        return gzip.compress(data, 1, mtime=0)
    return zstandard.compress(data) if how == "zstd" else data


@dataclass
class Layout:
    """An OCI image layout that grows; documents are written as they are given, right or wrong."""

    root: Path

    def __post_init__(self) -> None:
        (self.root / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        (self.root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def path(self, digest: str) -> Path:
        return self.root / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def blob(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        digest = digest_of(data)
        self.path(digest).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def document(self, value: Any, media_type: str, **more: Any) -> dict[str, Any]:
        return self.blob(json.dumps(value).encode(), media_type, **more)

    def config(self, tars: Sequence[bytes], kind: str = CONFIG, **more: Any) -> dict[str, Any]:
        value = {
            "os": "linux",
            "architecture": "amd64",
            "config": {"Cmd": ["/bin/server"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(each) for each in tars]},
        }
        return self.document(value | more, kind)

    def image(
        self, *tars: bytes, how: str = "gzip", config: dict[str, Any] | None = None, docker: bool = False, **more: Any
    ) -> dict[str, Any]:
        """Add an image and return its manifest's descriptor; `more` goes into its configuration."""
        ending = "" if how == "none" else f"+{how}"
        kind = DOCKER_LAYER if docker else LAYER + ending
        manifest_type = DOCKER_MANIFEST if docker else MANIFEST
        if config is None:
            config = self.config(tars, DOCKER_CONFIG if docker else CONFIG, **more)
        layers = [self.blob(compressed(each, how), kind) for each in tars]
        return self.document(
            {"schemaVersion": 2, "mediaType": manifest_type, "config": config, "layers": layers}, manifest_type
        )

    def index(self, *entries: dict[str, Any]) -> None:
        (self.root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": list(entries)}))


def named(entry: dict[str, Any], name: str) -> dict[str, Any]:
    return entry | {"annotations": {"org.opencontainers.image.ref.name": name}}


def on(entry: dict[str, Any], platform: str) -> dict[str, Any]:
    system, architecture, *variant = platform.split("/")
    found = {"os": system, "architecture": architecture}
    return entry | {"platform": found | ({"variant": variant[0]} if variant else {})}
