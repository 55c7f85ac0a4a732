# SPDX-License-Identifier: MIT
"""The other end: a registry, another store, or a bundle, all asked in the same words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.oci import Store
from orchestrator.oci.copying import Moved, Tell
from orchestrator.remotes.location import Location
from orchestrator.remotes.naming import Channel


@dataclass(frozen=True)
class Listing:
    """What a remote has: pointers of channels and heads without a pointer, root documents, revisions, users' tags.

    All are digests of manifests. `releases` are what the names of channels stand for themselves: indexes of releases,
    or what somebody gave such a name.
    """

    pointers: Mapping[Channel, str]
    heads: Mapping[Channel, str]
    roots: Mapping[int, str]
    revisions: tuple[str, ...]
    tags: Mapping[str, str]
    releases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """What a channel is at a remote: the digests of its pointer, and of its head where there is one beside that."""

    pointer: str | None
    head: str | None = None


class Peer(Protocol):
    """A remote that is open. Everything it says is a stranger's word, but for bytes with the right digest."""

    @property
    def writable(self) -> bool:
        """Whether it can be pushed to."""

    def listing(self, *, tags: bool = False) -> Listing:
        """Return what is here; users' tags, each of which may cost a question, only when asked for."""

    def standing(self, channel: Channel) -> Standing:
        """Return what a channel is now."""

    def tagged(self, tag: str) -> str | None:
        """Return the digest of what a user's tag stands for."""

    def released(self, channel: str) -> str | None:
        """Return the digest of what a channel's own name stands for: its release."""

    def document(self, digest: str) -> bytes:
        """Return the bytes of a manifest or an index, which have that digest."""

    def small(self, digest: str, size: int) -> bytes:
        """Return a small blob of `size` bytes."""

    def referrers(self, digest: str, artifact_type: str) -> list[str]:
        """Return the digests of what is attached to a manifest."""

    def has(self, digest: str) -> bool:
        """Whether a manifest is here."""

    def bring(self, digest: str, store: Store, tell: Tell) -> Moved:
        """Copy a manifest, its blobs and all that is attached to it into `store`; goes on where it was cut."""

    def send(self, store: Store, digest: str, tell: Tell) -> Moved:
        """Copy a manifest, its blobs and all that is attached to it from `store` to here.

        Of an index, its bytes and what is attached to it: its manifests must be here already.
        """

    def set_channel(self, store: Store, channel: Channel, pointer: str, revision: str, *, instead_of: Standing) -> bool:
        """Let a channel be what a pointer, which is here, says; False, and nothing, when it is not `instead_of` now."""

    def set_tag(self, store: Store, tag: str, digest: str) -> None:
        """Let a user's tag stand for a manifest that is here."""

    def set_release(self, store: Store, channel: str, digest: str) -> None:
        """Let a channel's own name stand for a release that is here."""

    def set_root(self, store: Store, number: int, digest: str) -> None:
        """Copy a root document and let its number stand for it."""


@contextmanager
def open_peer(location: Location, *, write: bool = False, note: Callable[[str], None] | None = None) -> Iterator[Peer]:
    """Open what a location names; with `write` a store that is not there is made.

    Raises ConfigError when there is nothing, or it cannot be written to.
    """
    from orchestrator.remotes import layouts, registries  # the one is slow to import, and neither needs the other

    if location.reference is not None:
        with registries.RegistryPeer.open(location.reference.repository, write=write, note=note) as registry:
            yield registry
        return
    assert location.path is not None
    with layouts.open_layout(location.path, write=write) as layout:
        yield layout
