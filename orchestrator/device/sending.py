# SPDX-License-Identifier: MIT
"""Bringing a bundle's revision to a device blob by blob: only what it lacks, from where it was left.

Of a large blob only the chunks are sent that no blob of the device has (orchestrator.delta), as far as it is known here
what these consist of, and the device can copy. When that comes to nothing good, the whole blob is sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from orchestrator.bundle import Bundle
from orchestrator.canonical import sha256_digest
from orchestrator.delta import LARGE, Plan, Seeds, index_of, known_index, make_plan
from orchestrator.device.answers import DeviceError, Missing, MissingBlob, StoredRevisions, typed
from orchestrator.device.link import Link
from orchestrator.device.pieces import Copied
from orchestrator.device.protocol import WORK_SECONDS, Connection
from orchestrator.errors import ConfigError, VerificationError
from orchestrator.oci.layout import Layout
from orchestrator.oci.strict import convert
from orchestrator.product.units import format_size
from orchestrator.revision import Revision
from orchestrator.trust import merged_envelope

_CHUNK = 1 << 18


class Listener(Protocol):
    """Who is told how it goes."""

    def say(self, text: str) -> None:
        """One line that stays visible."""

    def show(self, phase: str, done: int, total: int) -> None:
        """The running phase did `done` of `total` bytes."""


@dataclass(frozen=True)
class Sent:
    """What an installation came to: the revision, and what crossed the link for it."""

    revision: str
    blobs: int
    bytes: int

    def __str__(self) -> str:
        text = "1 blob was sent" if self.blobs == 1 else f"{self.blobs} blobs were sent"
        return f"{text}, {format_size(self.bytes)}" if self.blobs else text


def install(
    link: Link, bundle: Bundle, revision: Revision, listener: Listener, *, known: Sequence[Layout] = ()
) -> Sent:
    """Install a revision of a bundle on the device; a lost link is made again, and nothing is sent twice.

    `known` are layouts that may have the revisions that the device has: what of them is in the new one is not sent.
    Raises ConfigError when device and bundle do not belong together, VerificationError for a bundle that is damaged or
    lacks what the device lacks, TrustError for one without signatures, DeviceError when the device refuses, LinkError
    when it does not come back.
    """
    envelope = merged_envelope(bundle, revision)
    return link.persist(_Installation(link, bundle, revision, envelope, listener, known).run, listener.say)


def check_fit(connection: Connection, revision: Revision) -> None:
    """Check that a revision is for the device; it would refuse by itself, but only after the first blobs."""
    version = connection.version
    for what in ("product", "machine"):
        ours, theirs = getattr(revision.config, what), getattr(version, what, "")
        if theirs and ours != theirs:
            raise ConfigError(
                f"the bundle is for another {what}", f"it is for {ours!r}, the device is {theirs!r}", "choose another"
            )


class _Installation:
    def __init__(
        self,
        link: Link,
        bundle: Bundle,
        revision: Revision,
        envelope: bytes,
        listener: Listener,
        known: Sequence[Layout],
    ) -> None:
        self.link, self.bundle, self.revision, self.listener = link, bundle, revision, listener
        self.envelope = envelope
        self.known = (*known, bundle)
        self.seeds: Seeds | None = None
        self.parts = {part.digest: part for part in revision.manifest.layers}
        self.plans: dict[str, Plan | None] = {}
        self.signature = sha256_digest(envelope)
        self.bytes = 0
        self.blobs: set[str] = set()
        self.sizes = {part.digest: part.size for part in revision.manifest.layers}
        self.held: dict[str, int] = {}
        self.checked: set[str] = set()

    def run(self, connection: Connection) -> Sent:
        """Do what is left to do."""
        check_fit(connection, self.revision)
        self.prove(connection)
        try:
            missing = self.missing(connection)
        except DeviceError:
            # Where too many lay about that no install referred to, it removes all such, also what came just before.
            if not self.prove(connection):
                raise
            missing = self.missing(connection)
        before: list[MissingBlob] | None = None
        while missing:
            if missing == before:
                raise DeviceError("the device asks for the same blobs again", f"{missing[0].digest} was sent whole")
            before = missing
            self.send(connection, missing)
            missing = self.missing(connection)
        return Sent(self.revision.id, len(self.blobs), self.bytes)

    def prove(self, connection: Connection) -> int:
        """Send what the device wants to see before it installs anything; returns what of it was not there, in bytes."""
        config = self.revision.manifest.config
        sent = 0
        for digest, data in (
            (self.revision.id, self.bundle.read_blob(self.revision.id)),
            (config.digest, self.bundle.read_blob(config.digest)),
            (self.signature, self.envelope),
        ):
            sent += connection.put(digest, len(data), partial(_rest, data))
        self.bytes += sent
        return sent

    def missing(self, connection: Connection) -> list[MissingBlob]:
        """Ask the device to install; returns what it lacks, nothing when it has installed the revision."""
        total = sum(self.sizes.values())

        def part(value: object) -> None:
            step = value.get("progress") if isinstance(value, dict) else None
            if not isinstance(step, dict) or not isinstance(step.get("done"), int):
                return
            # A step of no size has nothing to show.
            if isinstance(step.get("total"), int) and step["total"] > 0:
                self.listener.show("install on the device", step["done"], step["total"])

        arguments = {"revision": self.revision.id, "signature": self.signature}
        answer = connection.ask("install", arguments, on_part=part, timeout=WORK_SECONDS)
        missing = convert(answer, Missing, "the device's answer to install", error=VerificationError).missing
        for blob in missing:
            if self.sizes.get(blob.digest) != blob.size or blob.offset > blob.size:
                raise DeviceError(
                    "the device asks for what the revision does not have", f"{blob.size} bytes of {blob.digest}"
                )
            if not self.bundle.has_blob(blob.digest):
                raise VerificationError(
                    f"the bundle lacks blob {blob.digest[:19]}, and so does the device",
                    "the bundle was made for devices that have its base",
                    "make the bundle without --base, or with a base that this device has: pycontainer bundle create",
                )
        if missing and not self.held:
            size = sum(blob.size - blob.offset for blob in missing)
            self.listener.say(
                f"revision {self.revision.short}: {len(missing)} of {len(self.sizes)} blobs to send, "
                f"{format_size(size)} of {format_size(total)}"
            )
        return missing

    def send(self, connection: Connection, missing: list[MissingBlob]) -> None:
        """Send what is missing, each blob checked before."""
        for blob in missing:
            self.held[blob.digest] = max(blob.offset, self.held.get(blob.digest, 0))
        total = sum(self.sizes[digest] for digest in self.held)
        for blob in missing:
            if blob.digest not in self.checked:
                self.bundle.verify_blob(blob.digest, blob.size)
                self.checked.add(blob.digest)

            def progress(done: int, digest: str = blob.digest) -> None:
                if done > self.held[digest]:
                    self.held[digest] = done
                    self.link.progressed()
                self.listener.show("send", sum(self.held.values()), total)

            self.put(connection, blob, progress)
            self.held[blob.digest] = blob.size
            self.blobs.add(blob.digest)

    def put(self, connection: Connection, blob: MissingBlob, progress: Callable[[int], None]) -> None:
        """Send one blob, what the device has of it in others only by name."""
        whole = partial(self.read, blob)
        plan = self.plan(connection, blob)
        if plan is not None:
            try:
                saving = partial(self.save, blob, plan)
                self.bytes += connection.put(blob.digest, blob.size, whole, progress, saving=saving)
                return
            except DeviceError:  # its blobs are not what was thought; all of it then
                self.plans[blob.digest] = None
        self.bytes += connection.put(blob.digest, blob.size, whole, progress)

    def plan(self, connection: Connection, blob: MissingBlob) -> Plan | None:
        """Return how the device may make a blob out of what it has, or None when that is not known or saves little."""
        if blob.digest not in self.plans:
            self.plans[blob.digest] = self.make_plan(connection, blob) if blob.size > LARGE else None
        return self.plans[blob.digest]

    def make_plan(self, connection: Connection, blob: MissingBlob) -> Plan | None:
        """Look which of a blob's chunks are in blobs of the device."""
        if self.seeds is None:
            there: list[str] = []
            with contextlib.suppress(DeviceError):  # it may not be allowed to ask that
                found = typed(connection.ask("revisions"), StoredRevisions, "revisions").revisions
                there = ["sha256:" + each.revision.removeprefix("sha256:") for each in found if each.complete]
            self.seeds = Seeds(*self.known, elsewhere=there)
        part = self.parts[blob.digest]
        seeds = list(self.seeds.of(part))
        if not seeds:
            return None
        plan = make_plan(known_index(self.bundle, part) or index_of(self.bundle, blob.digest), seeds, gap=0)
        return plan if plan.worth else None

    def save(self, blob: MissingBlob, plan: Plan, offset: int) -> Iterator[bytes | Copied]:
        """Yield a blob from an offset on, of what the device has only where it is."""
        with self.bundle.blobs.open(blob.digest) as stream:
            while offset < plan.size:
                segment = plan.at(offset)
                if segment.source is not None:
                    yield Copied(segment.source, segment.offset, segment.size)
                else:
                    stream.seek(offset)
                    left = segment.size
                    while left and (piece := stream.read(min(left, _CHUNK))):
                        left -= len(piece)
                        yield piece
                offset += segment.size

    def read(self, blob: MissingBlob, offset: int) -> Iterator[bytes]:
        """Yield a blob's bytes from an offset on."""
        with self.bundle.blobs.open(blob.digest) as stream:
            stream.seek(offset)
            while piece := stream.read(_CHUNK):
                yield piece


def _rest(data: bytes, offset: int) -> Iterator[bytes]:
    return iter((data[offset:],))
