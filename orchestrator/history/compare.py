# SPDX-License-Identifier: MIT
"""What differs between two revisions: layers, their versions, sizes, blobs and settings, and what a device fetches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from orchestrator.revision import LayerBlob, Revision, RevisionConfig

Change = Literal["added", "removed", "changed"]

_NOT_SETTINGS = ("name", "kind", "version", "blobs", "spdx")
_HEAD = ("version", "securityVersion", "architecture", "product", "machine", "confirm", "apparmorRequired", "created")


@dataclass(frozen=True)
class BlobChange:
    """A blob of a layer: its role, and before and after; None where there is none."""

    role: str
    before: LayerBlob | None
    after: LayerBlob | None


@dataclass(frozen=True)
class Setting:
    """A setting by its name in the revision's configuration, and its values as plain JSON."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class LayerChange:
    """A layer that differs. Versions are empty and sizes 0 where the layer is not; `fetch` is what a device that has
    all of the older revision must get for it, in bytes."""

    name: str
    kind: str
    change: Change
    versions: tuple[str, str]
    sizes: tuple[int, int]
    fetch: int
    blobs: tuple[BlobChange, ...]
    settings: tuple[Setting, ...]
    documents: tuple[str, str]
    """Digests of its SPDX documents."""


@dataclass(frozen=True)
class Comparison:
    """Two revisions; `before` is None when there is only the later one. `settings` are those of the whole."""

    before: Revision | None
    after: Revision
    layers: tuple[LayerChange, ...]
    settings: tuple[Setting, ...]
    reordered: bool

    @property
    def empty(self) -> bool:
        """Whether a device would notice nothing but another id."""
        return not (self.layers or self.settings or self.reordered)

    @property
    def fetch(self) -> int:
        """Bytes that a device with the older revision must get, each blob once."""
        return sum(_new_blobs(self.before, self.after).values())


def compare(before: Revision | None, after: Revision) -> Comparison:
    """Return what changed from one revision to another, layers in the later one's order, removed ones last."""
    old = {layer.name: layer for layer in before.config.layers} if before else {}
    new = {layer.name: layer for layer in after.config.layers}
    fresh = _new_blobs(before, after)
    counted: set[str] = set()
    changes = []
    for name in [*new, *(name for name in old if name not in new)]:
        one, other = old.get(name), new.get(name)
        if one == other:
            continue
        some = other or one
        assert some is not None
        blobs = _blob_changes(_blobs_of(before, name), _blobs_of(after, name))
        mine = {each.after.digest for each in blobs if each.after} & fresh.keys() - counted
        counted |= mine
        changes.append(
            LayerChange(
                name=name,
                kind=some.kind,
                change="added" if one is None else "removed" if other is None else "changed",
                versions=(one.version if one else "", other.version if other else ""),
                sizes=(_size(_blobs_of(before, name)), _size(_blobs_of(after, name))),
                fetch=sum(fresh[digest] for digest in mine),
                blobs=blobs,
                settings=_settings(_plain(one), _plain(other)) if one and other else (),
                documents=(one.spdx if one else "", other.spdx if other else ""),
            )
        )
    return Comparison(
        before=before,
        after=after,
        layers=tuple(changes),
        settings=_head_settings(before, after),
        reordered=[name for name in old if name in new] != [name for name in new if name in old],
    )


def _head_settings(before: Revision | None, after: Revision) -> tuple[Setting, ...]:
    if before is None:
        return ()
    one, other = (_head_of(each.config) for each in (before, after))
    return _settings(one, other)


def _head_of(config: RevisionConfig) -> dict[str, Any]:
    plain = msgspec.to_builtins(msgspec.structs.replace(config, layers=[]))
    return {name: plain[name] for name in _HEAD}


def _plain(layer: Any) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(layer).items() if name not in _NOT_SETTINGS}


def _settings(one: dict[str, Any], other: dict[str, Any]) -> tuple[Setting, ...]:
    return tuple(
        Setting(name, one.get(name), other.get(name))
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    )


def _blobs_of(revision: Revision | None, layer: str) -> list[LayerBlob]:
    return [blob for blob in revision.blobs() if blob.layer == layer] if revision else []


def _size(blobs: Sequence[LayerBlob]) -> int:
    return sum(blob.size for blob in blobs)


def _blob_changes(old: Sequence[LayerBlob], new: Sequence[LayerBlob]) -> tuple[BlobChange, ...]:
    before, after = ({blob.role: blob for blob in blobs} for blobs in (old, new))
    found = []
    for role in sorted(before.keys() | after.keys()):
        one, other = before.get(role), after.get(role)
        if one is None or other is None or one.digest != other.digest:
            found.append(BlobChange(role, one, other))
    return tuple(found)


def _new_blobs(before: Revision | None, after: Revision) -> dict[str, int]:
    """The sizes of the blobs that only the later revision has, by digest."""
    have = {blob.digest for blob in before.blobs()} if before else set()
    return {blob.digest: blob.size for blob in after.blobs() if blob.digest not in have}
