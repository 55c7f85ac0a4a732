# SPDX-License-Identifier: MIT
"""The store: an OCI image layout on disk (image-spec v1.1, image-layout.md) with tags and referrers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from orchestrator.canonical import canonical_json
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.oci.blobs import OCTETS, Blobs
from orchestrator.oci.descriptor import (
    EMPTY_BYTES,
    EMPTY_TYPE,
    INDEX_TYPE,
    MANIFEST_LIMIT,
    MANIFEST_TYPE,
    Descriptor,
    Manifest,
    canonical_bytes,
    decode_index,
    decode_manifest,
)
from orchestrator.oci.files import Files, explained
from orchestrator.oci.index import EMPTY_INDEX, Index
from orchestrator.oci.strict import load_json

SUBJECT = "vnd.pycontainer.subject"
"""Annotation of an index entry: the digest of its manifest's subject, so that a lookup need not open every manifest."""

_LAYOUT = {"imageLayoutVersion": "1.0.0"}
_OWN_NAMES = {"blobs", "index.json", "oci-layout", ".tmp", ".lock"}


class _Relation(msgspec.Struct, frozen=True, rename="camel"):
    """The members of a manifest that a search needs; whoever then uses the manifest reads it strictly."""

    artifact_type: str | None = None
    subject: Descriptor | None = None


