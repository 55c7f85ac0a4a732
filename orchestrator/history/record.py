# SPDX-License-Identifier: MIT
"""Adding a revision to a channel: assembled, its documents attached anew, signed, verified; last the head moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from orchestrator.errors import ConfigError, TrustError
from orchestrator.history.names import CANDIDATE, HEAD, Names, channel_tag
from orchestrator.history.source import SOURCE_TYPE
from orchestrator.oci import Store
from orchestrator.oci.layout import referrer
from orchestrator.revision import (
    CYCLONEDX_TYPE,
    LAYER,
    SPDX23_TYPE,
    SPDX_TYPE,
    LayerBlob,
    Revision,
    RevisionConfig,
    assemble,
    read_revision,
)
from orchestrator.trust import ProductKeys, UnverifiedError, sign_revision, verify_revision

CHUNKS_TYPE = "application/vnd.pycontainer.chunks.v1"
"""Chunk indexes of a revision's blobs: true of every revision that has the same blobs."""
MESSAGE_LIMIT = 65536
"""Characters of a message at most, as the revision's configuration has it."""

_OF_LAYERS = (SPDX_TYPE, SPDX23_TYPE, CYCLONEDX_TYPE)
_OF_STATE = (SOURCE_TYPE, CHUNKS_TYPE)


@dataclass(frozen=True)
class Recorded:
    """A revision that a channel's head stands for now, and the one that it stood for before.

    Where `waits` is not empty it tells how many signatures are missing; the head then stands where it stood.
    """

    revision: Revision
    parent: Revision | None
    channel: str
    waits: str = ""


def signed(recorded: Recorded) -> Recorded:
    """Return what was recorded; raises TrustError when the head did not move for lack of signatures.

    What is there of them stays: when the others have signed the same is recorded again, and the head moves.
    """
    if recorded.waits:
        raise unsigned([recorded])
    return recorded


def unsigned(waiting: Sequence[Recorded]) -> TrustError:
    """The error for what was recorded and lacks signatures of others: one revision, or several machines' at once."""
    names = [each.revision.short for each in waiting]
    one = len(names) == 1
    return TrustError(
        f"revision {names[0]} is made, and waits for signatures"
        if one
        else f"revisions {', '.join(names)} are made, and each waits for signatures",
        waiting[0].waits,
        f"let the other holders sign {'it' if one else 'them'} "
        f"({', '.join(f'pycontainer sign {each}' for each in names)}), then do this again",
    )


def state(config: RevisionConfig) -> RevisionConfig:
    """Return what a device gets of a revision: all but where it came from and what was said of it."""
    return msgspec.structs.replace(config, parents=[], message="")


def clean_message(text: str, *, comments: bool = False) -> str:
    """Return a message as git would take it: no white space at line ends, no empty lines at either end.

    With `comments`, lines that begin with # are left out (what an editor was shown). Raises ConfigError for an empty
    one, and for one that a revision cannot hold.
    """
    lines = [line.rstrip() for line in text.splitlines() if not (comments and line.startswith("#"))]
    message = "\n".join(lines).strip("\n")
    if not message.strip():
        raise ConfigError("the message is empty, nothing was committed", "", "say what changed: -m MESSAGE")
    if len(message) > MESSAGE_LIMIT or "\0" in message:
        raise ConfigError("the message cannot be kept", f"{MESSAGE_LIMIT} characters at most, and no NUL", "shorten it")
    return message


def commit(names: Names, keys: ProductKeys, message: str, *, allow_empty: bool = False) -> Recorded:
    """Add the candidate to the channel of `names`; returns the new head.

    Raises ConfigError when there is no candidate, it is another product's, or it changes nothing (without
    `allow_empty`); TrustError when it cannot be signed or does not verify. The channel is then as it was.
    """
    recorded = commit_candidate(names, keys, message, allow_empty=allow_empty)
    if recorded is None:
        raise nothing_to_commit(names)
    return signed(recorded)


