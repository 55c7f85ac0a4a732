# SPDX-License-Identifier: MIT
"""A repository of a registry as a remote."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from orchestrator.canonical import sha256_digest
from orchestrator.errors import FetchError
from orchestrator.oci import Store
from orchestrator.oci.copying import Moved, Tell
from orchestrator.registry import NotFoundError, Place, Places, Reference, Remote, Repository, Session, Web, pull, push
from orchestrator.registry.revisions import tag_manifest
from orchestrator.registry.transfer import in_parallel
from orchestrator.remotes.naming import Channel, channel_in_registry, is_users, root_number
from orchestrator.remotes.peer import Listing, Standing
from orchestrator.revision import is_release

_REVISION = "revision-"
_SMALL = 1024 * 1024


class RegistryPeer:
    """A repository of a registry; mirrors are asked first where `registries.conf` names some."""

    def __init__(self, web: Web, repository: Repository, place: Place, *, write: bool) -> None:
        self.repository = repository
        self.remote = Remote(Session(web, place, actions="pull,push" if write else "pull"))
        self.writable = write
        self._web = web
        self._absent = False

    @classmethod
    @contextmanager
    def open(
        cls, repository: Repository, *, write: bool, note: Callable[[str], None] | None = None
    ) -> Iterator[RegistryPeer]:
        """Open connections to the repository until the block ends."""
        with Web(tell=note) as web:
            # What is newest is asked of the registry itself: a mirror may be behind.
            yield cls(web, repository, Places.load(web.environment).to_push(repository), write=write)

    def listing(self, *, tags: bool = False) -> Listing:
        try:
            names = self.remote.tags()
        except NotFoundError:
            # A repository that nobody has pushed to is not there; whether one may ask is told by other answers.
            names = []
        channels = {found: name for name in names if (found := channel_in_registry(name)) is not None}
        roots = {number: name for name in names if (number := root_number(name)) is not None}
        lines = {channel.name for channel in channels}
        releases = [name for name in names if name in lines]
        asked = [*channels.values(), *roots.values(), *releases, *(filter(is_users, names) if tags else ())]
        digests = self._digests(dict.fromkeys(asked))
        revisions = sorted(f"sha256:{name[len(_REVISION) :]}" for name in names if name.startswith(_REVISION))
        return Listing(
            pointers={each: digests[name] for each, name in channels.items() if name in digests},
            heads={},
            roots={number: digests[name] for number, name in roots.items() if name in digests},
            revisions=tuple(revisions),
            tags={name: digests[name] for name in names if tags and is_users(name) and name in digests},
            releases={name: digests[name] for name in releases if name in digests},
        )

    def _digests(self, tags: Iterable[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        lock = threading.Lock()

        def ask(tag: str) -> None:
            if (digest := self._digest(tag)) is not None:
                with lock:
                    found[tag] = digest

        in_parallel(self._web, ask, list(tags))
        return found

    def _digest(self, tag: str) -> str | None:
        try:
            return self.remote.head(tag) or self.remote.manifest(tag).descriptor.digest
        except NotFoundError:
            return None

    def standing(self, channel: Channel) -> Standing:
        return Standing(self._digest(channel.in_registry))

    def tagged(self, tag: str) -> str | None:
        return self._digest(tag)

    def released(self, channel: str) -> str | None:
        return self._digest(channel)

    def document(self, digest: str) -> bytes:
        return self.remote.manifest(digest).data

    def small(self, digest: str, size: int) -> bytes:
        if size > _SMALL:
            raise FetchError(f"blob {digest} is too large", f"{size} bytes, the limit for what it is is {_SMALL}")
        session = self.remote.session
        answer = session.call("GET", session.url(f"blobs/{digest}"), limit=size)
        found = sha256_digest(answer.body)
        if found != digest:
            raise FetchError(f"the registry of {self.repository} does not give blob {digest}", f"it gives {found}")
        return answer.body

    def referrers(self, digest: str, artifact_type: str) -> list[str]:
        return [each.digest for each in self.remote.referrers(digest, artifact_type)]

    def has(self, digest: str) -> bool:
        return self.remote.has_manifest(digest)

    def bring(self, digest: str, store: Store, tell: Tell) -> Moved:
        done = pull(Reference(self.repository, None, digest), store, tell=tell, web=self._web)
        return Moved(done.manifests, done.blobs, done.moved)

    def send(self, store: Store, digest: str, tell: Tell) -> Moved:
        # A release is found by names that people know; each of its revisions has its own tag.
        kept = store.has_blob(digest) and not is_release(store.read_blob(digest))
        done = push(store, digest, self.repository, tell=tell, web=self._web, immutable=kept)
        return Moved(done.manifests, done.blobs, done.moved)

    def set_channel(self, store: Store, channel: Channel, pointer: str, revision: str, *, instead_of: Standing) -> bool:
        # The distribution specification has no conditional PUT: between this look and the tag others can still come.
        if self.standing(channel).pointer not in (instead_of.pointer, pointer):
            return False
        tag_manifest(self.remote, store, channel.in_registry, pointer)
        return True

    def set_tag(self, store: Store, tag: str, digest: str) -> None:
        tag_manifest(self.remote, store, tag, digest)

    def set_release(self, store: Store, channel: str, digest: str) -> None:
        tag_manifest(self.remote, store, channel, digest)

    def set_root(self, store: Store, number: int, digest: str) -> None:
        with contextlib.suppress(NotFoundError):
            if self.remote.head(f"root.{number}") == digest:
                return
        push(store, digest, self.repository, [f"root.{number}"], web=self._web, immutable=False)