class Store:
    """An OCI image layout at `root`. Use `Store.open` or `Store.open_or_create`.

    Every change is whole or not at all, whatever instant a process is killed, the power fails or the disk is full:
    blobs come first, each under its final name only when complete and synced; `index.json`, which makes them visible,
    is replaced last. Commands may share a store; changes of the index wait for each other.
    """

    def __init__(self, root: Path, files: Files | None = None) -> None:
        self.root = root
        self._files = files or Files()
        self.blobs = Blobs(root, self._files)
        self.index = Index(root, self.blobs, self._files)
        self._relations: dict[str, _Relation] = {}

    @classmethod
    def open(cls, root: Path, files: Files | None = None) -> Store:
        """Return the store at `root`; raises ConfigError when there is none, VerificationError when it is damaged."""
        store = cls(root, files)
        try:
            with (root / "oci-layout").open("rb") as stream:
                data = stream.read(4097)
        except OSError as problem:
            raise ConfigError(
                f"no store at {root}", f"oci-layout: {problem.strerror}", "build or pull first, or check the path"
            ) from problem
        layout = load_json(data, f"{root / 'oci-layout'}", limit=4096)
        if not isinstance(layout, dict) or layout.get("imageLayoutVersion") != "1.0.0":
            raise VerificationError(f"{root} is no OCI image layout 1.0.0", data.decode(errors="replace")[:80])
        return store

    @classmethod
    def open_or_create(cls, root: Path, files: Files | None = None) -> Store:
        """Return the store at `root`, made when missing; removes what killed writers left behind.

        Raises ConfigError when `root` is a folder of something else.
        """
        store = cls(root, files)
        if not (root / "oci-layout").exists():
            store._create()
        store = cls.open(root, files)
        store.blobs.sweep()
        return store

    def _create(self) -> None:
        files = self._files
        with explained("make a store", self.root):
            self.root.parent.mkdir(parents=True, exist_ok=True)
            files.make_folder(self.root)
            foreign = sorted(path.name for path in self.root.iterdir() if path.name not in _OWN_NAMES)
            if foreign:
                raise ConfigError(
                    f"{self.root} is not a store, and not empty", f"it holds {foreign[0]}", "choose another folder"
                )
            with self.index.locked():
                for folder in (self.root / "blobs", self.blobs.folder, self.blobs.temporary):
                    files.make_folder(folder)
                files.sync_folder(self.root / "blobs")
                if not self.index.path.exists():
                    self.index.write(EMPTY_INDEX)
                with self.blobs.temporary_file() as (descriptor, path):
                    files.write(descriptor, canonical_json(_LAYOUT))
                    files.seal(descriptor, 0o644)
                    files.sync(descriptor)
                    files.rename(path, self.root / "oci-layout")
                files.sync_folder(self.root)
                files.sync_folder(self.root.parent)

    def put_blob(
        self,
        source: bytes | BinaryIO | Path,
        *,
        media_type: str = OCTETS,
        expected: str | None = None,
        limit: int | None = None,
        adopt: bool = False,
    ) -> Descriptor:
        """Store bytes, a stream or a file's content and return its descriptor; see `Blobs.put`."""
        return self.blobs.put(source, media_type=media_type, expected=expected, limit=limit, adopt=adopt)

    def has_blob(self, digest: str, size: int | None = None) -> bool:
        """True when a blob is here (with that size); its content is not read."""
        return self.blobs.has(digest, size)

    def blob_path(self, digest: str) -> Path:
        """Return the path of a blob (never write to it); raises VerificationError when it is not here."""
        with self.blobs.open(digest):
            return self.blobs.path(digest)

    def read_blob(self, digest: str, *, limit: int = MANIFEST_LIMIT) -> bytes:
        """Return a blob of at most `limit` bytes, its digest checked."""
        return self.blobs.read(digest, limit=limit)

    def verify_blob(self, digest: str, size: int | None = None) -> None:
        """Read a blob through; raises VerificationError when it is missing or not what its name says."""
        self.blobs.verify(digest, size)

    def read_manifest(self, digest: str) -> Manifest:
        """Return a manifest of this store."""
        return decode_manifest(self.read_blob(digest), f"manifest {digest}")

    def put_manifest(self, manifest: Manifest) -> Descriptor:
        """Store a manifest as canonical JSON; it has no entry in the index yet (see `tag`, `attach`).

        Raises VerificationError when a blob that it names is not here: a store never names what it lacks.
        """
        for part in (manifest.config, *manifest.layers):
            if not self.has_blob(part.digest, part.size):
                raise VerificationError(
                    f"blob {part.digest} is not in the store", "a manifest names it", "store its blobs first"
                )
        blob = self.put_blob(canonical_bytes(manifest), media_type=MANIFEST_TYPE, limit=MANIFEST_LIMIT)
        return Descriptor(
            media_type=blob.media_type, digest=blob.digest, size=blob.size, artifact_type=manifest.artifact_type
        )

    def tag(self, name: str, descriptor: Descriptor) -> None:
        """Let `name` stand for a manifest of this store, in place of what it stood for before."""
        if not self.has_blob(descriptor.digest, descriptor.size):
            raise VerificationError(f"cannot tag {name!r}", f"manifest {descriptor.digest} is not in the store")
        self.index.tag(name, descriptor)

    def tags(self) -> dict[str, Descriptor]:
        """Return the tags and what they stand for, sorted by name."""
        return self.index.tags()

    def resolve(self, name: str) -> Descriptor | None:
        """Return what a tag stands for, or None."""
        return self.tags().get(name)

    def entries(self) -> list[Descriptor]:
        """Return the entries of the index, in its order."""
        return self.index.entries()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other writer of the index out, for a change that first looks and then writes; may be nested."""
        with self.index.locked():
            yield

    def attach(
        self,
        subject: Descriptor,
        artifact_type: str,
        blobs: Sequence[Descriptor],
        *,
        annotations: Mapping[str, str] | None = None,
        instead_of: Sequence[str] = (),
    ) -> Descriptor:
        """Attach blobs of this store to a manifest as an OCI referrer and return the referrer's descriptor.

        `instead_of` are digests of earlier referrers that this one replaces in the index. Attaching the same again
        changes nothing.
        """
        empty = self.put_blob(EMPTY_BYTES, media_type=EMPTY_TYPE)
        manifest = Manifest(
            schema_version=2,
            media_type=MANIFEST_TYPE,
            artifact_type=artifact_type,
            config=empty,
            layers=list(blobs),
            subject=Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size),
            annotations=dict(annotations or {}),
        )
        stored = self.put_manifest(manifest)
        self.index.add(stored.plain(**{SUBJECT: subject.digest}), instead_of=frozenset(instead_of))
        return stored

    def referrers(self, digest: str, artifact_type: str | None = None) -> list[Descriptor]:
        """Return the manifests whose subject is `digest` (of one artefact type), in the index's order.

        Found by the subject of each manifest in the index, and by the fallback tag `sha256-<hex>` of distribution-spec.
        A manifest that is missing or damaged is left out; `fsck` names it.
        """
        fallback = self.resolve(digest.replace(":", "-"))
        candidates = list(self.entries())
        if fallback is not None and fallback.media_type == INDEX_TYPE:
            with contextlib.suppress(VerificationError):
                candidates += decode_index(self.read_blob(fallback.digest)).manifests
        found: dict[str, Descriptor] = {}
        for entry in candidates:
            known = entry.annotations.get(SUBJECT)
            if entry.media_type != MANIFEST_TYPE or known not in (None, digest) or entry.digest in found:
                continue
            if artifact_type is not None and entry.artifact_type not in (None, artifact_type):
                continue
            relation = self._relation(entry.digest)
            if relation.subject is not None and relation.subject.digest == digest:
                kind = relation.artifact_type
                if artifact_type in (None, kind):
                    found[entry.digest] = Descriptor(
                        media_type=MANIFEST_TYPE, digest=entry.digest, size=entry.size, artifact_type=kind
                    )
        return list(found.values())

    def artifact_type(self, entry: Descriptor) -> str | None:
        """Return what kind of artefact a manifest is; old tools leave it out of the index, so it may be opened."""
        if entry.artifact_type is not None or entry.media_type != MANIFEST_TYPE:
            return entry.artifact_type
        return self._relation(entry.digest).artifact_type

    def _relation(self, digest: str) -> _Relation:
        """Return the part of a manifest that tells what it is and belongs to; nothing when it cannot be read."""
        if digest not in self._relations:
            try:
                self._relations[digest] = msgspec.json.decode(self.read_blob(digest), type=_Relation)
            except (VerificationError, msgspec.MsgspecError, RecursionError):
                return _Relation()
        return self._relations[digest]
