# SPDX-License-Identifier: MIT
"""Releases of a product with several machines: one index over the heads of a channel, signed as they are.

The tag `release/<channel>` stands for it. It is made of the heads alone, so that all who have the same heads make the
same one, and those who sign it one after the other sign the same. While signatures are missing it has no tag; the last
whole one keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.errors import TrustError
from orchestrator.history.names import Names, channel_tag, release_of, release_tag
from orchestrator.history.record import Recorded, commit_candidate, nothing_to_commit, unsigned
from orchestrator.history.several import Meant, channel_named
from orchestrator.oci import Descriptor, Store
from orchestrator.revision import Release, candidate_tag, check_release, make_release, read_revision
from orchestrator.trust import ProductKeys, Signer, UnverifiedError, sign_release, sign_revision, verify_release


@dataclass(frozen=True)
class Grouped:
    """The release of a channel's heads, and what it waits for: empty when it is signed as required and has its tag."""

    channel: str
    release: Release
    waits: str = ""


@dataclass(frozen=True)
class Committed:
    """What was recorded, one for each machine that had something new, and the release.

    `unbuilt` are machines that were left as they were: a commit's have no candidate.
    """

    recorded: tuple[Recorded, ...]
    grouped: Grouped | None
    unbuilt: tuple[str, ...] = ()


def commit_all(
    store: Store,
    machines: Sequence[str],
    channel: str,
    keys: ProductKeys,
    message: str,
    *,
    allow_empty: bool = False,
    among: Sequence[str] = (),
) -> Committed:
    """Add the candidates of machines to a channel, all or none of them, and renew the channel's release.

    Machines whose candidate is the head already are left as they are. `among` are all machines of the product, whose
    heads the release has, when that are more. Raises ConfigError when nothing has changed for any of them, and what
    `record.commit` raises. While one waits for signatures of others, none of the heads moves.
    """
    with store.together():
        built = [each for each in machines if store.resolve(candidate_tag(each)) is not None]

        def commit(names: Names) -> Recorded | None:
            return commit_candidate(names, keys, message, allow_empty=allow_empty)

        work = dict.fromkeys(built or machines[:1], commit)
        done = record_all(store, channel, keys, work, among or machines)
        if done is None:
            raise nothing_to_commit(Names(store, built[0], channel))
    return replace(signed_all(done), unbuilt=tuple(each for each in machines if each not in built))


def record_all(
    store: Store,
    channel: str,
    keys: ProductKeys,
    work: Mapping[str, Callable[[Names], Recorded | None]],
    among: Sequence[str],
) -> Committed | None:
    """Record a revision for each of several machines, and renew the channel's release; None when none had anything.

    `work` is what is done for a machine, None when there is nothing to do; `among` are all machines of the product.
    While one waits for signatures of others, none of the heads moves; see `signed_all`.
    """
    with store.together():
        before = {each: store.resolve(channel_tag(channel, each)) for each in work}
        recorded = [done for each, do in work.items() if (done := do(Names(store, each, channel))) is not None]
        if any(each.waits for each in recorded):
            for each in recorded:
                machine = each.revision.config.machine
                _set_back(store, channel_tag(channel, machine), before[machine])
            return Committed(tuple(recorded), None)
        return Committed(tuple(recorded), renew(store, among, channel, keys)) if recorded else None


def signed_all(done: Committed) -> Committed:
    """Return what was recorded; raises TrustError when the heads did not move for lack of signatures."""
    if waiting := [each for each in done.recorded if each.waits]:
        raise unsigned(waiting)
    return done


def _set_back(store: Store, tag: str, before: Descriptor | None) -> None:
    """Let a tag stand for what it stood for; what it stands for now stays in the index, so that others can sign it."""
    if before is not None:
        store.move(tag, before)
    else:
        store.index.untag(tag, keep=True)


def current(store: Store, machines: Sequence[str], channel: str) -> Release | None:
    """Return the release of a channel's heads, in the order of the machines; None for a product with one machine.

    Its index is written, and has no entry. None too when nothing was committed to the channel, and while heads are of
    two products: one was given another name, and not all machines were built since.
    """
    heads = [head for each in machines if (head := store.resolve(channel_tag(channel, each))) is not None]
    if len(machines) < 2 or not heads:
        return None
    found = [read_revision(store, head.digest) for head in heads]
    if len({each.config.product for each in found}) > 1:
        return None
    return make_release(store, found)


