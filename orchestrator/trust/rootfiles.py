# SPDX-License-Identifier: MIT
"""Root documents in a product's folder of keys: `root/<N>.json` are trusted, `root/pending.json` is being signed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from orchestrator.canonical import write_atomically
from orchestrator.errors import TrustError
from orchestrator.oci.files import explained
from orchestrator.trust.dsse import ENVELOPE_LIMIT
from orchestrator.trust.root import Chain, SignedRoot, begin, follow

_DOCUMENT = re.compile(r"([1-9][0-9]{0,8})\.json\Z")
_PENDING = "pending.json"


def load_chain(folder: Path, product: str) -> Chain | None:
    """Return the chain in a folder, checked link by link, or None when there is none; raises TrustError otherwise."""
    found = sorted(int(match[1]) for path in _files(folder) if (match := _DOCUMENT.match(path.name)))
    if not found:
        return None
    documents = [load_document(folder / "root" / f"{version}.json") for version in found]
    for version, each in zip(found, documents, strict=True):
        if (each.root.version, each.root.product) != (version, product):
            raise TrustError(
                f"{folder}/root/{version}.json is not what its name says",
                f"it is number {each.root.version} of {each.root.product!r}",
                "restore it from a copy",
            )
    return follow(begin(documents[0]), documents[1:])


def save_chain(folder: Path, chain: Chain, before: Chain | None) -> None:
    """Write the documents that `before` lacks, in their order; the caller holds the lock."""
    known = {each.root.version for each in before.documents} if before else set()
    for each in chain.documents:
        if each.root.version not in known:
            write_atomically(folder / "root" / f"{each.root.version}.json", each.envelope.to_bytes())


def load_document(path: Path) -> SignedRoot:
    """Return the document of a file, nothing verified; raises TrustError when it is none."""
    with explained("read a root document", path), path.open("rb") as stream:
        return SignedRoot.from_bytes(stream.read(ENVELOPE_LIMIT + 1))


def load_pending(folder: Path) -> SignedRoot | None:
    """Return the document that waits for signatures, or None."""
    path = folder / "root" / _PENDING
    return load_document(path) if path.exists() else None


def save_pending(folder: Path, pending: SignedRoot | None) -> Path:
    """Keep a document that waits for signatures, or forget it; the caller holds the lock."""
    path = folder / "root" / _PENDING
    if pending is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, pending.envelope.to_bytes())
    return path


def _files(folder: Path) -> Sequence[Path]:
    with explained("list the root documents", folder):
        return list((folder / "root").iterdir()) if (folder / "root").is_dir() else []
