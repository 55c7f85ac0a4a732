# SPDX-License-Identifier: MIT
"""Making a bundle out of a store: the same revisions and keys give the same bytes, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from orchestrator.bundle import ustar
from orchestrator.canonical import canonical_json, hex_of, make_folders, remove_leftovers, sha256_digest, sync_folder
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.oci.descriptor import EMPTY_BYTES, INDEX_TYPE, MANIFEST_TYPE, REF_NAME, Descriptor, canonical_bytes
from orchestrator.oci.files import explained
from orchestrator.oci.layout import LAYOUT, SUBJECT, Layout, referrer
from orchestrator.revision import LAYER, SPDX_TYPE, Revision
from orchestrator.trust import ENVELOPE_TYPE, SIGNATURE_TYPE, ProductKeys, trusted_envelope, verify_revision

BASE = "vnd.pycontainer.base"
"""Annotation of a revision's entry in index.json: the id of the revision whose blobs the bundle leaves out."""

_CHANNELS = ("channel/", "channel.pointer/")
"""How the tags of channels' heads and pointers begin in a store."""
_CHUNK = 1 << 20
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Created:
    """A bundle that was written: its size in bytes, and how many blobs of how many bytes the base saved."""

    path: Path
    size: int
    revisions: tuple[str, ...]
    blobs: int
    left_out: int
    saved: int


