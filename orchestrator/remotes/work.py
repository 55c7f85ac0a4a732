# SPDX-License-Identifier: MIT
"""What all steps of a fetch or a push share, and what a channel's pointer at the other end is worth to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.oci import Store
from orchestrator.oci.copying import Tell
from orchestrator.remotes.looking import bring_as
from orchestrator.remotes.naming import Channel
from orchestrator.remotes.peer import Peer
from orchestrator.remotes.trusted import Trusted
from orchestrator.revision import Release
from orchestrator.trust.channel import POINTER_TYPE, SignedPointer, read_pointer
from orchestrator.trust.following import accept_pointer, known_pointer, time_floor, verify_pointer

Say = Callable[[str], None]


@dataclass
class Work:
    """What all steps of one command share: the other end by the name it has here, the store, whom one believes."""

    peer: Peer
    remote: str
    store: Store
    trusted: Trusted
    tell: Tell = field(default=lambda done, total: None)
    say: Say = field(default=lambda text: None)
    releases: dict[str, Release] = field(default_factory=dict)
    """Those of channels that were fetched, verified, by the channel's name."""
    taken: dict[str, Release] = field(default_factory=dict)
    """Those of them that are the channels' own here now."""


def bring_pointer(work: Work, channel: Channel, digest: str) -> SignedPointer:
    """Bring what a channel of the remote stands for, and verify it against what was seen of it before.

    Raises TrustError for what is no pointer, is not signed as required, or leads back.
    """
    bring_as(work.peer, work.store, digest, POINTER_TYPE)
    found = read_pointer(work.store, digest)
    verify_pointer(
        found,
        work.trusted.channel,
        product=work.trusted.product,
        machine=channel.machine,
        channel=channel.name,
        seen=known_pointer(work.store, channel.name, channel.machine),
        time=time_floor(work.store, work.trusted.product, work.trusted.channel, work.trusted.times),
    )
    return found


def accept(work: Work, channel: Channel, pointer: SignedPointer) -> None:
    """Remember a pointer of the remote as seen; raises TrustError as `bring_pointer` does."""
    accept_pointer(
        work.store,
        pointer.manifest.digest,
        work.trusted.channel,
        product=work.trusted.product,
        machine=channel.machine,
        channel=channel.name,
        times=work.trusted.times,
    )
