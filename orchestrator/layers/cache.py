# SPDX-License-Identifier: MIT
"""Finished blobs by digest, and which inputs gave which: what did not change is not packed again."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.canonical import canonical_json, hash_file, hex_of, sha256_digest, sync_folder, write_atomically
from orchestrator.layers.imageconfig import Health
from orchestrator.layers.options import Volume
from orchestrator.layers.verity import fsverity_digest


@dataclass(frozen=True)
class Blob:
    """One immutable file: where it is, its digest, its size in bytes and its fs-verity digest."""

    path: Path
    digest: str
    size: int
    fsverity: str


@dataclass(frozen=True)
class RunFacts:
    """What the supervisor must know of a container beside its runtime configuration; `apparmor` names its profile,
    `user_base` is the device's number of its user 0 (0: it has no users of its own)."""

    stop_signal: int
    volumes: tuple[Volume, ...]
    health: Health | None
    ports: tuple[str, ...]
    uid: int
    gid: int
    apparmor: str = ""
    user_base: int = 0


@dataclass(frozen=True)
class BuiltLayer:
    """A finished layer: blobs by role (rootfs, run-config, policy, modules, firmware), what to know for running
    it (None for layers that do not run), remarks for the user, and whether it came from the cache."""

    name: str
    blobs: dict[str, Blob]
    run: RunFacts | None
    notes: tuple[str, ...]
    cached: bool = False


class LayerCache:
    """A folder of `blobs/sha256/<hex>` and `records/<key>.json`; safe against a kill at any moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"
        self.records = folder / "records"

    def get(self, key: str) -> BuiltLayer | None:
        """Return the layer that `key` stands for if all its blobs are there unharmed, or None."""
        path = self.records / f"{hex_of(key)}.json"
        try:
            found = msgspec.json.decode(path.read_bytes(), type=BuiltLayer, dec_hook=lambda kind, text: kind(text))
            for blob in found.blobs.values():
                if hash_file(self.blobs / hex_of(blob.digest)) != blob.digest:
                    return None
        except (OSError, ValueError):  # msgspec's errors are ValueErrors: an old or torn record is no record
            return None
        blobs = {
            role: Blob(self.blobs / hex_of(b.digest), b.digest, b.size, b.fsverity) for role, b in found.blobs.items()
        }
        return BuiltLayer(found.name, blobs, found.run, found.notes, cached=True)

    def put(self, key: str, layer: BuiltLayer) -> None:
        """Remember that `key` gives `layer`."""
        record = msgspec.to_builtins(layer, enc_hook=lambda _: "")  # no paths: the folder may be moved
        write_atomically(self.records / f"{hex_of(key)}.json", canonical_json(record))

    def add_file(self, temporary: Path) -> Blob:
        """Move a finished file (already on disk) into the blobs."""
        digest = hash_file(temporary)
        target = self.blobs / hex_of(digest)
        self.blobs.mkdir(parents=True, exist_ok=True)
        temporary.chmod(0o644)
        temporary.replace(target)
        sync_folder(self.blobs)
        return Blob(target, digest, target.stat().st_size, fsverity_digest(target))

    def add_bytes(self, data: bytes) -> Blob:
        """Put bytes into the blobs."""
        digest = sha256_digest(data)
        target = self.blobs / hex_of(digest)
        write_atomically(target, data)
        return Blob(target, digest, len(data), fsverity_digest(target))


@functools.cache
def code_digest() -> str:
    """Return a digest of this package's own modules: a change of the code is a change of the input."""
    total = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted([*folder.glob("*.py"), *folder.glob("*.j2")]):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return "sha256:" + total.hexdigest()
