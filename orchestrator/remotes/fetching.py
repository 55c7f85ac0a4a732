# SPDX-License-Identifier: MIT
"""Fetching and pulling: what a remote has new comes here, and the local channel follows when it leads forward.

The order is that of trust: the signed pointer first, then the revision's signature, then its bytes, then the revisions
that it comes from, oldest first; names move last. So whatever instant it ends, no name stands for what is not whole and
verified, and what has come is not fetched again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Sequence
from dataclasses import dataclass

from orchestrator.errors import ConfigError, TrustError
from orchestrator.history.names import check_tag
from orchestrator.history.source import SOURCE_TYPE
from orchestrator.oci import Store
from orchestrator.oci.copying import Moved, descriptor_of
from orchestrator.remotes.ancestry import comes_from, count_between, known, parents_in, walk
from orchestrator.remotes.looking import bring_as, forgotten_on_failure, glimpse, known_parents
from orchestrator.remotes.naming import Channel
from orchestrator.remotes.peer import Listing, Peer
from orchestrator.remotes.releasing import bring_tagged, fetch_releases, take_releases
from orchestrator.remotes.sealing import drop_unsealed
from orchestrator.remotes.trusted import trusted_here
from orchestrator.remotes.work import Work, accept, bring_pointer
from orchestrator.revision import Revision, read_revision, revisions
from orchestrator.trust import load_keys, verify_revision
from orchestrator.trust.channel import SignedPointer
from orchestrator.trust.following import check_revision
from orchestrator.trust.published import ROOT_TYPE, accept_roots


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
        _follow_roots(work, listing)
        found = [_fetch(work, listing, each, depth) for each in channels]
        fetch_releases(work, listing, {each.channel: each.revision.id for each in found})
        _bring_tags(work, listing, found)
        return found


def _bring_tags(work: Work, listing: Listing, fetched: Sequence[Fetched]) -> None:
    """Take over the tags of what came, but for those that mean something else here."""
    store = work.store
    history = known(parents_in(store), [each.revision.id for each in fetched])
    wanted: dict[str, str] = {}
    for name, digest in listing.tags.items():
        own = store.resolve(name)
        if own is not None:
            if own.digest != digest:
                work.say(f"the tag {name} is another one here: it stays")
        elif digest in history or _is_tagged_release(work, listing, name, history):
            wanted[name] = digest
    machines = dict.fromkeys(each.channel.machine for each in fetched)
    with store.together():
        for name, digest in wanted.items():
            with contextlib.suppress(ConfigError):  # a name that none of ours may have
                for machine in machines:
                    check_tag(name, store, machine)
                if store.resolve(name) is None:
                    store.tag(name, descriptor_of(store, digest))


def _is_tagged_release(work: Work, listing: Listing, name: str, history: Container[str]) -> bool:
    """Whether a tag stands for a release of what is here now; then its index is here too."""
    digest = listing.tags[name]
    if digest in listing.revisions or name in listing.releases:
        return False
    return bring_tagged(work, name, digest, history)


def bring_roots(peer: Peer, listing: Listing, store: Store) -> dict[int, str]:
    """Bring a remote's root documents, nothing verified; returns their manifests' digests by number, in order."""
    for digest in listing.roots.values():
        if not store.has_blob(digest):
            bring_as(peer, store, digest, ROOT_TYPE)
    return dict(sorted(listing.roots.items()))


def _follow_roots(work: Work, listing: Listing) -> None:
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


def _fetch(work: Work, listing: Listing, channel: Channel, depth: int | None) -> Fetched:
    store, trusted = work.store, work.trusted
    last = store.resolve(channel.seen(work.remote))
    with forgotten_on_failure(store):
        pointer = _pointer(work, listing, channel)
        target = pointer.pointer.revision if pointer else listing.heads[channel]
        named = _named(store)
        own = {entry.digest for entry in store.referrers(target, SOURCE_TYPE)} if target in named else set()
        revision = glimpse(work.peer, store, target)
        config = revision.config
        if (config.product, config.machine) != (trusted.product, channel.machine):
            raise TrustError(
                f"{channel} of the remote is something else",
                f"{config.product} for {config.machine}; wanted is {trusted.product} for {channel.machine}",
                "check the remote: pycontainer remote ls",
            )
        if pointer:
            check_revision(pointer.pointer, config.product, config.machine, config.security_version)
        report = verify_revision(
            store, revision, trusted.revision.keys, trusted.revision.threshold, product=trusted.product, blobs=False
        )
        brought, moved = _bring_history(work, revision.id, named, depth)
        if pointer and not store.has_blob(pointer.manifest.digest):
            moved += work.peer.bring(pointer.manifest.digest, store, work.tell)
        if drop_unsealed(store, [*brought, revision.id], trusted.for_sources, own):
            work.say("sources that the product's keys did not sign were not taken")
        with store.together():
            store.move(channel.seen(work.remote), revision.descriptor)
            for digest in brought:
                store.pack(digest)
    before = last.digest if last else None
    return Fetched(channel, revision, pointer, before, tuple(report.keyids), len(brought), moved)


def _pointer(work: Work, listing: Listing, channel: Channel) -> SignedPointer | None:
    """Bring a channel's pointer and verify it; None where the remote has only a head, whose own signature counts."""
    digest = listing.pointers.get(channel)
    if digest is None:
        return None
    return bring_pointer(work, channel, digest)


def _named(store: Store) -> set[str]:
    """Return the revisions that a name leads to. Another is what a fetch left that was killed: as good as not here."""
    tagged = {entry.digest for entry in store.tags().values()}
    return known(parents_in(store), [entry.digest for entry in revisions(store) if entry.digest in tagged])


def _bring_history(work: Work, head: str, here: set[str], depth: int | None) -> tuple[list[str], Moved]:
    """Bring a revision and those that it comes from, oldest first, but for `here`, whose ancestors are here too."""
    parents = known_parents(work.peer, work.store)
    order: list[str] = []
    # A depth that was asked for is counted from the head, so that it also deepens a history that is not whole here.
    for number, digest in enumerate(walk(head, parents, lambda digest: depth is None and digest in here)):
        if depth is not None and number >= depth:
            if digest not in here:
                work.say(f"the history ends before {digest[7:19]}: --depth {depth}")
            break
        if digest in here:
            continue
        if digest != head and not work.peer.has(digest):
            work.say(f"the remote does not have revision {digest[7:19]}: the history begins after it")
            continue
        order.append(digest)
    moved = Moved()
    for number, digest in enumerate(reversed(order), 1):
        if len(order) > 1:
            work.say(f"revision {digest[7:19]}, {number} of {len(order)}")
        moved += work.peer.bring(digest, work.store, work.tell)
    if not order:  # nothing but what was attached to it since
        moved += work.peer.bring(head, work.store, work.tell)
    read_revision(work.store, head)
    return order, moved


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
        f"{fetched.channel.name} has gone two ways",
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