@dataclass
class _Content:
    """What goes into a bundle: small things by value, blobs by their digest and size."""

    small: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, int] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def add(self, data: bytes) -> str:
        digest = sha256_digest(data)
        self.small[digest] = data
        return digest

    def enter(self, digest: str, size: int, kind: str, annotations: dict[str, str]) -> None:
        entry = Descriptor(
            media_type=MANIFEST_TYPE, digest=digest, size=size, artifact_type=kind, annotations=annotations
        )
        self.entries.append(msgspec.to_builtins(entry))

    def names(self) -> list[tuple[str, str]]:
        """Return file names and the digests of what they hold, sorted by name; "" for what is no blob."""
        blobs = [(f"blobs/sha256/{hex_of(digest)}", digest) for digest in {**self.small, **self.blobs}]
        return sorted([*blobs, ("index.json", ""), ("oci-layout", "")])

    def index(self) -> bytes:
        return canonical_json({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": self.entries})


def create(
    store: Layout,
    revisions: Sequence[Revision],
    keys: ProductKeys,
    out: Path,
    *,
    base: Revision | None = None,
    also: Sequence[str] = (),
    progress: Progress = lambda done, total: None,
) -> Created:
    """Write a bundle with `revisions` to `out`: a tar when its name ends with .tar, a folder otherwise.

    `also` are artefact types that go with a revision beside signatures and documents: its sources, say, and pointers
    of channels. Where a channel of the store stands for one of the revisions, it does in the bundle too.
    Blobs and SPDX documents that `base` has are left out; manifests, configurations and signatures never are. Raises
    UnverifiedError for a revision that the product's keys did not sign as required, VerificationError for a damaged
    store, ConfigError when `out` is a folder of something else or a blob does not fit into a tar, TryAgainError on a
    full disk; what was at `out` before is then still there.
    """
    chosen = list({revision.id: revision for revision in revisions}.values())
    _check_base(chosen, base)
    content = _Content()
    owned = _blobs_of(base) if base else set()
    left_out: dict[str, int] = {}
    for revision in chosen:
        verify_revision(store, revision, keys.public_keys(), keys.threshold, product=keys.product, blobs=False)
        _collect(store, revision, keys, content, owned, left_out, base)
        _collect_more(store, revision, also, content)
    if base is not None:  # so that whoever checks the bundle can tell what it leaves out from what it lacks
        content.add(store.read_blob(base.id))
        content.add(store.read_blob(base.manifest.config.digest))
    with explained("write the bundle", out):
        writer = _write_tar if out.suffix == ".tar" else _write_folder
        size = writer(store, content, out, progress)
    return Created(
        out,
        size,
        tuple(revision.id for revision in chosen),
        len(content.names()) - 2,
        len(left_out),
        sum(left_out.values()),
    )


def _check_base(revisions: Sequence[Revision], base: Revision | None) -> None:
    for revision in revisions if base else ():
        assert base is not None
        if revision.id == base.id:
            raise ConfigError("a bundle cannot be based on what it brings", f"revision {revision.short} is both")
        for what in ("product", "machine"):
            ours, other = getattr(revision.config, what), getattr(base.config, what)
            if ours != other:
                raise ConfigError(
                    f"the base is for another {what}", f"{other}, and revision {revision.short} for {ours}"
                )


def _blobs_of(revision: Revision) -> set[str]:
    """The blobs that whoever has a revision has: those of its layers, and their SPDX documents."""
    return {blob.digest for blob in revision.blobs()} | {layer.spdx for layer in revision.config.layers}


def _collect(
    store: Layout,
    revision: Revision,
    keys: ProductKeys,
    content: _Content,
    owned: set[str],
    left_out: dict[str, int],
    base: Revision | None,
) -> None:
    def take(part: Descriptor) -> None:
        if part.digest not in content.small:
            (left_out if part.digest in owned else content.blobs)[part.digest] = part.size

    content.add(store.read_blob(revision.id))
    content.add(store.read_blob(revision.manifest.config.digest))
    content.enter(
        revision.id, revision.descriptor.size, revision.descriptor.artifact_type or "", {BASE: base.id} if base else {}
    )
    for part in revision.manifest.layers:
        take(part)
    envelope = trusted_envelope(store, revision, keys.device_keys())
    part = Descriptor(media_type=ENVELOPE_TYPE, digest=content.add(envelope), size=len(envelope))
    signature = canonical_bytes(referrer(revision.descriptor, SIGNATURE_TYPE, [part]))
    content.add(EMPTY_BYTES)
    content.enter(content.add(signature), len(signature), SIGNATURE_TYPE, {SUBJECT: revision.id})
    for found in sorted(store.referrers(revision.id, SPDX_TYPE), key=lambda entry: entry.digest):
        manifest = store.read_manifest(found.digest)
        if base is not None and LAYER not in manifest.annotations:
            continue  # the image's document repeats those of all layers, which the base has
        content.enter(content.add(store.read_blob(found.digest)), found.size, SPDX_TYPE, {SUBJECT: revision.id})
        for part in (manifest.config, *manifest.layers):
            take(part)


def _collect_more(store: Layout, revision: Revision, also: Sequence[str], content: _Content) -> None:
    """Add what else is attached to a revision, and the channels that stand for it: small, and so never left out."""
    for kind in also:
        for found in sorted(store.referrers(revision.id, kind), key=lambda entry: entry.digest):
            content.enter(content.add(store.read_blob(found.digest)), found.size, kind, {SUBJECT: revision.id})
            manifest = store.read_manifest(found.digest)
            for part in (manifest.config, *manifest.layers):
                if part.digest not in content.small:
                    content.blobs[part.digest] = part.size
            for signed in sorted(store.referrers(found.digest, SIGNATURE_TYPE), key=lambda entry: entry.digest):
                digest = content.add(store.read_blob(signed.digest))
                content.enter(digest, signed.size, SIGNATURE_TYPE, {SUBJECT: found.digest})
                for part in store.read_manifest(signed.digest).layers:
                    content.blobs[part.digest] = part.size
    known = {entry["digest"]: entry for entry in content.entries}
    for name, tagged in store.tags().items() if also else ():
        if name.startswith(_CHANNELS) and tagged.digest in (revision.id, *_attached(known, revision)):
            entry = known[tagged.digest]
            notes = {**entry.get("annotations", {}), REF_NAME: name}
            content.entries.append({**entry, "annotations": notes})


def _attached(known: dict[str, dict[str, Any]], revision: Revision) -> list[str]:
    return [digest for digest, entry in known.items() if entry.get("annotations", {}).get(SUBJECT) == revision.id]


def _pieces(store: Layout, content: _Content, digest: str, size: int) -> Iterator[bytes]:
    """Yield a blob's bytes; raises VerificationError at their end when they are not what the digest says."""
    state = hashlib.sha256()
    rest = size
    with store.blobs.open(digest) as stream:
        while rest and (piece := stream.read(min(rest, _CHUNK))):
            rest -= len(piece)
            state.update(piece)
            yield piece
        extra = stream.read(1)
    if rest or extra:
        raise VerificationError(f"blob {digest} has the wrong size", f"{size} bytes were announced", store.blobs.hint)
    if (found := f"sha256:{state.hexdigest()}") != digest:
        raise store.blobs.damaged(digest, found)


def _members(store: Layout, content: _Content, progress: Progress) -> Iterator[tuple[str, int, Iterator[bytes]]]:
    """Yield each file of the bundle: name, size, pieces (all of which must be taken before the next file)."""
    total = sum(content.blobs.values())
    done = 0

    def counted(pieces: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal done
        for piece in pieces:
            yield piece
            done += len(piece)
            progress(done, total)

    fixed = {"index.json": content.index(), "oci-layout": canonical_json(LAYOUT)}
    for name, digest in content.names():
        data = fixed.get(name) or content.small.get(digest)
        if data is not None:
            yield name, len(data), iter((data,))
        else:
            size = content.blobs[digest]
            yield name, size, counted(_pieces(store, content, digest, size))


def _temporary(out: Path) -> Path:
    make_folders(out.parent)
    remove_leftovers(out.parent, re.escape(f".{out.name}.") + r"(\d+)\.tmp")
    return out.with_name(f".{out.name}.{os.getpid()}.tmp")


def _write_tar(store: Layout, content: _Content, out: Path, progress: Progress) -> int:
    for digest, size in content.blobs.items():  # refused before anything is written
        ustar.header(f"blobs/sha256/{hex_of(digest)}", size)
    temporary = _temporary(out)
    try:
        with temporary.open("xb") as stream:
            for name, size, pieces in _members(store, content, progress):
                stream.write(ustar.header(name, size))
                for piece in pieces:
                    stream.write(piece)
                stream.write(ustar.padding(size))
            stream.write(ustar.ending())
            written = stream.tell()
            _sync(stream)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(out.parent)
    return written


def _write_folder(store: Layout, content: _Content, out: Path, progress: Progress) -> int:
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigError(
            f"{out} is there already", "a bundle is written to a new folder", "remove it, or name another"
        )
    temporary = _temporary(out)
    written = 0
    try:
        blobs = temporary / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        for name, size, pieces in _members(store, content, progress):
            with (temporary / name).open("xb") as stream:
                for piece in pieces:
                    stream.write(piece)
                _sync(stream)
            written += size
        for folder in (blobs, blobs.parent, temporary):
            sync_folder(folder)
        temporary.replace(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    sync_folder(out.parent)
    return written


def _sync(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())
