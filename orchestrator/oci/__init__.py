# SPDX-License-Identifier: MIT
"""The store of blobs, manifests and tags: an OCI image layout on disk that any OCI tool reads.

    store = Store.open_or_create(Path("build/store"))      # or Store.open(path): ConfigError when there is none
    blob = store.put_blob(Path("web.squashfs"), media_type="application/...", adopt=True)   # bytes, stream or Path
    manifest = store.put_manifest(Manifest(...))            # every blob that it names must be here
    store.tag("candidate/MACHINE", manifest)             # tags(), resolve(name)
    store.attach(manifest, "application/spdx+json", [document])     # an OCI referrer; found by referrers(digest)
    store.read_blob(digest, limit=...); store.blob_path(digest); store.verify_blob(digest)
    report = fsck(store)                                    # report.whole, .problems, .unreachable, .leftovers

Guarantees: a name under `blobs/sha256/` has all of its bytes; `index.json` is old or new, never between; entries and
members of other tools stay. A full disk raises TryAgainError (exit 75) and leaves the store as it was.
Unfinished files lie in `.tmp/`, the lock is `.lock`; both are ours and no part of the layout.
"""

from __future__ import annotations

from orchestrator.oci.descriptor import (
    EMPTY_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    REF_NAME,
    Descriptor,
    ImageIndex,
    Manifest,
    canonical_bytes,
    decode_index,
    decode_manifest,
)
from orchestrator.oci.fsck import FsckReport, Problem, fsck
from orchestrator.oci.store import Store

__all__ = [
    "EMPTY_TYPE",
    "INDEX_TYPE",
    "MANIFEST_TYPE",
    "REF_NAME",
    "Descriptor",
    "FsckReport",
    "ImageIndex",
    "Manifest",
    "Problem",
    "Store",
    "canonical_bytes",
    "decode_index",
    "decode_manifest",
    "fsck",
]
