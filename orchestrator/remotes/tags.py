# SPDX-License-Identifier: MIT
"""Tags of a remote: those of what was fetched come along, and one by its name brings what it stands for."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable
from dataclasses import dataclass

from orchestrator.errors import ConfigError
from orchestrator.history.names import check_tag
from orchestrator.oci.copying import Moved, descriptor_of
from orchestrator.remotes.ancestry import known, parents_in
from orchestrator.remotes.bringing import bring_revision
from orchestrator.remotes.looking import forgotten_on_failure, glimpse
from orchestrator.remotes.peer import Listing
from orchestrator.remotes.releasing import bring_tagged, glimpse_release, verified
from orchestrator.remotes.roots import follow_roots
from orchestrator.remotes.work import Work
from orchestrator.revision import Release, Revision


@dataclass(frozen=True)
class FetchedTag:
    """What a tag of a remote stands for, and how many revisions came; `release` is None where it is one revision."""

    tag: str
    revisions: tuple[Revision, ...]
    release: Release | None
    signed_by: tuple[str, ...]
    count: int
    moved: Moved


def bring_tags(work: Work, listing: Listing, heads: Iterable[tuple[str, str]]) -> None:
    """Take over the tags of what came, but for those that mean something else here, or a channel there.

    `heads` are machines and the revisions that were fetched for them.
    """
    store, fetched = work.store, list(heads)
    lines = {each.name for each in (*listing.pointers, *listing.heads)}
    history = known(parents_in(store), [revision for _, revision in fetched])
    wanted: dict[str, str] = {}
    for name, digest in listing.tags.items():
        if name in lines:  # such a tag would hide the channel here
            continue
        own = store.resolve(name)
        if own is not None:
            if own.digest != digest:
                work.say(f"the tag {name} is another one here: it stays")
        elif digest in history or _is_tagged_release(work, listing, name, history):
            wanted[name] = digest
    with store.together():
        for name, digest in wanted.items():
            with contextlib.suppress(ConfigError):  # a name that none of ours may have
                for machine in dict.fromkeys(machine for machine, _ in fetched):
                    check_tag(name, store, machine)
                if store.resolve(name) is None:
                    store.tag(name, descriptor_of(store, digest))


def _is_tagged_release(work: Work, listing: Listing, name: str, history: Container[str]) -> bool:
    """Whether a tag stands for a release of what is here now; then its index is here too."""
    digest = listing.tags[name]
    if digest in listing.revisions or name in listing.releases:
        return False
    return bring_tagged(work, name, digest, history)


def fetch_tag(
    work: Work, listing: Listing, tag: str, machine: str | None = None, depth: int | None = None
) -> FetchedTag:
    """Bring what a tag of a remote stands for, and let it stand for that here: a release, or one revision.

    Of a release all revisions come, or that for `machine`, which the tag then stands for here, unless it stands for
    the release already. Raises TrustError (exit code 7) for what is not signed as required, ConfigError for a machine
    that it lacks, and for a tag that means something else here.
    """
    store, digest = work.store, listing.tags[tag]
    with store.writing():
        follow_roots(work, listing)
    with store.writing(), forgotten_on_failure(store):
        release = glimpse_release(work.peer, store, digest)
        if release is not None:
            verified(work, release, revisions=False)
            targets = {machine: release.of(machine).revision} if machine else release.machines
        else:
            targets = {machine or glimpse(work.peer, store, digest).config.machine: digest}
        _check_own(work, tag, {digest, *targets.values()}, targets)
        brought = [bring_revision(work, each, one, depth, what=f"the tag {tag}") for one, each in targets.items()]
        whole = release if release is not None and len(targets) == len(release.machines) else None
        with store.together():
            for each in brought:
                for one in each.digests:
                    store.pack(one)
            if whole is not None:
                store.pack(whole.id)
            own = store.resolve(tag)
            if own is None or own.digest != digest:
                store.move(tag, whole.descriptor if whole else brought[0].revision.descriptor)
    moved = sum((each.moved for each in brought), Moved())
    found = tuple(each.revision for each in brought)
    return FetchedTag(tag, found, whole, brought[0].keyids, sum(len(each.digests) for each in brought), moved)


def _check_own(work: Work, tag: str, means: Container[str], machines: Iterable[str]) -> None:
    for machine in machines:
        check_tag(tag, work.store, machine)
    own = work.store.resolve(tag)
    if own is not None and own.digest not in means:
        raise ConfigError(
            f"the tag {tag} is another one here", f"it stands for {own.digest[7:19]}", f"pycontainer tag -d {tag}"
        )
