# SPDX-License-Identifier: MIT
"""Fetching and pulling: what a remote has new comes here, and the local channel follows when it leads forward.

The order is that of trust: the signed pointer first, then the revision's signature, then its bytes, then the revisions
that it comes from, oldest first; names move last. So whatever instant it ends, no name stands for what is not whole and
verified, and what has come is not fetched again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.errors import ConfigError, TrustError
from orchestrator.oci import Store
from orchestrator.oci.copying import Moved
from orchestrator.remotes.ancestry import comes_from, count_between, parents_in, walk
from orchestrator.remotes.bringing import bring_revision
from orchestrator.remotes.looking import forgotten_on_failure
from orchestrator.remotes.naming import Channel
from orchestrator.remotes.peer import Listing
from orchestrator.remotes.releasing import fetch_releases, take_releases
from orchestrator.remotes.roots import follow_roots
from orchestrator.remotes.tags import bring_tags
from orchestrator.remotes.work import Work, accept, bring_pointer
from orchestrator.revision import Revision
from orchestrator.trust.channel import SignedPointer
from orchestrator.trust.following import check_revision


class DivergedError(TrustError):
    """Here and there have both gone on from a common revision; neither comes from the other."""


@dataclass(frozen=True)
class Fetched:
    """A channel of a remote as it is now: what it was when last seen here, and how many revisions came."""

    channel: Channel
    revision: Revision
    pointer: SignedPointer | None
    before: str | None
    signed_by: tuple[str, ...]
    count: int
    moved: Moved


@dataclass(frozen=True)
class Pulled:
    """What a pull did to the local channel: `outcome` is new, forward, same, ahead, or reset."""

    fetched: Fetched
    outcome: str
    head: str
    ahead: int = 0


def wanted_channels(listing: Listing, machine: str, names: Sequence[str] = ()) -> list[Channel]:
    """Return the channels of a machine that a remote has, or those of `names`; raises ConfigError for what it lacks."""
    there = sorted({*listing.pointers, *listing.heads})
    found = [each for each in there if each.machine == machine and (not names or each.name in names)]
    lacking = [name for name in names if name not in {each.name for each in found}]
    if lacking or not found:
        what = f"channel {lacking[0]}" if lacking else "channel"
        raise ConfigError(
            f"the remote has no {what} for {machine}" if machine else f"the remote has no {what}",
            f"it has {', '.join(map(str, there))}" if there else "it has no channel at all",
            "choose one of them, or another --machine"
            if there
            else "check the name, or let somebody who has the product push to it: pycontainer push",
        )
    return found


def wanted_of(work: Work, listing: Listing, machines: Sequence[str], names: Sequence[str] = ()) -> list[Channel]:
    """Return the channels that a remote has for a product's machines, in their order, and tell which have none.

    Raises ConfigError when it has none for any of them.
    """
    if len(machines) == 1:
        return wanted_channels(listing, machines[0], names)
    there = {*listing.pointers, *listing.heads}
    found = [each for one in machines for each in sorted(there) if each.machine == one]
    found = [each for each in found if not names or each.name in names]
    absent = [name for name in names if name not in {each.name for each in found}]
    if absent or not found:
        return wanted_channels(listing, machines[0], absent)
    for name in names or sorted({each.name for each in found}):
        lacking = [one for one in machines if Channel(name, one) not in there]
        if lacking:
            work.say(f"the remote has no {name} for {', '.join(lacking)}")
    return found


def fetch(work: Work, listing: Listing, channels: Sequence[Channel], depth: int | None = None) -> list[Fetched]:
    """Bring channels of a remote, and let `remote/<name>/...` stand for what they are now.

    `depth` is how many revisions of a history come at most, counted from its head. Raises TrustError (exit code 7) for
    what is not signed as required or leads back, FetchError (3) and TryAgainError (75) for what does not come.
    """
    with work.store.writing():
        follow_roots(work, listing)
        found = [_fetch(work, listing, each, depth) for each in channels]
        fetch_releases(work, listing, {each.channel: each.revision.id for each in found})
        bring_tags(work, listing, [(each.channel.machine, each.revision.id) for each in found])
        return found


def _fetch(work: Work, listing: Listing, channel: Channel, depth: int | None) -> Fetched:
    store = work.store
    last = store.resolve(channel.seen(work.remote))
    with forgotten_on_failure(store):
        pointer = _pointer(work, listing, channel)
        target = pointer.pointer.revision if pointer else listing.heads[channel]
        brought = bring_revision(
            work, target, channel.machine, depth, what=str(channel), check=lambda found: _agree(pointer, found)
        )
        moved = brought.moved
        if pointer and not store.has_blob(pointer.manifest.digest):
            moved += work.peer.bring(pointer.manifest.digest, store, work.tell)
        with store.together():
            store.move(channel.seen(work.remote), brought.revision.descriptor)
            for digest in brought.digests:
                store.pack(digest)
    before = last.digest if last else None
    return Fetched(channel, brought.revision, pointer, before, brought.keyids, len(brought.digests), moved)


def _agree(pointer: SignedPointer | None, revision: Revision) -> None:
    if pointer is not None:
        config = revision.config
        check_revision(pointer.pointer, config.product, config.machine, config.security_version)


def _pointer(work: Work, listing: Listing, channel: Channel) -> SignedPointer | None:
    """Bring a channel's pointer and verify it; None where the remote has only a head, whose own signature counts."""
    digest = listing.pointers.get(channel)
    if digest is None:
        return None
    return bring_pointer(work, channel, digest)


