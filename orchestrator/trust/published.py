# SPDX-License-Identifier: MIT
"""Root documents in a store: artefacts without a subject, which the tags `root/<N>` stand for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from orchestrator.errors import TrustError
from orchestrator.oci.descriptor import EMPTY_BYTES, EMPTY_TYPE, MANIFEST_TYPE, Descriptor, Manifest
from orchestrator.oci.layout import EMPTY, Layout
from orchestrator.oci.store import Store
from orchestrator.trust.dsse import ENVELOPE_LIMIT, ENVELOPE_TYPE
from orchestrator.trust.keyfiles import keys_folder
from orchestrator.trust.root import CHAIN_LIMIT, Chain, SignedRoot
from orchestrator.trust.rootchange import take_roots
from orchestrator.trust.rootfiles import load_chain

ROOT_TYPE = "application/vnd.pycontainer.root.v1"
"""The artefact type of the manifest that holds the envelope of a root document."""

_TAG = re.compile(r"root/([1-9][0-9]{0,8})\Z")


def root_tag(version: int) -> str:
    """Return the store's tag of a root document."""
    return f"root/{version}"


def registry_root_tag(version: int) -> str:
    """Return the tag of a root document in a registry."""
    return f"root.{version}"


def root_entries(layout: Layout) -> dict[int, Descriptor]:
    """Return the manifests of the root documents in a store or bundle by their numbers, in order."""
    found = {
        int(match[1]): entry
        for name, entry in layout.tags().items()
        if (match := _TAG.match(name)) and int(match[1]) <= CHAIN_LIMIT * 1024
    }
    return dict(sorted(found.items()))


def read_roots(layout: Layout) -> list[SignedRoot]:
    """Return the root documents of a store in their order, nothing verified; raises TrustError for what is none."""
    return [read_root(layout, entry.digest, version) for version, entry in root_entries(layout).items()]


def read_root(layout: Layout, digest: str, version: int | None = None) -> SignedRoot:
    """Return the root document that a manifest carries; raises TrustError when it is none, or not of that number."""
    manifest = layout.read_manifest(digest)
    if manifest.artifact_type != ROOT_TYPE or len(manifest.layers) != 1 or manifest.subject is not None:
        raise TrustError(f"{digest} is not a root document", f"it is {manifest.artifact_type or 'something else'}")
    found = SignedRoot.from_bytes(layout.read_blob(manifest.layers[0].digest, limit=ENVELOPE_LIMIT))
    if version not in (None, found.root.version):
        raise TrustError(f"the tag of root document {version} stands for number {found.root.version}", digest)
    return found


def publish_roots(store: Store, chain: Chain) -> list[Descriptor]:
    """Put the documents of a chain into a store, from where they are pushed, and return their manifests.

    One that is there stays as it is; raises TrustError when it says something else.
    """
    found = []
    with store.locked():
        here = root_entries(store)
        for each in chain.documents:
            version = each.root.version
            if version in here:
                if read_root(store, here[version].digest, version).envelope.payload != each.envelope.payload:
                    raise TrustError(f"the store has another root document {version}", "somebody signed a fork")
                found.append(here[version])
                continue
            store.put_blob(EMPTY_BYTES, media_type=EMPTY_TYPE)
            blob = store.put_blob(each.envelope.to_bytes(), media_type=ENVELOPE_TYPE, limit=ENVELOPE_LIMIT)
            manifest = Manifest(
                schema_version=2, media_type=MANIFEST_TYPE, artifact_type=ROOT_TYPE, config=EMPTY, layers=[blob]
            )
            stored = store.put_manifest(manifest)
            store.tag(root_tag(version), stored)
            found.append(stored)
    return found


def accept_roots(
    store: Store,
    digests: Iterable[str],
    product: str,
    *,
    keyid: str | None = None,
    first: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> list[SignedRoot]:
    """Follow root documents that were fetched, by their manifests' digests in the store, and give them their tags.

    They come into the product's folder of keys, as `take_roots` says of `keyid` and `first`. Returns the whole chain,
    empty when nothing pins what came and nothing did before. Raises TrustError for what does not follow; nothing is
    then tagged.
    """
    documents = [read_root(store, digest) for digest in digests]
    if documents:
        take_roots(product, documents, keyid=keyid, first=first, environment=environment)
    folder = keys_folder(product, environment)
    chain = load_chain(folder, product) if folder.is_dir() else None
    if chain is None:
        return []
    publish_roots(store, chain)
    return list(chain.documents)
