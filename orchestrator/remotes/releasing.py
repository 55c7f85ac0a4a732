# SPDX-License-Identifier: MIT
"""Releases on their way: the index over a product's machines follows its revisions, and is believed by its signature.

At a remote a channel's release has the channel's own name (`main`), so that a client which knows no more than that
gets to its machine's revision. It says what belongs together, and nothing of what is newest: that is for the channel's
pointers, and where these lead elsewhere they count.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from orchestrator.errors import ConfigError, FetchError, PyContainerError, TrustError, TryAgainError, VerificationError
from orchestrator.history.names import release_tag
from orchestrator.oci import Store
from orchestrator.oci.copying import Moved
from orchestrator.remotes.looking import bring_signatures, forgotten_on_failure
from orchestrator.remotes.naming import Channel
from orchestrator.remotes.peer import Listing, Peer
from orchestrator.remotes.work import Work
from orchestrator.revision import Release, decode_release, is_release
from orchestrator.trust import verify_release
from orchestrator.trust.following import known_pointer


def glimpse_release(peer: Peer, store: Store, digest: str) -> Release | None:
    """Bring a release's index and signatures into `store`, and no revision; None when it is something else.

    Nothing in the index of the store says that it is here. Raises FetchError for a release that is out of form.
    """
    release = _index(peer, store, digest)
    if release is not None:
        bring_signatures(peer, store, digest)
    return release


def _index(peer: Peer, store: Store, digest: str) -> Release | None:
    """Bring a release's index alone: it is small, and says whether the rest is wanted."""
    data = store.read_blob(digest) if store.has_blob(digest) else peer.document(digest)
    if not is_release(data):
        return None
    release = decode_release(data, digest, FetchError)
    store.put_blob(data, expected=digest)
    return release


def fetch_releases(work: Work, listing: Listing, fetched: Mapping[Channel, str]) -> None:
    """Bring and verify the releases of channels that were fetched, each with its revision now.

    Those that say what the channels say are noted in `work.releases`. Raises TrustError for one that does and is not
    signed as required; one that says something else, or cannot be read, is told, and counts for nothing.
    """
    for name in dict.fromkeys(channel.name for channel in fetched):
        if (digest := listing.releases.get(name)) is None:
            continue
        own = {channel.machine: revision for channel, revision in fetched.items() if channel.name == name}
        try:
            with forgotten_on_failure(work.store):
                release = _index(work.peer, work.store, digest)
                if release is None:
                    continue
                if behind := [each for each, revision in own.items() if release.machines.get(each) != revision]:
                    work.say(f"the release of {name} at {work.remote} is another than its channel's for {behind[0]}")
                    continue
                bring_signatures(work.peer, work.store, digest)
                verified(work, release, revisions=False)
        except (FetchError, VerificationError) as problem:
            work.say(f"the release of {name} at {work.remote} was not taken: {problem.what}: {problem.why}")
            continue
        work.releases[name] = release


def take_releases(work: Work) -> None:
    """Let releases that were fetched be those of channels here whose heads they name; `work.taken` has them then."""
    store = work.store
    with store.together():
        for name, release in work.releases.items():
            heads = {machine: store.resolve(Channel(name, machine).head) for machine in release.machines}
            if all(head is not None and head.digest == release.machines[each] for each, head in heads.items()):
                try:
                    verified(work, release)  # with its revisions; and nobody has collected it since it came
                except TrustError as problem:
                    work.say(f"the release of {name} was not taken: {problem.what}: {problem.why}")
                    continue
                store.pack(release.id)
                store.tag(release_tag(name), release.descriptor)
                work.taken[name] = release


def bring_tagged(work: Work, tag: str, digest: str, here: Container[str]) -> bool:
    """Bring the release that a tag of the remote stands for, verified; False when it is none, or not all is `here`."""
    try:
        with forgotten_on_failure(work.store):
            release = _index(work.peer, work.store, digest)
            if release is None or not all(each in here for each in release.machines.values()):
                return False
            bring_signatures(work.peer, work.store, digest)
            verified(work, release)
            work.store.pack(release.id)
    except TryAgainError:
        raise
    except PyContainerError as problem:
        work.say(f"the tag {tag} of {work.remote} was not taken: {problem.what}: {problem.why}")
        return False
    return True


def why_not(work: Work, channel: str, release: Release, pushed: Mapping[str, str], machines: Sequence[str]) -> str:
    """Return why a release cannot be a remote's for a channel now, empty when it can.

    It must say of each of the product's machines what the channel there says. `pushed` are those that were pushed just
    now, each with its revision.
    """
    for machine, revision in release.machines.items():
        if (pushed.get(machine) or _standing(work, Channel(channel, machine))) != revision:
            return f"{channel} is another revision there for {machine}: pull, and push all machines"
    for machine in machines:
        if machine not in release.machines and _standing(work, Channel(channel, machine)) is not None:
            return f"{channel} is there for {machine} too, and not here: pull, and push all machines"
    return ""


def _standing(work: Work, channel: Channel) -> str | None:
    """Return the revision that a remote's channel is, as far as it is known here: "" for a pointer never seen."""
    standing = work.peer.standing(channel)
    if standing.pointer is None:
        return standing.head
    seen = known_pointer(work.store, channel.name, channel.machine)
    known = seen is not None and seen.manifest.digest == standing.pointer
    return seen.pointer.revision if seen is not None and known else ""


def check_release_there(work: Work, channel: str, *, force: bool) -> None:
    """Raise ConfigError when the name of a channel stands at the remote for something that is no release."""
    digest = None if force else work.peer.released(channel)
    if digest is not None and not _is_release_there(work.peer, digest):
        raise ConfigError(
            f"the tag {channel} is at {work.remote} already",
            f"it stands for {digest[7:19]}, and the release of the channel {channel} needs that name",
            "take it away there, or give it up: --force",
        )


def _is_release_there(peer: Peer, digest: str) -> bool:
    try:
        return is_release(peer.document(digest))
    except (FetchError, VerificationError):  # of a kind that nobody here can read
        return False


def push_release(work: Work, release: Release, *, channel: str | None = None, tags: Sequence[str] = ()) -> Moved:
    """Send a release, whose revisions are there already, and let a channel's name and tags stand for it.

    Raises TrustError when it is not signed as required.
    """
    verified(work, release)
    moved = work.peer.send(work.store, release.id, work.tell)
    if channel is not None:
        work.peer.set_release(work.store, channel, release.id)
    for tag in tags:
        work.peer.set_tag(work.store, tag, release.id)
    return moved


def verified(work: Work, release: Release, *, revisions: bool = True) -> None:
    """Raise TrustError unless a release is signed as required; with `revisions`, these must be here and be right."""
    role = work.trusted.revision
    verify_release(work.store, release.id, role.keys, role.threshold, product=work.trusted.product, revisions=revisions)
