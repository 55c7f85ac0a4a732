# SPDX-License-Identifier: MIT
"""Pushing: revisions go to a remote, oldest first, and last of all its channel follows, by a signed pointer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.errors import ConfigError, PyContainerError, TrustError
from orchestrator.oci import Store
from orchestrator.oci.copying import Moved, descriptor_of
from orchestrator.remotes.ancestry import comes_from, parents_in, walk
from orchestrator.remotes.fetching import DivergedError
from orchestrator.remotes.looking import forgotten_on_failure
from orchestrator.remotes.naming import Channel, is_users, root_number
from orchestrator.remotes.peer import Standing
from orchestrator.remotes.sealing import seal_sources
from orchestrator.remotes.work import Work, accept, bring_pointer
from orchestrator.revision import Revision, read_revision
from orchestrator.trust import Signer, load_keys, verify_revision
from orchestrator.trust.channel import SignedPointer, issue, next_pointer, tagged_pointer
from orchestrator.trust.following import known_pointer
from orchestrator.trust.published import publish_roots
from orchestrator.trust.times import now


@dataclass(frozen=True)
class Pushed:
    """What a push did. `channel` is None when only revisions and tags went; `before` is what the channel was there."""

    revision: Revision
    channel: Channel | None
    pointer: SignedPointer | None
    before: str | None
    forced: bool
    count: int
    moved: Moved

    @property
    def unchanged(self) -> bool:
        """Whether everything was there already."""
        return self.count == 0 and self.moved.bytes == 0 and (self.channel is None or self.before == self.revision.id)


@dataclass(frozen=True)
class Looked:
    """What a channel is at a remote, before a revision is pushed to it: its standing, and the pointer there.

    `counts` says whether that pointer verifies; `forward` whether the revision comes from all that is there.
    """

    standing: Standing
    there: SignedPointer | None
    counts: bool
    forward: bool

    @property
    def before(self) -> str | None:
        """The revision that the channel is there."""
        return self.there.pointer.revision if self.there else self.standing.head


def look_at(work: Work, channel: Channel, revision: Revision, *, force: bool = False) -> Looked:
    """Return what a channel is at the remote now, and send nothing.

    Raises DivergedError (exit code 7) when it has what the revision does not come from, unless `force`; TrustError for
    a revision, or a channel there, that is not signed as required.
    """
    _verify(work, revision)
    standing = work.peer.standing(channel)
    there, counts = _pointer_there(work, channel, standing.pointer, force=force)
    found = Looked(standing, there, counts, True)
    # A head may be ahead of its pointer: committed, not pushed.
    for each in dict.fromkeys((found.before, standing.head)):
        if each is not None and not comes_from(revision.id, each, parents_in(work.store)):
            found = replace(found, forward=False)
            if not force:
                raise _refused(work, channel, revision, each, published=each == found.before)
    return found


def push_channel(
    work: Work,
    channel: Channel,
    revision: Revision,
    signers: Sequence[Signer],
    *,
    force: bool = False,
    looked: Looked | None = None,
) -> Pushed:
    """Send a revision and what it comes from, and move the remote's channel to it.

    The pointer that stands for it here is sent when it is newer than the remote's, else one is issued and signed by
    `signers`. `looked` is what the channel was when it was looked at, if it was. Raises what `look_at` does, and
    DivergedError for a channel that has moved since.
    """
    found = looked or look_at(work, channel, revision, force=force)
    there, before = found.there, found.before
    if there is not None and found.counts:
        accept(work, channel, there)  # the next one must be numbered after it
    count, moved = _send_history(work, revision.id)
    stays = there is not None and found.counts and before == revision.id
    pointer = there if there is not None and stays else _own_pointer(work, channel, revision, signers)
    if there is None or pointer.manifest.digest != there.manifest.digest:
        moved += work.peer.send(work.store, revision.id, work.tell)  # the pointer is attached to it
        manifest = pointer.manifest.digest
        if not work.peer.set_channel(work.store, channel, manifest, revision.id, instead_of=found.standing):
            raise DivergedError(
                f"{channel} at {work.remote} was moved meanwhile",
                "somebody else has pushed to it since this push began",
                "pull, and push again",
            )
    _remember(work, channel, pointer, revision)
    return Pushed(revision, channel, pointer, before, not found.forward, count, moved)


def push_revision(work: Work, revision: Revision, tags: Sequence[str] = ()) -> Pushed:
    """Send a revision and what it comes from, and let users' tags stand for it; no channel moves."""
    _verify(work, revision)
    count, moved = _send_history(work, revision.id)
    for tag in tags:
        work.peer.set_tag(work.store, tag, revision.id)
    return Pushed(revision, None, None, None, False, count, moved)


def push_roots(work: Work) -> list[int]:
    """Send the root documents that are here; returns their numbers."""
    chain = load_keys(work.trusted.product).chain
    if chain is not None:
        publish_roots(work.store, chain)
    found = {number: each for name, each in work.store.tags().items() if (number := root_number(name)) is not None}
    for number, each in sorted(found.items()):
        work.peer.set_root(work.store, number, each.digest)
    return sorted(found)


def _verify(work: Work, revision: Revision) -> None:
    role = work.trusted.revision
    verify_revision(work.store, revision, role.keys, role.threshold, product=work.trusted.product, blobs=False)


