# SPDX-License-Identifier: MIT
"""Making a bundle out of a store: the same revisions and keys give the same bytes, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orchestrator.bundle import ustar
from orchestrator.bundle.gather import Content, gather
from orchestrator.canonical import canonical_json, hex_of, make_folders, remove_leftovers, sync_folder
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.oci.files import explained
from orchestrator.oci.layout import LAYOUT, Layout
from orchestrator.revision import Release, Revision
from orchestrator.trust import ProductKeys

_CHUNK = 1 << 20
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Created:
    """A bundle that was written: its size in bytes, and how many blobs of how many bytes the bases saved."""

    path: Path
    size: int
    revisions: tuple[str, ...]
    releases: tuple[str, ...]
    blobs: int
    left_out: int
    saved: int


def create(
    store: Layout,
    revisions: Sequence[Revision],
    keys: ProductKeys,
    out: Path,
    *,
    base: Revision | Sequence[Revision] | None = None,
    releases: Sequence[Release] = (),
    also: Sequence[str] = (),
    progress: Progress = lambda done, total: None,
) -> Created:
    """Write a bundle with `revisions` to `out`: a tar when its name ends with .tar, a folder otherwise.

    `releases` group revisions that are among them. `also` are artefact types that go with a revision beside signatures
    and documents: its sources, say, and pointers of channels. Where a channel of the store stands for one of the
    revisions, it does in the bundle too; so do the names of a release.
    Blobs and SPDX documents that `base` has, one revision a machine, are left out for that machine; manifests,
    configurations and signatures never are. Raises UnverifiedError for a revision or a release that the product's keys
    did not sign as required, VerificationError for a damaged store, ConfigError when `out` is a folder of something
    else or a blob does not fit into a tar, TryAgainError on a full disk; what was at `out` before is then still there.
    """
    chosen = list({revision.id: revision for revision in revisions}.values())
    grouped = list({release.id: release for release in releases}.values())
    bases = [base] if isinstance(base, Revision) else list({each.id: each for each in base or ()}.values())
    content = gather(store, chosen, grouped, keys, bases, also)
    with explained("write the bundle", out):
        writer = _write_tar if out.suffix == ".tar" else _write_folder
        size = writer(store, content, out, progress)
    absent = content.left_out()
    return Created(
        out,
        size,
        tuple(revision.id for revision in chosen),
        tuple(release.id for release in grouped),
        len(content.names()) - 2,
        len(absent),
        sum(absent.values()),
    )


def _pieces(store: Layout, content: Content, digest: str, size: int) -> Iterator[bytes]:
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


def _members(store: Layout, content: Content, progress: Progress) -> Iterator[tuple[str, int, Iterator[bytes]]]:
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


def _write_tar(store: Layout, content: Content, out: Path, progress: Progress) -> int:
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


def _write_folder(store: Layout, content: Content, out: Path, progress: Progress) -> int:
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
