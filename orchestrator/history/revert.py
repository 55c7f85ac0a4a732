# SPDX-License-Identifier: MIT
"""Going back by going on: a new revision without what an earlier one changed, or with all that an earlier one had.

Nothing is built: the blobs are in the store. A device takes the result as an update like any other.
"""

from __future__ import annotations

from typing import Any

import msgspec

from orchestrator.errors import ConfigError, PyContainerError
from orchestrator.history.names import Names
from orchestrator.history.record import Recorded, record, signed, state
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
        head = _head(names)
        undone = names.load(name)
        parent = _parent(names, undone)
        config = undo(head.config, undone.config, parent.config, undone.short)
        subject = undone.config.message.strip().partition("\n")[0] or undone.config.version
        text = message or f'Revert "{subject}"\n\nThis reverts revision {undone.hex}.'
        recorded = _record(names, keys, config, text, head, [head, parent, undone])
    return signed(recorded)


def restore(names: Names, keys: ProductKeys, name: str, message: str = "") -> Recorded:
    """Make all that the revision `name` had the head of the channel again; raises what `revert` does."""
    with names.store.together():
        head = _head(names)
        wanted = names.load(name)
        subject = wanted.config.message.strip().partition("\n")[0] or wanted.config.version
        text = message or f'Go back to "{subject}"\n\nThis is the state of revision {wanted.hex}.'
        recorded = _record(names, keys, wanted.config, text, head, [wanted])
    return signed(recorded)


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
) -> Recorded:
    if state(config) == state(head.config):
        raise ConfigError(
            "nothing to revert", f"the head of {names.channel}, {head.short}, is that already", "pycontainer log"
        )
    config = msgspec.structs.replace(config, message=message, parents=[head.id])
    _need_blobs(names, config, sources)
    return record(names, keys, config, head, sources)


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
