# SPDX-License-Identifier: MIT
"""Letting a channel stand for a revision that is there: its head moves, and a new pointer says so to others."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.errors import ConfigError
from orchestrator.history.graph import Graph
from orchestrator.history.names import Names
from orchestrator.history.record import move_head
from orchestrator.trust import ProductKeys, SignedPointer, issue, next_pointer, publish_roots, verify_revision


def promote(
    names: Names,
    keys: ProductKeys,
    channel: str,
    name: str,
    *,
    now: str,
    floor: int | None = None,
    security_version: int | None = None,
    expires: str | None = None,
    force: bool = False,
) -> SignedPointer:
    """Issue the next pointer of a channel for the revision of a name, and move the channel's head there.

    Raises ConfigError when the head does not lead to it (without `force`), UnverifiedError when it is not signed as
    required, TrustError when those who follow the channel would refuse the pointer. The head is then where it was.
    """
    store = names.store
    signers = keys.signers("channel")  # may ask for a passphrase: not while others wait
    with store.together():
        revision = names.load(name)
        verify_revision(store, revision, keys.public_keys(), keys.threshold, product=keys.product, blobs=False)
        target = replace(names, channel=channel)
        head = target.head()
        if head is not None and not force and not Graph(store).is_ancestor(head.digest, revision.id):
            raise ConfigError(
                f"channel {channel} would lose revisions",
                f"its head {head.digest[7:19]} is no ancestor of {revision.short}",
                "revert what is wrong instead (pycontainer revert), or add --force",
            )
        pointer = next_pointer(
            store, revision, channel, now=now, floor=floor, security_version=security_version, expires=expires
        )
        if keys.chain is not None:
            publish_roots(store, keys.chain)
        found = issue(store, pointer, signers)
        if head is None or head.digest != revision.id:
            move_head(target, revision)
    return found
