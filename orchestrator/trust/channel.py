# SPDX-License-Identifier: MIT
"""Channel pointers: a signed, numbered statement of the revision that a channel stands for.

The payload of a DSSE envelope, canonical JSON; the envelope is the one blob of an OCI artefact manifest whose subject
is the revision's manifest, so that it travels with the revision. The store's tag `channel.pointer/<channel>/<machine>`
stands for the newest pointer that was issued or accepted here, `channel.seen/<channel>/<machine>` for the newest one
that others have seen too: one that was issued here and never published may be overtaken by another's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from orchestrator.canonical import canonical_json
from orchestrator.errors import ConfigError, TrustError, VerificationError
from orchestrator.oci.descriptor import MANIFEST_TYPE, Descriptor, Digest
from orchestrator.oci.layout import Layout
from orchestrator.oci.store import Store
from orchestrator.oci.strict import decode
from orchestrator.revision.assemble import Revision
from orchestrator.revision.parts import CHANNEL, CHANNEL_LIMIT, Name, Natural, Part, Positive, Time
from orchestrator.trust.dsse import ENVELOPE_LIMIT, ENVELOPE_TYPE, Envelope, merge, sign
from orchestrator.trust.public import Signer
from orchestrator.trust.times import check_time

POINTER_TYPE = "application/vnd.pycontainer.channel.v1"
"""The artefact type of the manifest that holds a pointer's envelope."""
POINTER_PAYLOAD = "application/vnd.pycontainer.channel.v1+json"
"""What the envelope says that it signs."""
DEFAULT_CHANNEL = "main"

ChannelName = Annotated[str, msgspec.Meta(pattern=rf"^{CHANNEL}\Z", max_length=CHANNEL_LIMIT)]