def _pointer_there(
    work: Work, channel: Channel, digest: str | None, *, force: bool
) -> tuple[SignedPointer | None, bool]:
    """Bring the remote's pointer, and return it with whether it verifies.

    One that does not is taken as what the next pointer comes after, when it is the one that was accepted here before:
    keys and thresholds change, and time passes, and it is this push that replaces it. Any other one is refused; with
    `force` it counts for nothing.
    """
    if digest is None:
        return None, False
    seen = known_pointer(work.store, channel.name, channel.machine)
    try:
        with forgotten_on_failure(work.store):
            return bring_pointer(work, channel, digest), True
    except TrustError as problem:
        if seen is not None and seen.manifest.digest == digest:
            work.say(f"{channel.name} at {work.remote} is signed anew: {problem.why}")
            return seen, False
        if not force:
            raise
        work.say(f"what {work.remote} says of {channel.name} counts for nothing: {problem.why}")
        return None, False


def _refused(work: Work, channel: Channel, revision: Revision, before: str, *, published: bool) -> DivergedError:
    if not published:
        why = f"its head, {before[7:19]}, was committed there and is not published yet"
        hint = "push it from there first, and pull; or give it up: pycontainer push --force"
    elif not work.store.has_blob(before):
        why, hint = f"it has revision {before[7:19]}, which is not here", "pull first: pycontainer pull"
    elif comes_from(before, revision.id, parents_in(work.store)):
        why = f"revision {revision.short} comes before what it has, {before[7:19]}"
        hint = "go back by a new revision (pycontainer revert), or set it back: pycontainer push --force"
    else:
        why = f"revision {revision.short} does not come from what it has, {before[7:19]}"
        hint = "pull and build on that; or give theirs up: pycontainer push --force"
    return DivergedError(f"{channel} at {work.remote} would lose revisions", why, hint)


def _send_history(work: Work, head: str) -> tuple[int, Moved]:
    """Send a revision and those that it comes from which the remote lacks, oldest first."""
    parents = parents_in(work.store)
    order = []
    for digest in walk(head, parents, lambda digest: digest != head and work.peer.has(digest)):
        if digest == head:
            if not work.peer.has(digest):
                order.append(digest)
        elif parents(digest) is None:
            work.say(f"revision {digest[7:19]} is not here: the history begins after it")
        elif lacking := _lacking(work.store, digest):
            work.say(f"revision {digest[7:19]} is left out: {lacking} of its blobs are not here any more")
        else:
            order.append(digest)
    moved = Moved()
    seal_sources(work.store, {*order, head}, _source_signers(work), work.trusted.for_sources)
    for number, digest in enumerate(reversed(order), 1):
        if len(order) > 1:
            work.say(f"revision {digest[7:19]}, {number} of {len(order)}")
        moved += work.peer.send(work.store, digest, work.tell)
    if not order:  # what was attached since: signatures, documents
        moved += work.peer.send(work.store, head, work.tell)
    return len(order), moved


def _source_signers(work: Work) -> list[Signer]:
    keys = load_keys(work.trusted.product)
    role = keys.role("revision")
    return keys.signers() if any(key.private and role.has(key.public.keyid) for key in keys.keys) else []


def _lacking(store: Store, digest: str) -> int:
    return sum(not store.has_blob(blob.digest, blob.size) for blob in read_revision(store, digest).blobs())


def _own_pointer(work: Work, channel: Channel, revision: Revision, signers: Sequence[Signer]) -> SignedPointer:
    """Return the pointer that is to be published: the one that was issued here for it, else a new one."""
    own = tagged_pointer(work.store, channel.pointer)
    seen = known_pointer(work.store, channel.name, channel.machine)
    if own is not None and own.pointer.revision == revision.id:
        newer = seen is None or own.pointer.version > seen.pointer.version or own.manifest == seen.manifest
        if newer and _counts(work, own):
            return own
    if not signers:
        raise TrustError(
            f"nobody here can sign where {channel} is to point",
            "no private key of the product is on this machine",
            "push where it is, or push the revision alone: pycontainer push REMOTE REVISION",
        )
    pointer = next_pointer(work.store, revision, channel.name, now=now())
    return issue(work.store, pointer, signers)


def _counts(work: Work, own: SignedPointer) -> bool:
    role = work.trusted.channel
    return len(own.envelope.valid_keys(role.keys)) >= role.threshold


def _remember(work: Work, channel: Channel, pointer: SignedPointer, revision: Revision) -> None:
    """Note what the remote has now; that a pointer was seen is worth keeping, but no reason to call the push failed."""
    store = work.store
    try:
        accept(work, channel, pointer)
    except PyContainerError as problem:
        work.say(f"the pointer is published, and not kept as seen: {problem.why}")
    store.move(channel.seen(work.remote), descriptor_of(store, revision.id))


def check_tags_there(work: Work, tags: Mapping[str, str], *, force: bool) -> None:
    """Raise ConfigError when a tag, with the digest it is to have, stands for something else at the remote.

    With `force` it may be moved.
    """
    for tag, digest in tags.items():
        there = None if force else work.peer.tagged(tag)
        if there not in (None, digest):
            raise ConfigError(
                f"the tag {tag} is at {work.remote} already",
                f"it stands for {(there or '')[7:19]} there, and here for {digest[7:19]}",
                "choose another name, or move it: --force",
            )


def check_tag(store: Store, tag: str) -> None:
    """Raise ConfigError unless a tag can be pushed: registries take no slash, and some names are ours."""
    if not is_users(tag):
        raise ConfigError(
            f"{tag!r} cannot be a tag of a remote",
            "letters, digits, . _ and -, and none of our own names",
            "choose another",
        )
