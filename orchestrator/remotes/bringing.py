# SPDX-License-Identifier: MIT
"""Bringing a revision and those that it comes from: who signed it is asked before its bytes come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.errors import TrustError
from orchestrator.history.source import SOURCE_TYPE
from orchestrator.oci import Store
from orchestrator.oci.copying import Moved
from orchestrator.remotes.ancestry import known, parents_in, walk
from orchestrator.remotes.looking import glimpse, known_parents
from orchestrator.remotes.sealing import drop_unsealed
from orchestrator.remotes.work import Work
from orchestrator.revision import Revision, read_revision, revisions
from orchestrator.trust import verify_revision


@dataclass(frozen=True)
class Brought:
    """A revision that is whole here: who signed it, and `digests` of the revisions that came, oldest first."""

    revision: Revision
    keyids: tuple[str, ...]
    digests: tuple[str, ...]
    moved: Moved


def bring_revision(
    work: Work,
    target: str,
    machine: str,
    depth: int | None = None,
    *,
    what: str,
    check: Callable[[Revision], None] = lambda revision: None,
) -> Brought:
    """Bring a revision for a machine and its history, `depth` revisions at most; naming it is the caller's.

    `what` is how messages call it, `check` may refuse it before its bytes come. Raises TrustError for what is another
    product's or machine's, or is not signed as required. Sources that the product's keys did not sign are not taken.
    """
    store, trusted = work.store, work.trusted
    named = _named(store)
    own = {entry.digest for entry in store.referrers(target, SOURCE_TYPE)} if target in named else set()
    revision = glimpse(work.peer, store, target)
    config = revision.config
    if (config.product, config.machine) != (trusted.product, machine):
        raise TrustError(
            f"{what} of the remote is something else",
            f"{config.product} for {config.machine}; wanted is {trusted.product} for {machine}",
            "check the remote: pycontainer remote ls",
        )
    check(revision)
    role = trusted.revision
    report = verify_revision(store, revision, role.keys, role.threshold, product=trusted.product, blobs=False)
    brought, moved = _bring_history(work, revision.id, named, depth)
    if drop_unsealed(store, [*brought, revision.id], trusted.for_sources, own):
        work.say("sources that the product's keys did not sign were not taken")
    return Brought(revision, tuple(report.keyids), tuple(brought), moved)


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