class Pointer(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What a channel's signers say: for this product, machine and channel the revision is that one.

    `version` grows by every change. `floor` is the lowest security version that users of the channel may still take,
    and never falls. Times are UTC; `expires` is measured by signed times alone, never by a clock.
    """

    schema_version: Literal[1]
    product: Name
    machine: Name
    channel: ChannelName
    version: Positive
    revision: Digest
    floor: Natural
    security_version: Natural
    issued: Time
    expires: Time | None = None

    def to_bytes(self) -> bytes:
        """Return the canonical bytes that are signed; raises TrustError when a value is out of its range."""
        data = canonical_json({name: value for name, value in msgspec.to_builtins(self).items() if value is not None})
        Pointer.from_bytes(data)
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Pointer:
        """Return a pointer from its canonical bytes; raises TrustError for anything else, or one against itself."""
        pointer = decode(data, cls, "the channel pointer", limit=_LIMIT, canonical=True, error=TrustError)
        check_time(pointer.issued, "the time of the channel pointer")
        if pointer.expires is not None:
            check_time(pointer.expires, "the expiry of the channel pointer")
            if pointer.expires <= pointer.issued:
                raise TrustError("the channel pointer expires before it was issued", f"{pointer.expires}")
        if pointer.security_version < pointer.floor:
            raise TrustError(
                "the channel pointer is against itself",
                f"its security version {pointer.security_version} is below its floor {pointer.floor}",
                "choose a revision with a higher security version, or a lower floor",
            )
        return pointer


_LIMIT = 4096


@dataclass(frozen=True)
class SignedPointer:
    """A pointer with its envelope, and the manifest that carries it. Nothing of it is verified by that."""

    pointer: Pointer
    envelope: Envelope
    manifest: Descriptor

    @property
    def name(self) -> str:
        """How people see it: channel, machine and version."""
        return f"{self.pointer.channel} for {self.pointer.machine}, version {self.pointer.version}"


def check_channel(name: str) -> str:
    """Return a channel's name; raises ConfigError for what is none."""
    if len(name) > CHANNEL_LIMIT or not re.fullmatch(CHANNEL, name):
        raise ConfigError(
            f"not the name of a channel: {name[:80]!r}",
            f"lower-case letters and digits, joined by - or _, {CHANNEL_LIMIT} characters at most",
        )
    return name


def pointer_tag(channel: str, machine: str) -> str:
    """Return the store's tag of the newest pointer that was issued or accepted here."""
    return f"channel.pointer/{check_channel(channel)}/{machine}"


def seen_tag(channel: str, machine: str) -> str:
    """Return the store's tag of the newest pointer that others have seen too."""
    return f"channel.seen/{check_channel(channel)}/{machine}"


def registry_tag(channel: str, machine: str) -> str:
    """Return the tag of a channel's pointer in a registry (tags there have no slash)."""
    return f"channel.{check_channel(channel)}.{machine}"


def read_pointer(layout: Layout, digest: str) -> SignedPointer:
    """Return the pointer that an artefact manifest carries, its form checked and nothing else.

    Raises VerificationError when it is missing or damaged, TrustError when it is no pointer or names another revision
    than its subject.
    """
    manifest = layout.read_manifest(digest)
    if manifest.artifact_type != POINTER_TYPE or len(manifest.layers) != 1:
        raise TrustError(f"{digest} is not a channel pointer", f"it is {manifest.artifact_type or 'something else'}")
    (part,) = manifest.layers
    envelope = Envelope.from_bytes(layout.read_blob(part.digest, limit=ENVELOPE_LIMIT))
    if envelope.payload_type != POINTER_PAYLOAD:
        raise TrustError("the envelope of a channel pointer signs something else", envelope.payload_type[:120])
    pointer = Pointer.from_bytes(envelope.payload)
    if manifest.subject is None or manifest.subject.digest != pointer.revision:
        raise TrustError("a channel pointer hangs on another revision than it names", pointer.revision)
    size = len(layout.read_blob(digest))
    return SignedPointer(pointer, envelope, Descriptor(
        media_type=manifest.media_type, digest=digest, size=size, artifact_type=POINTER_TYPE
    ))  # fmt: skip


def tagged_pointer(layout: Layout, tag: str) -> SignedPointer | None:
    """Return the pointer that a tag stands for, or None when there is no such tag; raises like `read_pointer`."""
    found = layout.resolve(tag)
    return None if found is None else read_pointer(layout, found.digest)


def pointers(layout: Layout) -> list[SignedPointer]:
    """Return each channel's newest pointer in a store, by channel and machine; raises like `read_pointer`."""
    start = "channel.pointer/"
    found = [read_pointer(layout, entry.digest) for name, entry in layout.tags().items() if name.startswith(start)]
    return sorted(found, key=lambda each: (each.pointer.channel, each.pointer.machine))


def next_pointer(
    store: Layout,
    revision: Revision,
    channel: str,
    *,
    now: str,
    floor: int | None = None,
    security_version: int | None = None,
    expires: str | None = None,
) -> Pointer:
    """Return the pointer that moves a channel to a revision: the next version, nothing signed or stored.

    `floor` None keeps the channel's; `security_version` None is the revision's, and cannot be lower. `now` is this
    machine's time: the pointer's own is never before that of the channel's last one, so that a clock that was set back
    stops nobody. Raises TrustError for what those who know the last pointer would refuse.
    """
    config = revision.config
    before = [
        each.pointer
        for tag in (pointer_tag(channel, config.machine), seen_tag(channel, config.machine))
        if (each := tagged_pointer(store, tag)) is not None and each.pointer.product == config.product
    ]
    lowest = max((each.floor for each in before), default=0)
    wanted = lowest if floor is None else floor
    counted = config.security_version if security_version is None else security_version
    if counted < config.security_version:
        raise ConfigError(
            f"the security version cannot be {counted}",
            f"revision {revision.short} was built with {config.security_version}",
            "leave --security-version out, or give a higher one",
        )
    if wanted < lowest:
        raise TrustError(f"the floor of {channel} cannot fall to {wanted}", f"it is {lowest}", "leave --floor out")
    if counted < wanted:
        raise TrustError(
            f"revision {revision.short} is below the floor of channel {channel}",
            f"its security version is {counted}, the floor {wanted}",
            "build it with a higher securityVersion in the product file",
        )
    return Pointer(
        schema_version=1,
        product=config.product,
        machine=config.machine,
        channel=check_channel(channel),
        version=max((each.version for each in before), default=0) + 1,
        revision=revision.id,
        floor=wanted,
        security_version=counted,
        issued=max([now, *(each.issued for each in before)]),
        expires=expires,
    )


def issue(store: Store, pointer: Pointer, signers: Sequence[Signer]) -> SignedPointer:
    """Sign a pointer, attach it to its revision, and let the channel's tag stand for it - last.

    When the tag stands for the same pointer already the signatures are merged, so that signers may sign one after the
    other. Raises TrustError when there is no signer, or the tag stands for the same version of something else or for a
    higher one.
    """
    if not signers:
        raise TrustError("nobody to sign", "no key was given", "'pycontainer key' lists the keys of each role")
    data = pointer.to_bytes()
    made = sign(data, POINTER_PAYLOAD, signers)
    tag = pointer_tag(pointer.channel, pointer.machine)
    with store.locked():
        before = tagged_pointer(store, tag)
        if before is not None and before.envelope.payload == data:
            own = {one.keyid for one in made.signatures}
            others = tuple(one for one in before.envelope.signatures if one.keyid not in own)
            made = merge([made, Envelope(data, POINTER_PAYLOAD, others)])
        elif before is not None and before.pointer.version >= pointer.version:
            raise TrustError(
                f"channel {pointer.channel} moved meanwhile",
                f"version {before.pointer.version} of its pointer was issued",
                "look at it with 'pycontainer channel', and try again",
            )
        try:
            subject = Descriptor(
                media_type=MANIFEST_TYPE,
                digest=pointer.revision,
                size=len(store.read_blob(pointer.revision)),
            )
        except VerificationError as problem:
            raise ConfigError(f"the revision {pointer.revision} is not in the store", problem.why) from problem
        blob = store.put_blob(made.to_bytes(), media_type=ENVELOPE_TYPE, limit=ENVELOPE_LIMIT)
        manifest = store.attach(subject, POINTER_TYPE, [blob])
        store.tag(tag, manifest)
    return SignedPointer(pointer, made, manifest)
