# SPDX-License-Identifier: MIT
"""Bundles: revisions with all that belongs to them in one folder or tar, for a stick or a line without a network.

    made = create(store, [revision], keys, Path("demo.tar"), base=None)     # an OCI image layout, the same bytes always
    with open_bundle(Path("demo.tar")) as bundle:                           # a folder, or an uncompressed tar
        report = verify(bundle, keys)           # VerificationError (5): missing, damaged; TrustError (7): signatures
        contents(bundle)                        # revisions, versions, sizes
        releases(bundle)                        # what groups the revisions of a product's machines
        bundle.select("8bbb")                   # the revision of that id; "" when there is only one
        bundle.select(machine=device.machine)   # the one for that machine

A bundle is foreign bytes until `verify` returned: its reader is strict, bounded, and extracts nothing.
"""

from __future__ import annotations

from orchestrator.bundle.check import BundledRelease, BundledRevision, BundleReport, contents, releases, verify
from orchestrator.bundle.gather import BASE
from orchestrator.bundle.read import Bundle, open_bundle
from orchestrator.bundle.write import Created, create

__all__ = [
    "BASE",
    "Bundle",
    "BundleReport",
    "BundledRelease",
    "BundledRevision",
    "Created",
    "contents",
    "create",
    "open_bundle",
    "releases",
    "verify",
]
