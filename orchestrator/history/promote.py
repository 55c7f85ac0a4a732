# SPDX-License-Identifier: MIT
"""Letting a channel stand for a revision that is there: its head moves, and a new pointer says so to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.errors import ConfigError
from orchestrator.history.graph import Graph
from orchestrator.history.names import Names
from orchestrator.history.record import move_head
from orchestrator.history.releases import Grouped, renew
from orchestrator.history.several import meant
from orchestrator.revision import Revision
from orchestrator.trust import ProductKeys, SignedPointer, Signer, issue, next_pointer, publish_roots, verify_revision


@dataclass(frozen=True)
class Promoted:
    """The pointers that were issued, one a machine, and the release that the channel has now.

    `absent` are machines that have nothing under the name; their channel is as it was.
    """

    pointers: tuple[SignedPointer, ...]
    grouped: Grouped | None
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Terms:
    """What new pointers say besides the revision; `now` is this machine's time, None keeps what there is."""

    now: str
    floor: int | None = None
    security_version: int | None = None
    expires: str | None = None


def promote(
    names: Names,
    keys: ProductKeys,
    channel: str,
    name: str,
    terms: Terms,
    *,
    machines: Sequence[str],
    asked: str | None = None,
    force: bool = False,
) -> Promoted:
    """Issue the next pointers of a channel for the revisions of a name, and move the channel's heads there.

    A channel or a release moves all machines of the product, or none; `asked` is the machine that was asked for. Raises
    ConfigError when a head does not lead to its revision (without `force`), UnverifiedError when one is not signed as
    required, TrustError when those who follow the channel would refuse a pointer. The heads are then where they were.
    """
    store = names.store
    signers = keys.signers("channel")  # may ask for a passphrase: not while others wait
    role = keys.role("revision")
    here = any(key.private and role.has(key.public.keyid) for key in keys.keys)
    grouping = keys.signers() if here and len(machines) > 1 else []
    with store.together():
        what = meant(names, name, machines, asked)
        for revision in what.revisions:
            if asked and revision.config.machine != asked:
                raise ConfigError(
                    f"revision {revision.short} is for {revision.config.machine}",
                    f"the channel {channel} of {asked} was to stand for it",
                    f"leave --machine out, or name a revision for {asked}",
                )
        if keys.chain is not None:
            publish_roots(store, keys.chain)
        found = [_move(names, keys, channel, each, signers, terms, force) for each in what.revisions]
        grouped = renew(store, machines, channel, keys, grouping)
    return Promoted(tuple(found), grouped, what.absent)


def _move(
    names: Names,
    keys: ProductKeys,
    channel: str,
    revision: Revision,
    signers: Sequence[Signer],
    terms: Terms,
    force: bool,
) -> SignedPointer:
    store = names.store
    verify_revision(store, revision, keys.public_keys(), keys.threshold, product=keys.product, blobs=False)
    target = replace(names, channel=channel, machine=revision.config.machine)
    head = target.head()
    if head is not None and not force and not Graph(store).is_ancestor(head.digest, revision.id):
        raise ConfigError(
            f"channel {channel} would lose revisions",
            f"its head {head.digest[7:19]} is no ancestor of {revision.short}",
            "revert what is wrong instead (pycontainer revert), or add --force",
        )
    pointer = next_pointer(
        store, revision, channel, now=terms.now, floor=terms.floor, security_version=terms.security_version,
        expires=terms.expires,
    )  # fmt: skip
    found = issue(store, pointer, signers)
    if head is None or head.digest != revision.id:
        move_head(target, revision)
    return found