def renew(
    store: Store, machines: Sequence[str], channel: str, keys: ProductKeys, signers: Sequence[Signer] | None = None
) -> Grouped | None:
    """Let a channel's release be that of its heads, signed by `signers` (None: the revisions' keys that are here).

    Returns None when there is none (see `current`). One that enough keys signed already is not signed again. Raises
    TrustError when it must be, and no key is here; not when `signers` is empty.
    """
    with store.together():
        release = current(store, machines, channel)
        if release is None:
            return None
        if _lacks(store, release, keys) and (signers is None or signers):
            sign_release(store, release, keys.signers() if signers is None else signers)
        return settle(store, release, channel, keys)


def settle(store: Store, release: Release, channel: str, keys: ProductKeys) -> Grouped:
    """Give a release of heads its tag when it is signed as required; else it only has an entry, so as to be signed."""
    with store.together():
        waits = _lacks(store, release, keys)
        if waits:
            store.index.add(release.descriptor)
        else:
            store.pack(release.id)
            store.tag(release_tag(channel), release.descriptor)
    return Grouped(channel, release, waits)


def _lacks(store: Store, release: Release, keys: ProductKeys) -> str:
    """Return how many signatures a release lacks, in words; empty when it verifies."""
    try:
        verify_release(store, release.id, keys.public_keys(), keys.threshold, product=keys.product)
    except UnverifiedError as problem:
        if not problem.lacks_signatures:
            raise
        return problem.report.steps[-1].detail
    return ""


def release_named(names: Names, name: str, machines: Sequence[str]) -> Release | None:
    """Return the release that a name means, or None: it means a revision.

    A name is a tag that stands for a release; or, where the product has several machines, a channel that has one, or
    HEAD: the channel of `names`.
    """
    if (found := names.release(name)) is not None:
        return found
    channel = channel_named(names, name, machines) if len(machines) > 1 else ""
    return names.release(release_tag(channel)) if channel else None


def release_meant(
    what: Meant, names: Names, machines: Sequence[str], keys: ProductKeys, signers: Sequence[Signer] | None = None
) -> Release | None:
    """Return the release that was meant: one by its name, or that of a channel's heads as they are now; else None.

    Raises TrustError for one that waits for signatures. `signers` are as for `renew`.
    """
    grouped = renew(names.store, machines, what.channel, keys, signers) if what.channel else None
    if grouped is not None and grouped.waits:
        raise TrustError(
            f"the release of {what.channel} waits for signatures",
            grouped.waits,
            f"sign it: pycontainer sign {what.channel}; or choose one machine: --machine {machines[0]}",
        )
    return grouped.release if grouped else what.release


def release_to_tag(names: Names, name: str, machines: Sequence[str], keys: ProductKeys) -> Release | None:
    """Return the release that a tag is to stand for: of a channel, that of its heads as they are now.

    None where the name means a revision. Raises TrustError for one that waits for signatures.
    """
    if (found := names.release(name)) is not None:
        return found
    channel = channel_named(names, name, machines) if len(machines) > 1 else ""
    grouped = renew(names.store, machines, channel, keys) if channel else None
    if grouped is not None and grouped.waits:
        raise TrustError(
            f"the release of {channel} waits for signatures", grouped.waits, f"sign it: pycontainer sign {channel}"
        )
    return grouped.release if grouped else None


def sign_named(
    names: Names, name: str, machines: Sequence[str], keys: ProductKeys, signers: Sequence[Signer]
) -> Grouped | None:
    """Sign the release that a name means, and its revisions; None where it means a revision."""
    store = names.store
    with store.together():
        release, channel = names.release(name), channel_named(names, name, machines)
        if release is None and channel:
            release = current(store, machines, channel)  # None for one machine
        if release is None:
            return None
        found = check_release(store, release)  # before anybody's name stands under it
        if release.product != keys.product:
            raise TrustError(
                f"release {release.short} is of product {release.product}", f"this is {keys.product}", "sign it there"
            )
        sign_release(store, release, signers)
        for each in found:
            sign_revision(store, each, signers)
        if channel and names.release(name) is None:
            return settle(store, release, channel, keys)
        return Grouped(channel, release, _lacks(store, release, keys))


def behind(store: Store, release: Release) -> dict[str, str]:
    """Return the machines whose head has left the release of their channel behind, each with that head."""
    found: dict[str, str] = {}
    for name, entry in store.tags().items():
        channel = release_of(name)
        if channel is None or entry.digest != release.id:
            continue
        for machine, revision in release.machines.items():
            head = store.resolve(channel_tag(channel, machine))
            if head is not None and head.digest != revision:
                found[machine] = head.digest
    return found
