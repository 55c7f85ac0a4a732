# SPDX-License-Identifier: MIT
"""Going back by going on: a new revision without what an earlier one changed, or with all that an earlier one had.

Nothing is built: the blobs are in the store. A device takes the result as an update like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from orchestrator.errors import ConfigError, PyContainerError
from orchestrator.history.names import Names
from orchestrator.history.record import Recorded, record, signed, state
from orchestrator.history.releases import Committed, record_all, signed_all
from orchestrator.history.several import Meant, meant
from orchestrator.revision import Revision, RevisionConfig, read_revision
from orchestrator.trust import ProductKeys

_OWN = ("parents", "message", "layers", "created", "security_version")
"""What of a configuration is not undone like a setting."""


def revert(names: Names, keys: ProductKeys, name: str, message: str = "") -> Recorded:
    """Undo what the revision `name` changed, on top of the channel's head; returns the new head.

    Layer by layer and setting by setting: what the revision changed and nobody changed since becomes what it was in its
    first parent. Raises ConfigError when it is the first one, when something was changed again since, or when the
    result would be what is there; TrustError when the security version would go down. The channel is then as it was.
    """
    with names.store.together():
        recorded = _reverted(names, keys, names.load(name), message)
        if recorded is None:
            raise _nothing(names)
    return signed(recorded)


def restore(names: Names, keys: ProductKeys, name: str, message: str = "") -> Recorded:
    """Make all that the revision `name` had the head of the channel again; raises what `revert` does."""
    with names.store.together():
        recorded = _restored(names, keys, names.load(name), message)
        if recorded is None:
            raise _nothing(names)
    return signed(recorded)


def revert_all(
    names: Names, keys: ProductKeys, name: str, machines: Sequence[str], message: str = "", *, whole: bool = False
) -> Committed:
    """Do what `revert` does, or with `whole` what `restore` does, for each machine that has a revision of that name.

    All of them go back, or none; those that have nothing to undo are left as they are. The channel's release is then
    renewed. Undone is what one commit recorded: raises ConfigError for a name whose revisions were recorded by several,
    and what `revert` raises.
    """
    store = names.store
    with store.together():
        what = meant(names, name, machines)
        if not whole:
            _check_one_commit(name, what)
        do = _restored if whole else _reverted
        work = {machine: partial(_for_machine, do, keys, each, message) for machine, each in what.machines.items()}
        done = record_all(store, names.channel, keys, work, machines)
        if done is None:
            raise _nothing(replace(names, machine=next(iter(work))))
    recorded = {each.revision.config.machine for each in done.recorded}
    return replace(signed_all(done), unbuilt=tuple(each for each in machines if each not in recorded))


_Work = Callable[[Names, ProductKeys, Revision, str], Recorded | None]


def _for_machine(do: _Work, keys: ProductKeys, revision: Revision, message: str, names: Names) -> Recorded | None:
    return do(names, keys, revision, message)


def _check_one_commit(name: str, what: Meant) -> None:
    """Refuse to undo what different commits recorded: of a machine that the last one left alone, an older change."""
    told = {machine: _subject(each) for machine, each in what.machines.items()}
    if len({each.config.message for each in what.revisions}) > 1:
        raise ConfigError(
            f"{name!r} is no one change",
            "; ".join(f'{machine}: "{subject}"' for machine, subject in told.items()),
            f"say whose to undo (--machine {next(iter(told))}), or take a whole release's state: revert --to TAG",
        )


def _reverted(names: Names, keys: ProductKeys, undone: Revision, message: str) -> Recorded | None:
    _check_machine(names, undone)
    head, parent = _head(names), _parent(names, undone)
    config = undo(head.config, undone.config, parent.config, undone.short)
    text = message or f'Revert "{_subject(undone)}"\n\nThis reverts revision {undone.hex}.'
    return _record(names, keys, config, text, head, [head, parent, undone])


def _restored(names: Names, keys: ProductKeys, wanted: Revision, message: str) -> Recorded | None:
    _check_machine(names, wanted)
    head = _head(names)
    text = message or f'Go back to "{_subject(wanted)}"\n\nThis is the state of revision {wanted.hex}.'
    return _record(names, keys, wanted.config, text, head, [wanted])


def _check_machine(names: Names, revision: Revision) -> None:
    if revision.config.machine != names.machine:
        raise ConfigError(
            f"revision {revision.short} is for {revision.config.machine}",
            f"the channel {names.channel} of {names.machine} was to go back to it",
            f"choose its machine: --machine {revision.config.machine}",
        )


def _subject(revision: Revision) -> str:
    return revision.config.message.strip().partition("\n")[0] or revision.config.version


def undo(head: RevisionConfig, undone: RevisionConfig, parent: RevisionConfig, what: str) -> RevisionConfig:
    """Return the head's configuration without the way from `parent` to `undone`; raises ConfigError on a conflict."""
    ours, base, theirs = ({layer.name: layer for layer in each.layers} for each in (head, undone, parent))
    conflicts: list[str] = []

    def merged(name: str, own: Any, before: Any, after: Any) -> Any:
        """Of three values: what is there, what the revision made of it, what it was before that."""
        if before == after or own == after:
            return own
        if own != before:
            conflicts.append(name)
        return after

    order = [*ours, *(name for name in theirs if name not in ours)]
    if ours.keys() == base.keys():
        order = [*theirs, *(name for name in ours if name not in theirs)]
    found = [merged(f"layer {name}", ours.get(name), base.get(name), theirs.get(name)) for name in order]
    settings = {
        name: merged(name, getattr(head, name), getattr(undone, name), getattr(parent, name))
        for name in RevisionConfig.__struct_fields__
        if name not in _OWN
    }
    if conflicts:
        raise ConfigError(
            f"revision {what} cannot be reverted by itself",
            f"changed again since: {', '.join(conflicts)}",
            "revert what came after it first, or take a whole earlier state: pycontainer revert --to REV",
        )
    # As high as it was: a device refuses what is below. What raised it is not undone silently.
    version = merged("security_version", head.security_version, undone.security_version, parent.security_version)
    layers = [layer for layer in found if layer is not None]
    return msgspec.structs.replace(head, layers=layers, security_version=version, **settings)


