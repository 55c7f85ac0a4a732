# SPDX-License-Identifier: MIT
"""What a remote has, and who signed it: looked at from afar, nothing large is fetched and nothing is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from orchestrator.errors import PyContainerError, TryAgainError
from orchestrator.oci import Store
from orchestrator.remotes.looking import bring_as, glimpse
from orchestrator.remotes.naming import Channel
from orchestrator.remotes.peer import Listing, Peer
from orchestrator.remotes.releasing import glimpse_release
from orchestrator.remotes.trusted import Trusted, known_keys
from orchestrator.revision import Revision
from orchestrator.trust import SIGNATURE_TYPE, Envelope, VerificationReport, verify_release, verify_revision
from orchestrator.trust.channel import POINTER_TYPE, SignedPointer, read_pointer
from orchestrator.trust.dsse import ENVELOPE_LIMIT
from orchestrator.trust.following import verify_pointer

Kind = Literal["channel", "release", "tag", "revision"]
State = Literal["valid", "unknown key", "not signed", "wrong"]


@dataclass(frozen=True)
class Signed:
    """How something is signed: `valid` by keys that one trusts, by keys that one does not know, not at all, wrongly."""

    state: State
    keyids: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Seen:
    """One name of a remote: a channel (with its pointer's version), its release, a tag, or a revision without a name.

    Of a release, which a tag may stand for too, `machines` has the revision of each, and `behind` names those whose
    channel is another revision now; `revision` is the release's own id.
    """

    kind: Kind
    name: str
    revision: str
    product: str = ""
    version: str = ""
    machine: str = ""
    pointer: int | None = None
    signed: Signed = Signed("not signed")
    problem: str = ""
    machines: Mapping[str, str] = field(default_factory=dict)
    behind: tuple[str, ...] = ()


def look(
    peer: Peer,
    listing: Listing,
    *,
    revisions: bool = False,
    keys: Callable[[str], Trusted | None] = known_keys,
) -> list[Seen]:
    """Return channels, tags and, when asked for, all revisions of a remote, each with what its signatures are worth.

    `keys` gives those of a product. What cannot be read is listed with its problem; only a remote that does not answer
    raises (TryAgainError).
    """
    with tempfile.TemporaryDirectory(prefix="pycontainer-") as folder:
        looked = _Looked(peer, Store.open_or_create(Path(folder) / "store"), keys)
        found = [looked.channel(each, listing) for each in sorted({*listing.pointers, *listing.heads})]
        now = {(each.name, each.machine): each.revision for each in found}
        releases = [(name, looked.release("release", name, each)) for name, each in sorted(listing.releases.items())]
        found += [_compared(each, now) for _, each in releases if each is not None]
        others = {name for name, each in releases if each is not None}
        found += [looked.named("tag", name, each) for name, each in sorted(listing.tags.items()) if name not in others]
        if revisions:
            named = {each.revision for each in found}
            found += [looked.named("revision", "", each) for each in listing.revisions if each not in named]
    return found


def _compared(seen: Seen, now: Mapping[tuple[str, str], str]) -> Seen:
    """Return a channel's release with the machines whose channel is another revision than it says."""
    behind = [each for each, digest in seen.machines.items() if now.get((seen.name, each)) != digest]
    return replace(seen, behind=tuple(behind))


class _Looked:
    def __init__(self, peer: Peer, store: Store, keys: Callable[[str], Trusted | None]) -> None:
        self._peer, self._store, self._keys = peer, store, keys
        self._known: dict[str, Revision] = {}

    def channel(self, channel: Channel, listing: Listing) -> Seen:
        digest = listing.pointers.get(channel)
        if digest is None:
            return self._seen("channel", channel.name, listing.heads[channel], channel, None)
        try:
            bring_as(self._peer, self._store, digest, POINTER_TYPE)
            pointer = read_pointer(self._store, digest)
        except TryAgainError:
            raise
        except PyContainerError as problem:
            return Seen("channel", channel.name, "", machine=channel.machine, problem=problem.what)
        return self._seen("channel", channel.name, pointer.pointer.revision, channel, pointer)

    def named(self, kind: Kind, name: str, digest: str) -> Seen:
        seen = self._seen(kind, name, digest, None, None)
        return (self.release(kind, name, digest) or seen) if seen.problem else seen

    def release(self, kind: Kind, name: str, digest: str) -> Seen | None:
        """Look at a release; None when it is something else."""
        try:
            release = glimpse_release(self._peer, self._store, digest)
        except TryAgainError:
            raise
        except PyContainerError as problem:
            return Seen(kind, name, digest, problem=problem.what)
        if release is None:
            return None
        trusted = self._keys(release.product)

        def verify(known: Trusted) -> VerificationReport:
            role = known.revision
            return verify_release(
                self._store, digest, role.keys, role.threshold, product=known.product, revisions=False
            )

        return Seen(
            kind, name, digest, release.product, release.version, signed=self._judged(digest, trusted, verify),
            machines=release.machines,
        )  # fmt: skip

    def _seen(
        self,
        kind: Kind,
        name: str,
        digest: str,
        channel: Channel | None,
        pointer: SignedPointer | None,
    ) -> Seen:
        machine = channel.machine if channel else ""
        try:
            revision = self._known.get(digest) or glimpse(self._peer, self._store, digest)
        except TryAgainError:
            raise
        except PyContainerError as problem:
            return Seen(kind, name, digest, machine=machine, problem=problem.what)
        self._known[digest] = revision
        config = revision.config
        return Seen(
            kind,
            name,
            digest,
            config.product,
            config.version,
            config.machine,
            pointer.pointer.version if pointer else None,
            self._signed(revision, channel, pointer),
        )

    def _signed(self, revision: Revision, channel: Channel | None, pointer: SignedPointer | None) -> Signed:
        """Judge the revision's signature and, of a channel, the pointer's: the worse of both."""

        def verify(known: Trusted) -> VerificationReport:
            role = known.revision
            report = verify_revision(
                self._store, revision, role.keys, role.threshold, product=known.product, blobs=False
            )
            if pointer is not None and channel is not None:
                verify_pointer(
                    pointer, known.channel, product=known.product, machine=channel.machine, channel=channel.name
                )
            return report

        return self._judged(revision.id, self._keys(revision.config.product), verify)

    def _judged(self, digest: str, trusted: Trusted | None, verify: Callable[[Trusted], VerificationReport]) -> Signed:
        made_by = self._signers(digest)
        if not made_by:
            return Signed("not signed")
        if trusted is None:
            return Signed("unknown key", made_by)
        try:
            report = verify(trusted)
        except PyContainerError as problem:
            known = set(made_by) & set(trusted.keyids)
            return Signed("wrong" if known else "unknown key", made_by, problem.why)
        return Signed("valid", tuple(report.keyids))

    def _signers(self, digest: str) -> tuple[str, ...]:
        """Return the ids of the keys that say that they signed."""
        found: set[str] = set()
        for each in self._store.referrers(digest, SIGNATURE_TYPE):
            try:
                for part in self._store.read_manifest(each.digest).layers:
                    envelope = Envelope.from_bytes(self._store.read_blob(part.digest, limit=ENVELOPE_LIMIT))
                    found |= {one.keyid for one in envelope.signatures}
            except PyContainerError:
                continue
        return tuple(sorted(found))
