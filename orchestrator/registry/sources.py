# SPDX-License-Identifier: MIT
"""The servers that may have an image, in the order in which they are asked: mirrors, then its registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from orchestrator.delta import Plan
from orchestrator.errors import FetchError
from orchestrator.oci import Descriptor, Store
from orchestrator.registry.download import download
from orchestrator.registry.errors import BusyError
from orchestrator.registry.places import Places
from orchestrator.registry.reference import Reference
from orchestrator.registry.remote import Document, Remote
from orchestrator.registry.session import Session
from orchestrator.registry.transfer import Meter
from orchestrator.registry.web import Web

T = TypeVar("T")


class Sources:
    """Reading access to an image, wherever it lies. The server that answered last is asked first from then on."""

    def __init__(self, web: Web, reference: Reference, places: Places | None = None) -> None:
        self.web = web
        self.reference = reference
        found = (places or Places.load(web.environment)).to_pull(reference)
        self._remotes = [Remote(Session(web, place)) for place in found]

    def ask(self, question: Callable[[Remote], T]) -> T:
        """Return the first server's answer that is one; raises the last one's error when none has it."""
        for position, remote in enumerate(list(self._remotes), 1):
            try:
                answer = question(remote)
            except (FetchError, BusyError):
                self.web.check_stopped()
                if position == len(self._remotes):
                    raise
                continue
            self._remotes = [remote, *(each for each in self._remotes if each is not remote)]
            return answer
        raise AssertionError("there is always a registry")

    def resolve(self) -> str:
        """Return the digest that the reference stands for now: of an index or of a manifest."""
        if self.reference.digest is not None:
            return self.reference.digest
        name = self.reference.name
        return self.ask(lambda remote: remote.head(name) or remote.manifest(name).descriptor.digest)

    def document(self, name: str) -> Document:
        """Return a manifest or index."""
        return self.ask(lambda remote: remote.manifest(name))

    def referrers(self, digest: str) -> list[Descriptor]:
        """Return what is said to be attached to a manifest."""
        return self.ask(lambda remote: remote.referrers(digest))

    def download(self, store: Store, blob: Descriptor, meter: Meter, plan: Plan | None = None) -> None:
        """Bring a blob into a store, by a plan when there is one."""
        download([remote.session for remote in self._remotes], store, blob, meter, plan)