def _record(
    names: Names, keys: ProductKeys, config: RevisionConfig, message: str, head: Revision, sources: list[Revision]
) -> Recorded | None:
    """Record a configuration on top of a head; None when the head is that already."""
    if state(config) == state(head.config):
        return None
    config = msgspec.structs.replace(config, message=message, parents=[head.id])
    _need_blobs(names, config, sources)
    return record(names, keys, config, head, sources)


def _nothing(names: Names) -> ConfigError:
    return ConfigError(
        "nothing to revert", f"the head of {names.channel}, {_head(names).short}, is that already", "pycontainer log"
    )


def _need_blobs(names: Names, config: RevisionConfig, sources: list[Revision]) -> None:
    """Say early, and what to do, when the old blobs are not kept any more."""
    sizes = {blob.digest: blob for source in sources for blob in source.blobs()}
    for layer in config.layers:
        for role, digest in sorted(layer.blobs.items()):
            if not names.store.has_blob(digest, sizes[digest].size):
                raise ConfigError(
                    f"the {role} of layer {layer.name} is not in the store any more",
                    "gc --keep removed the blobs of old revisions",
                    "pull the revision from a registry, or check its source out and build it again",
                )


def _head(names: Names) -> Revision:
    return names.load(f"channel/{names.channel}/{names.machine}") if names.head() else names.load("HEAD")


def _parent(names: Names, revision: Revision) -> Revision:
    if not revision.config.parents:
        raise ConfigError(
            f"revision {revision.short} is the first one", "there is nothing before it to go back to", "pycontainer log"
        )
    try:
        return read_revision(names.store, revision.config.parents[0])
    except PyContainerError as problem:
        raise ConfigError(
            f"the parent of revision {revision.short} is not here",
            f"{revision.config.parents[0][7:19]}: the history in this store is not whole",
            "fetch it from where the history came from: pycontainer fetch REMOTE --depth N",
        ) from problem
