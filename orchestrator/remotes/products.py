# SPDX-License-Identifier: MIT
"""Pushing what a user names: a channel for all machines of the product, or a revision, or a release; and tags.

Revisions go first, then the channels' pointers, then the release that groups them, and tags last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.errors import ConfigError
from orchestrator.history.names import Names
from orchestrator.history.releases import current, release_named, renew
from orchestrator.history.several import channel_named, meant, which_machine
from orchestrator.oci import Store
from orchestrator.oci.copying import Moved
from orchestrator.remotes.naming import MAIN, Channel, channel, head_in_store, is_users
from orchestrator.remotes.pushing import (
    Pushed,
    check_tag,
    check_tags_there,
    look_at,
    push_channel,
    push_revision,
    push_roots,
)
from orchestrator.remotes.releasing import check_release_there, push_release, why_not
from orchestrator.remotes.work import Work
from orchestrator.revision import Release, Revision, is_release, read_release, read_revision
from orchestrator.trust import ProductKeys, Signer, load_keys
from orchestrator.trust.role import RoleName


@dataclass(frozen=True)
class Plan:
    """What is to be pushed: the revisions, of several machines when these are the product's; `channel` None moves none.

    `release` is one that was named; a channel's own is made when its revisions are there.
    """

    machines: tuple[str, ...]
    revisions: tuple[Revision, ...]
    channel: str | None = None
    release: Release | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sent:
    """What a push came to: one result a revision, and the release that the channel's name or tags stand for there."""

    pushed: tuple[Pushed, ...]
    release: Release | None
    moved: Moved


def plan_push(
    store: Store,
    machines: Sequence[str],
    machine: str | None,
    word: str = "",
    *,
    to: str | None = None,
    tags: Sequence[str] = (),
    all_tags: bool = False,
) -> Plan:
    """Return what the words of a push mean. `machines` are the product's, `machine` is one that was asked for.

    `word` is a channel, a release, or any name of a revision; `to` is the channel that is to stand for it there.
    Raises ConfigError for a name that nothing has, and a channel that nothing was committed to.
    """
    for tag in tags:
        check_tag(store, tag)
    wanted = [machine] if machine else list(machines)
    there = store.tags()
    heads = {each for name in there if (each := head_in_store(name)) is not None and each.machine in wanted}
    own = list(tags)
    release: Release | None = None
    grouped: Release | None = None
    line = to or (word if not word or word in {each.name for each in heads} else None)
    if word and line != word:
        names = Names(store, wanted[0])
        release = None if machine else release_named(names, word, machines)
        line_here = "" if machine or release or len(machines) < 2 else channel_named(names, word, machines)
        if release is not None:
            found = [read_revision(store, each) for each in release.machines.values()]
        elif line_here:  # a channel without a release as yet: its heads, and not the first machine's alone
            found = [read_revision(store, there[each.head].digest) for each in _in_order(heads, line_here, wanted)]
        else:
            found = list(meant(names, word, machines, machine).revisions)
        if is_users(word) and word in there:
            own.append(word)
        line, grouped = to, release or (current(store, machines, line_here) if own and line_here else None)
    else:
        line = line or MAIN
        channel(line, wanted[0])  # refuses what can be no name
        found = [read_revision(store, there[each.head].digest) for each in _in_order(heads, line, wanted)]
        if not found:
            raise ConfigError(
                f"there is nothing to push: the channel {line} has no revision for {', '.join(wanted)}",
                "a build makes a candidate, and a commit makes it the channel's",
                "commit first: pycontainer commit -m MESSAGE",
            )
        grouped = current(store, machines, line) if own and machine is None else None
    if own and grouped is None and len(found) > 1:  # one of them would have the name
        raise which_machine(word or MAIN, {each.config.machine: each for each in found})
    named = {name: entry.digest for name, entry in there.items() if is_users(name)} if all_tags else {}
    target = grouped.id if grouped else found[0].id
    return Plan(tuple(machines), tuple(found), line, release, named | dict.fromkeys(own, target))


def _in_order(heads: set[Channel], name: str, machines: Sequence[str]) -> list[Channel]:
    """Return those of the heads that are a channel's, in the order of the machines."""
    return [each for one in machines if (each := Channel(name, one)) in heads]


def push(work: Work, plan: Plan, *, force: bool = False) -> Sent:
    """Push what was planned.

    Raises what `push_channel` does; what was sent by then is there, and the next push goes on. A release that cannot be
    the remote's is told and not sent: that is no reason to call the push of its revisions failed.
    """
    several = len(plan.machines) > 1
    check_tags_there(work, plan.tags, force=force)
    if plan.channel is not None and several:
        check_release_there(work, plan.channel, force=force)
    push_roots(work)  # before what their keys sign
    keys = load_keys(work.trusted.product)
    signers = _signers(keys, "channel") if plan.channel is not None else []
    pushed = []
    if plan.channel is None:
        pushed = [push_revision(work, each) for each in plan.revisions]
    else:
        targets = [(Channel(plan.channel, each.config.machine), each) for each in plan.revisions]
        # What one machine's channel refuses is refused before another's has moved.
        looked = [look_at(work, target, each, force=force) for target, each in targets]
        for (target, each), found in zip(targets, looked, strict=True):
            pushed.append(push_channel(work, target, each, signers, force=force, looked=found))
    moved = sum((each.moved for each in pushed), Moved())
    release = _release(work, plan, keys) if several else None
    if release is not None:
        moved += push_release(work, release, channel=plan.channel)
    moved += _push_tags(work, plan, release)
    return Sent(tuple(pushed), release, moved)


def _release(work: Work, plan: Plan, keys: ProductKeys) -> Release | None:
    """Return the release to be sent, when it is signed as required and says what the remote's channel says."""
    if plan.channel is None:
        return plan.release
    release = plan.release
    if release is None:
        grouped = renew(work.store, plan.machines, plan.channel, keys, _signers(keys, "revision"))
        if grouped is None:
            return None
        if grouped.waits:
            work.say(f"the release of {plan.channel} is not sent: {grouped.waits} (pycontainer sign {plan.channel})")
            return None
        release = grouped.release
    pushed = {each.config.machine: each.id for each in plan.revisions}
    if why := why_not(work, plan.channel, release, pushed, plan.machines):
        work.say(f"the release of {plan.channel} is not sent: {why}")
        return None
    return release


def _push_tags(work: Work, plan: Plan, there: Release | None) -> Moved:
    store, moved = work.store, Moved()
    sent = {each.id for each in plan.revisions}
    for tag, digest in plan.tags.items():
        release = read_release(store, digest) if is_release(store.read_blob(digest)) else None
        wanted = release.machines.values() if release else [digest]
        for each in wanted:
            if each not in sent:
                moved += push_revision(work, read_revision(store, each)).moved
                sent.add(each)
        if release is not None and (there is None or release.id != there.id):
            moved += push_release(work, release, tags=[tag])
        else:
            work.peer.set_tag(store, tag, digest)
    return moved


def _signers(keys: ProductKeys, name: RoleName) -> list[Signer]:
    """Return what can sign here; nothing where only public keys are, so that those who need it say so."""
    role = keys.role(name)
    return keys.signers(name) if any(key.private and role.has(key.public.keyid) for key in keys.keys) else []
