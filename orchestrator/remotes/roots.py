# SPDX-License-Identifier: MIT
"""Root documents of a remote: brought, and followed where this machine knows the product's first one."""

from __future__ import annotations

from orchestrator.oci import Store
from orchestrator.remotes.looking import bring_as, forgotten_on_failure
from orchestrator.remotes.peer import Listing, Peer
from orchestrator.remotes.trusted import trusted_here
from orchestrator.remotes.work import Work
from orchestrator.trust import load_keys
from orchestrator.trust.published import ROOT_TYPE, accept_roots


def bring_roots(peer: Peer, listing: Listing, store: Store) -> dict[int, str]:
    """Bring a remote's root documents, nothing verified; returns their manifests' digests by number, in order."""
    for digest in listing.roots.values():
        if not store.has_blob(digest):
            bring_as(peer, store, digest, ROOT_TYPE)
    return dict(sorted(listing.roots.items()))


def follow_roots(work: Work, listing: Listing) -> None:
    """Follow the product's root documents where this machine knows one; each is checked by the one before."""
    product = work.trusted.product
    if not listing.roots:
        return
    if load_keys(product).chain is None:
        work.say(f"{product} has root documents, and this machine none of them; to take them: pycontainer trust import")
        return
    with forgotten_on_failure(work.store):
        accept_roots(work.store, bring_roots(work.peer, listing, work.store).values(), product)
    work.trusted = trusted_here(load_keys(product))
