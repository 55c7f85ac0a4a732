# SPDX-License-Identifier: MIT
"""The source of a product as it was when a revision was made of it: an artefact attached to the revision.

artifactType application/vnd.pycontainer.source.v1. Its first blob is a list (`SourceList`, canonical JSON) of every
file that the product file names, and the product file itself; the others are the contents of those that are small, each
annotated with its path as org.opencontainers.image.title. What is large is listed by its digest, without content.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal

import msgspec

from orchestrator.errors import VerificationError
from orchestrator.oci import Descriptor, Store, canonical_bytes
from orchestrator.oci.descriptor import Digest, Size
from orchestrator.oci.strict import decode
from orchestrator.revision import Revision

SOURCE_TYPE = "application/vnd.pycontainer.source.v1"
LIST_TYPE = "application/vnd.pycontainer.source.list.v1+json"
FILE_TYPE = "application/octet-stream"
TITLE = "org.opencontainers.image.title"

FILE_LIMIT = 1024 * 1024
"""Bytes of one file that is kept."""
LOCK_LIMIT = 16 * 1024 * 1024
"""Bytes of the lock file: a large product's is larger than what else is written by hand."""
TOTAL_LIMIT = 64 * 1024 * 1024
"""Bytes of all files that are kept."""
FILES_LIMIT = 10_000
"""Files that are listed at most."""
_LIST_LIMIT = 16 * 1024 * 1024

PathText = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class SourceFile(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A file by its path below the product's folder: content by digest, or the target of a symbolic link.

    `kept` says whether the content is in the artefact; `resolved` that the build made it, and not the user: pins.
    """

    path: PathText
    digest: Digest | None = None
    size: Size = 0
    executable: bool = False
    target: PathText | None = None
    kept: bool = True
    resolved: bool = False


class SourceList(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """All files, sorted by path, and the folders that the product file names whole; and how many were too many."""

    schema_version: Literal[1]
    files: Annotated[list[SourceFile], msgspec.Meta(max_length=FILES_LIMIT)]
    folders: list[PathText] = []
    left_out: Annotated[int, msgspec.Meta(ge=0)] = 0

    def by_path(self) -> dict[str, SourceFile]:
        """Return the files by their paths."""
        return {file.path: file for file in self.files}


def attach_source(store: Store, revision: Revision, listed: SourceList, contents: Mapping[str, bytes]) -> Descriptor:
    """Attach a product's source to a revision; `contents` are those of the kept files, by path.

    One that is attached already is replaced.
    """
    check_paths(listed)
    blobs = [store.put_blob(canonical_bytes(listed), media_type=LIST_TYPE)]
    for file in listed.files:
        if file.kept and file.digest is not None:
            blob = store.put_blob(contents[file.path], media_type=FILE_TYPE, expected=file.digest)
            blobs.append(msgspec.structs.replace(blob, annotations={TITLE: file.path}))
    before = [entry.digest for entry in store.referrers(revision.id, SOURCE_TYPE)]
    return store.attach(revision.descriptor, SOURCE_TYPE, blobs, instead_of=before)


def read_source(store: Store, digest: str) -> SourceList | None:
    """Return the list of the source of a revision, or None when none is attached.

    Raises VerificationError for one that is damaged, or names a path outside of a product's folder.
    """
    for entry in store.referrers(digest, SOURCE_TYPE):
        manifest = store.read_manifest(entry.digest)
        if not manifest.layers or manifest.layers[0].media_type != LIST_TYPE:
            raise VerificationError(
                f"the source of {digest[:19]} has no list of files", f"artefact {entry.digest[:19]}"
            )
        data = store.read_blob(manifest.layers[0].digest, limit=_LIST_LIMIT)
        listed = decode(data, SourceList, f"the source of {digest[:19]}", limit=_LIST_LIMIT, canonical=True)
        check_paths(listed)
        return listed
    return None


def check_paths(listed: SourceList) -> None:
    """Raise VerificationError unless every path stays below the product's folder, once, and none below a file."""
    seen: set[str] = set()
    files = {file.path for file in listed.files}
    for file in listed.files:
        if not plain_path(file.path) or file.path in seen or (file.digest is None) == (file.target is None):
            raise VerificationError("the source of the product has a file out of form", repr(file.path)[:100])
        if any(str(parent) in files for parent in PurePosixPath(file.path).parents):
            raise VerificationError("the source of the product has a file below a file", repr(file.path)[:100])
        if file.target is not None and not link_stays(file.path, file.target):
            raise VerificationError("the source of the product has a link that leaves it", repr(file.path)[:100])
        seen.add(file.path)
    if folder := next((folder for folder in listed.folders if folder != "." and not plain_path(folder)), None):
        raise VerificationError("the source of the product has a folder out of form", repr(folder)[:100])


def plain_path(path: str) -> bool:
    """Whether a path is relative, without . and .. and control characters, and not in a folder of our own."""
    parts = path.split("/")
    bad = re.search(r"[\x00-\x1f\x7f\\]", path) or any(part in ("", ".", "..") for part in parts)
    return not bad and parts[0] not in (".pycontainer", "build", ".git")


def link_stays(path: str, target: str) -> bool:
    """Whether a symbolic link leads to below the product's folder, as far as its text tells."""
    if target.startswith("/") or re.search(r"[\x00-\x1f\x7f]", target):
        return False
    depth = path.count("/")
    for part in target.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            return False
    return True
