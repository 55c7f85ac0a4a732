# SPDX-License-Identifier: MIT
"""The store: an OCI image layout on disk (image-spec v1.1, image-layout.md) with tags and referrers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from orchestrator.canonical import canonical_json, make_folders
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.oci.blobs import OCTETS, Blobs
from orchestrator.oci.descriptor import (
    EMPTY_BYTES,
    EMPTY_TYPE,
    INDEX_TYPE,
    MANIFEST_LIMIT,
    MANIFEST_TYPE,
    Descriptor,
    ImageIndex,
    Manifest,
    blobs_of,
    canonical_bytes,
    decode_document,
    decode_index,
)
from orchestrator.oci.files import Files, explained
from orchestrator.oci.index import EMPTY_INDEX, Index
from orchestrator.oci.layout import LAYOUT, SUBJECT, Layout, check_layout, referrer, referrers_tag
from orchestrator.oci.writers import WRITERS_LOCK, Writers

_OWN_NAMES = {"blobs", "index.json", "oci-layout", ".tmp", ".lock", ".partial", WRITERS_LOCK}


class Store(Layout):
    """An OCI image layout at `root`. Use `Store.open` or `Store.open_or_create`.

    Every change is whole or not at all, whatever instant a process is killed, the power fails or the disk is full:
    blobs come first, each under its final name only when complete and synced; `index.json`, which makes them visible,
    is replaced last. Commands may share a store; changes of the index wait for each other, and the collector of garbage
    waits for everybody who is `writing`.
    """

    def __init__(self, root: Path, files: Files | None = None) -> None:
        self.root = root
        self._files = files or Files()
        self.blobs: Blobs = Blobs(root, self._files)
        self.index: Index = Index(root, self.blobs, self._files)
        self.writers = Writers(root)
        super().__init__(self.blobs, self.index)

    @classmethod
    def open(cls, root: Path, files: Files | None = None) -> Store:
        """Return the store at `root`; raises ConfigError when there is none, VerificationError when it is damaged."""
        store = cls(root, files)
        try:
            with (root / "oci-layout").open("rb") as stream:
                data = stream.read(4097)
        except OSError as problem:
            raise ConfigError(
                f"no store at {root}",
                f"oci-layout: {problem.strerror}",
                "build it first (pycontainer build), or check the path",
            ) from problem
        check_layout(data, root)
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
            make_folders(self.root.parent)
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
                    files.write(descriptor, canonical_json(LAYOUT))
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

    def blob_path(self, digest: str) -> Path:
        """Return the path of a blob (never write to it); raises VerificationError when it is not here."""
        with self.blobs.open(digest):
            return self.blobs.path(digest)

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
        with self.locked():
            if not self.has_blob(descriptor.digest, descriptor.size):
                raise VerificationError(f"cannot tag {name!r}", f"manifest {descriptor.digest} is not in the store")
            self._check_parts(descriptor)
            self.index.tag(name, descriptor)

    def move(self, name: str, descriptor: Descriptor) -> None:
        """Let `name` stand for another manifest, as `tag` does; the one before stays in the index, by its digest."""
        with self.together():
            self.index.untag(name, keep=True)
            self.tag(name, descriptor)

    def _check_parts(self, descriptor: Descriptor) -> None:
        """Refuse to lead to what is not all here: a writer that held no lock may have lost a blob to the collector."""
        if descriptor.media_type not in (MANIFEST_TYPE, INDEX_TYPE):
            return
        document = decode_document(self.read_blob(descriptor.digest), f"manifest {descriptor.digest}")
        for part in document.manifests if isinstance(document, ImageIndex) else blobs_of(document):
            if not self.has_blob(part.digest, part.size):
                raise VerificationError(
                    f"a part of {descriptor.digest[:19]} is not in the store", f"blob {part.digest}", self.blobs.hint
                )

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Keep the collector of garbage away: what is stored in the block, or found to be there, stays until its end.

        Whoever stores blobs and enters them into the index later does both in one such block. May be nested.
        """
        with self.writers.shared():
            yield

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other writer of the index out, for a change that first looks and then writes; may be nested."""
        with self.writing(), self.index.locked():
            yield

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Make every change of the block visible in one step at its end, or none when an error leaves it; see `locked`.

        For what belongs together (a revision, what is attached to it, its tag), and for speed: each change alone
        writes the whole index.
        """
        with self.writing(), self.index.together():
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
        with self.locked():
            self.put_blob(EMPTY_BYTES, media_type=EMPTY_TYPE)
            stored = self.put_manifest(referrer(subject, artifact_type, blobs, annotations))
            packed = self.packed(subject.digest)
            if packed is None:
                self.index.add(stored.plain(**{SUBJECT: subject.digest}), instead_of=frozenset(instead_of))
            else:
                kept = [entry for entry in packed if entry.digest not in {stored.digest, *instead_of}]
                self._write_packed(subject.digest, [*kept, stored])
        return stored

    def attach_all(self, subject: Descriptor, referrers: Iterable[Manifest]) -> None:
        """Attach many artefacts at once (see `layout.referrer`), in an index of their own; see `pack`."""
        with self.together():
            self.put_blob(EMPTY_BYTES, media_type=EMPTY_TYPE)
            before = self.referrers(subject.digest)
            stored = [self.put_manifest(each) for each in referrers]
            entries = {entry.digest: entry for entry in (*before, *stored)}
            if entries:
                self._write_packed(subject.digest, list(entries.values()))
                self.index.drop(entries.keys())

    def packed(self, subject: str) -> list[Descriptor] | None:
        """Return what the subject's own index of referrers lists, or None when it has none; see `pack`."""
        found = self.resolve(referrers_tag(subject))
        if found is None or found.media_type != INDEX_TYPE:
            return None
        return decode_index(self.read_blob(found.digest), f"the referrers of {subject}").manifests

    def pack(self, subject: str) -> None:
        """Move what is attached to a manifest out of `index.json` into an index of its own, by one entry.

        That is distribution-spec's fallback tag, `sha256-<hex>`, which any reader of referrers knows. With thousands
        of revisions `index.json` stays small, and is read in milliseconds.
        """
        with self.together():
            found = self.referrers(subject)
            if not found:
                return
            before = self.packed(subject)
            if before is None or {entry.digest for entry in before} != {entry.digest for entry in found}:
                self._write_packed(subject, found)
            self.index.drop({entry.digest for entry in found})

    def _write_packed(self, subject: str, entries: Sequence[Descriptor]) -> None:
        ordered = sorted(entries, key=lambda entry: (entry.artifact_type or "", entry.digest))
        index = ImageIndex(schema_version=2, media_type=INDEX_TYPE, manifests=ordered)
        blob = self.put_blob(canonical_bytes(index), media_type=INDEX_TYPE, limit=MANIFEST_LIMIT)
        self.index.tag(referrers_tag(subject), blob)