def pull(work: Work, fetched: Fetched, *, reset: bool = False) -> Pulled:
    """Let the local channel be what was fetched, when that leads forward, or with `reset` in any case.

    Raises DivergedError when the local channel has revisions that the remote's does not come from.
    """
    channel, target = fetched.channel, fetched.revision
    parents = parents_in(work.store)
    with work.store.locked():
        head = work.store.resolve(channel.head)
        here = head.digest if head else None
        if not reset and here is not None and here != target.id and not comes_from(target.id, here, parents):
            if comes_from(here, target.id, parents):
                _seen(work, fetched)
                return Pulled(fetched, "ahead", here, count_between(here, target.id, parents))
            raise _diverged(work, fetched, here)
        _seen(work, fetched)
        if here != target.id:
            work.store.move(channel.head, target.descriptor)
    outcome = "new" if here is None else "same" if here == target.id else "reset" if reset else "forward"
    return Pulled(fetched, outcome, target.id)


def pull_all(work: Work, fetched: Sequence[Fetched], *, reset: bool = False) -> list[Pulled]:
    """Pull channels that were fetched, all or none of them, and the releases that say what they are now."""
    with work.store.together():
        found = [pull(work, each, reset=reset) for each in fetched]
        take_releases(work)
    return found


def _seen(work: Work, fetched: Fetched) -> None:
    if fetched.pointer is not None:
        accept(work, fetched.channel, fetched.pointer)


def _diverged(work: Work, fetched: Fetched, here: str) -> DivergedError:
    parents = parents_in(work.store)
    target = fetched.revision.id
    ours, theirs = count_between(here, target, parents), count_between(target, here, parents)
    reached = set(walk(target, parents))
    common = next((each for each in walk(here, parents) if each in reached), None)
    since = f"since revision {common[7:19]}" if common else "and have no revision in common"
    return DivergedError(
        f"{fetched.channel} has gone two ways",
        f"{ours} revision{'s' * (ours != 1)} here ({here[7:19]}), {theirs} at {work.remote} ({target[7:19]}) {since}",
        "tag yours (pycontainer tag mine) and take theirs (pycontainer pull --reset), or replace theirs: "
        "pycontainer push --force",
    )


def forget(store: Store, remote: str) -> int:
    """Take away what was last seen of a remote; returns how many channels that were."""
    start = f"remote/{remote}/"
    with store.together():
        found = [name for name in store.tags() if name.startswith(start)]
        for name in found:
            store.index.untag(name, keep=True)
    return len(found)