def commit_candidate(names: Names, keys: ProductKeys, message: str, *, allow_empty: bool = False) -> Recorded | None:
    """Do as `commit` does, but return None when nothing changed, and what waits for signatures as it is."""
    with names.store.together():
        candidate = names.load(CANDIDATE)
        head = _head(names)
        if head is not None and state(head.config) == state(candidate.config) and not allow_empty:
            return None
        config = msgspec.structs.replace(candidate.config, message=message, parents=[head.id] if head else [])
        return record(names, keys, config, head, [candidate])


def nothing_to_commit(names: Names) -> ConfigError:
    """The error for a candidate that is what its channel has."""
    return ConfigError(
        "nothing to commit",
        f"the candidate is what {names.channel} has: revision {names.load(HEAD).short}",
        "change the product and build it first, or add --allow-empty",
    )


def _head(names: Names) -> Revision | None:
    head = names.head()
    return None if head is None else read_revision(names.store, head.digest)


def record(
    names: Names, keys: ProductKeys, config: RevisionConfig, head: Revision | None, sources: Sequence[Revision]
) -> Recorded:
    """Make a revision of `config`, whose layers are those of `sources`, the head of the channel; see `commit`.

    The caller is in `Store.together`, from before it looked at the head on: two who commit at once wait for each other.
    """
    store = names.store
    if config.product != keys.product:
        raise ConfigError(
            f"the revision is of product {config.product}", f"this is {keys.product}", "build this product first"
        )
    if head is not None and head.config.security_version > config.security_version:
        raise TrustError(
            f"the security version would go down, from {head.config.security_version} to {config.security_version}",
            "a device that ran the head refuses every revision below it",
            f"write securityVersion: {head.config.security_version} or more, and build again",
        )
    revision = assemble(store, config, _blobs(config, sources))
    _attach(store, revision, sources)
    sign_revision(store, revision, keys.signers())
    try:
        verify_revision(store, revision, keys.public_keys(), keys.threshold, product=keys.product, blobs=False)
    except UnverifiedError as problem:
        if not problem.lacks_signatures:
            raise
        store.index.add(revision.descriptor)  # the others must be able to find and sign it
        store.pack(revision.id)
        return Recorded(revision, head, names.channel, waits=problem.report.steps[-1].detail)
    move_head(names, revision)
    return Recorded(revision, head, names.channel)


def move_head(names: Names, revision: Revision) -> None:
    """Let a channel's head stand for a revision; the one before stays in the index, by its id."""
    with names.store.together():
        names.store.pack(revision.id)
        names.store.move(channel_tag(names.channel, names.machine), revision.descriptor)


def _blobs(config: RevisionConfig, sources: Sequence[Revision]) -> list[LayerBlob]:
    """Return the blobs of a configuration's layers out of the revisions that have them."""
    have = {(blob.layer, blob.role, blob.digest): blob for source in sources for blob in source.blobs()}
    return [have[layer.name, role, digest] for layer in config.layers for role, digest in sorted(layer.blobs.items())]


def _attach(store: Store, revision: Revision, sources: Sequence[Revision]) -> None:
    """Attach to a revision what is true of it as it was of those that it is made of.

    The documents of its layers; where the whole state is the same, the product's source and the chunk indexes too.
    Not the documents of an image, which name the revision that is in it, nor signatures: those are about another one.
    """
    done: set[tuple[str, str]] = set()
    found = []
    for source in sources:
        same = state(source.config) == state(revision.config)
        for entry in store.referrers(source.id):
            kind = entry.artifact_type or ""
            if kind not in (*_OF_LAYERS, *(_OF_STATE if same else ())):
                continue
            manifest = store.read_manifest(entry.digest)
            layer = manifest.annotations.get(LAYER, "")
            if kind in _OF_LAYERS:
                ours, theirs = revision.config.layer(layer), source.config.layer(layer)
                if ours is None or theirs is None or ours.spdx != theirs.spdx or (kind, layer) in done:
                    continue
                done.add((kind, layer))
            found.append(referrer(revision.descriptor, kind, manifest.layers, manifest.annotations))
    store.attach_all(revision.descriptor, found)
