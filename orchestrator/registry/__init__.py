# SPDX-License-Identifier: MIT
"""Registries: images and revisions over the network (OCI distribution-spec 1.1), by a client of our own.

    reference = parse_reference("registry.example:5000/shop/web:1.2")          # ConfigError when out of form
    digest = resolve_image(reference)                                         # what the tag stands for now
    pulled = pull_image(reference.at(digest), Platform("linux", "arm64"), folder)   # an OCI layout; .manifest, .moved
    push(store, revision, reference.repository, tags=["stable"])               # blobs, manifest, attachments, tags
    pull(reference, store)                                                    # the same way back

Who we are is in the usual auth files and helpers (containers-auth.json(5)), certificates in containers-certs.d(5) and
PYCONTAINER_CA, mirrors in containers-registries.conf(5), proxies in the environment. Transfers run four at a time, go
on after a cut, and try again for a while; nothing enters a store but under the digest of its bytes.
"""

from __future__ import annotations

from orchestrator.registry.errors import BrokenTransferError, BusyError, DeniedError, NotFoundError
from orchestrator.registry.images import PulledImage, pull_image, resolve_image
from orchestrator.registry.patience import Patience
from orchestrator.registry.places import Place, Places
from orchestrator.registry.reference import Reference, Repository, parse_reference, parse_repository
from orchestrator.registry.remote import Document, Remote
from orchestrator.registry.revisions import Transfer, immutable_tag, pull, push
from orchestrator.registry.session import Session
from orchestrator.registry.sources import Sources
from orchestrator.registry.web import Web

__all__ = [
    "BrokenTransferError",
    "BusyError",
    "DeniedError",
    "Document",
    "NotFoundError",
    "Patience",
    "Place",
    "Places",
    "PulledImage",
    "Reference",
    "Remote",
    "Repository",
    "Session",
    "Sources",
    "Transfer",
    "Web",
    "immutable_tag",
    "parse_reference",
    "parse_repository",
    "pull",
    "pull_image",
    "push",
    "resolve_image",
]
