# SPDX-License-Identifier: MIT
"""Another store, or a bundle, as a remote: no network, the same rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.bundle import Bundle, open_bundle
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.history.names import is_release_entry, release_of, release_tag
from orchestrator.oci import Store
from orchestrator.oci.copying import Moved, Tell, copy_family, descriptor_of
from orchestrator.oci.layout import Layout
from orchestrator.remotes.location import store_of
from orchestrator.remotes.naming import MAIN, Channel, channel_in_store, head_in_store, is_users, root_number
from orchestrator.remotes.peer import Listing, Standing
from orchestrator.revision import read_release, read_revision, revisions


class LayoutPeer:
    """An OCI image layout; only a store can be written to."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.writable = isinstance(layout, Store)

    def listing(self, *, tags: bool = False) -> Listing:
        found = {name: entry.digest for name, entry in self.layout.tags().items()}
        pointers = {each: digest for name, digest in found.items() if (each := channel_in_store(name)) is not None}
        heads = {each: digest for name, digest in found.items() if (each := head_in_store(name)) is not None}
        lines = {line: digest for name, digest in found.items() if (line := release_of(name)) is not None}
        if not self.writable:  # a bundle may have no channel for a machine
            known = {each.machine for each in (*heads, *pointers)}
            heads |= {each: digest for each, digest in self._tips().items() if each.machine not in known}
            lines = {MAIN: self._release_of(heads)} | lines if MAIN not in lines else lines
        return Listing(
            pointers=pointers,
            heads=heads,
            roots={number: digest for name, digest in found.items() if (number := root_number(name)) is not None},
            revisions=tuple(entry.digest for entry in revisions(self.layout)),
            tags={name: digest for name, digest in found.items() if is_users(name)},
            releases={line: digest for line, digest in lines.items() if digest},
        )

    def _release_of(self, heads: Mapping[Channel, str]) -> str:
        """Return the bundle's release that says what the heads of its main channel are; empty when none does."""
        main = {each.machine: digest for each, digest in heads.items() if each.name == MAIN}
        for entry in self.layout.entries():
            # One that cannot be read counts for nothing, as elsewhere: its revisions are signed by themselves.
            with suppress(VerificationError):
                if is_release_entry(entry) and read_release(self.layout, entry.digest).machines == main:
                    return entry.digest
        return ""

    def _tips(self) -> dict[Channel, str]:
        """Return the newest revision of each machine as the head of its main channel, where there is one newest."""
        found = [read_revision(self.layout, entry.digest) for entry in revisions(self.layout)]
        parents = {parent for each in found for parent in each.config.parents}
        tips: dict[str, list[str]] = {}
        for each in found:
            if each.id not in parents:
                tips.setdefault(each.config.machine, []).append(each.id)
        return {Channel(MAIN, machine): ids[0] for machine, ids in tips.items() if len(ids) == 1}

    def standing(self, channel: Channel) -> Standing:
        pointer, head = (self.layout.resolve(name) for name in (channel.pointer, channel.head))
        return Standing(pointer.digest if pointer else None, head.digest if head else None)

    def tagged(self, tag: str) -> str | None:
        found = self.layout.resolve(tag) if is_users(tag) else None
        return found.digest if found else None

    def released(self, channel: str) -> str | None:
        found = self.layout.resolve(release_tag(channel))
        return found.digest if found else None

    def document(self, digest: str) -> bytes:
        return self.layout.read_blob(digest)

    def small(self, digest: str, size: int) -> bytes:
        return self.layout.read_blob(digest, limit=size)

    def referrers(self, digest: str, artifact_type: str) -> list[str]:
        return [each.digest for each in self.layout.referrers(digest, artifact_type)]

    def has(self, digest: str) -> bool:
        return self.layout.has_blob(digest)

    def bring(self, digest: str, store: Store, tell: Tell) -> Moved:
        return copy_family(self.layout, store, digest, tell)

    def send(self, store: Store, digest: str, tell: Tell) -> Moved:
        return copy_family(store, self._store(), digest, tell)

    def set_channel(self, store: Store, channel: Channel, pointer: str, revision: str, *, instead_of: Standing) -> bool:
        target = self._store()
        with target.together():  # whoever looks in between, or after a power cut, sees both or neither
            now = self.standing(channel)
            if now.pointer not in (instead_of.pointer, pointer) or now.head not in (instead_of.head, revision):
                return False
            target.tag(channel.pointer, descriptor_of(target, pointer))
            target.move(channel.head, descriptor_of(target, revision))
        return True

    def set_tag(self, store: Store, tag: str, digest: str) -> None:
        target = self._store()
        target.tag(tag, descriptor_of(target, digest))

    def set_release(self, store: Store, channel: str, digest: str) -> None:
        target = self._store()
        with target.together():
            target.pack(digest)
            target.tag(release_tag(channel), descriptor_of(target, digest))

    def set_root(self, store: Store, number: int, digest: str) -> None:
        target = self._store()
        copy_family(store, target, digest)
        target.tag(f"root/{number}", descriptor_of(target, digest))

    def _store(self) -> Store:
        if not isinstance(self.layout, Store):
            raise ConfigError(
                "a bundle cannot be pushed to", "it is made whole, and not changed", "make another: bundle create"
            )
        return self.layout


@contextmanager
def open_layout(path: Path, *, write: bool) -> Iterator[LayoutPeer]:
    """Open the store, product or bundle at a path; with `write` an empty place becomes a store.

    Raises ConfigError when there is nothing to read, or it is a bundle in a tar and is to be written to.
    """
    place = store_of(path)
    if place is not None and _is_store(place):
        # A writer also removes what one that was killed left: nobody else may ever do so in a store that is a remote.
        yield LayoutPeer(Store.open_or_create(place) if write else Store.open(place))
        return
    if write:
        if path.is_file() or path.suffix == ".tar" or place is not None:
            raise ConfigError(
                f"{path} cannot be pushed to",
                "a bundle is made whole, and not changed",
                "make another one: pycontainer bundle create; or push to a folder",
            )
        yield LayoutPeer(Store.open_or_create(path))
        return
    if not path.exists():
        raise ConfigError(
            f"there is nothing at {path}", "a store, a product, or a bundle is expected", "check the path"
        )
    bundle: Bundle
    with open_bundle(place or path) as bundle:
        yield LayoutPeer(bundle)


def _is_store(place: Path) -> bool:
    """Whether a layout is a store of ours, which has its lock, and no bundle on a stick: that is read strictly."""
    return (place / ".lock").is_file()
