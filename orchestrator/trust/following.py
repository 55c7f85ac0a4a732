# SPDX-License-Identifier: MIT
"""Following a channel: a pointer is taken when enough of the channel's keys signed it and it leads forward.

What was seen before is the measure, as in TUF (specification 1.0.33, sections 5.4 and 5.5): a lower version is a
downgrade, the same version with other content a fork, an older time a freeze. A pointer by keys that the channel has
no longer binds nobody, so that a thief who issued the highest number cannot stop the channel for ever.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.errors import PyContainerError, TrustError
from orchestrator.oci.layout import Layout
from orchestrator.oci.store import Store
from orchestrator.trust.channel import (
    POINTER_PAYLOAD,
    Pointer,
    SignedPointer,
    pointer_tag,
    read_pointer,
    seen_tag,
    tagged_pointer,
)
from orchestrator.trust.report import UnverifiedError, VerificationReport
from orchestrator.trust.role import Role
from orchestrator.trust.times import BEGINNING


def time_floor(layout: Layout, product: str, role: Role, times: Iterable[str] = ()) -> str:
    """Return the newest signed time that a store knows: it is not earlier than that, whatever a clock says.

    Counted are the pointers of the product that the role's keys signed, and `times`, those of root documents.
    """
    found = [BEGINNING, *times]
    for name, entry in layout.tags().items():
        if name.startswith(("channel.pointer/", "channel.seen/")):
            try:
                each = read_pointer(layout, entry.digest)
            except PyContainerError:
                continue
            if each.pointer.product == product and _signed(each, role):
                found.append(each.pointer.issued)
    return max(found)


def verify_pointer(
    found: SignedPointer,
    role: Role,
    *,
    product: str,
    machine: str,
    channel: str,
    seen: SignedPointer | None = None,
    time: str = BEGINNING,
) -> VerificationReport:
    """Verify a pointer and return what was checked, step by step; works offline and reads no clock.

    `role` are the channel's keys, `seen` is the newest pointer of this channel that was accepted before, `time` the
    newest signed time known (`time_floor`). Raises UnverifiedError (exit code 7) with the report when a step fails.
    """
    report = VerificationReport(found.pointer.revision)
    pointer = found.pointer
    _step(report, found, "channel", *_same(pointer, product, machine, channel))
    valid = found.envelope.valid_keys(role.keys) if found.envelope.payload_type == POINTER_PAYLOAD else []
    report.keyids = valid
    detail = f"{len(valid)} of the {len(role.keys)} keys of the channel signed it; {role.threshold} must"
    _step(report, found, "channel signatures", role.threshold >= 1 and len(valid) >= role.threshold, detail)
    if seen is not None and not _signed(seen, role):
        report.ignore("channel history", "the pointer known before is by keys that the channel has no longer")
        seen = None
    if seen is not None:
        for passed, text in _forward(found, seen):
            _step(report, found, "channel history", passed, text)
    else:
        report.note("channel history", True, f"version {pointer.version} is the first one seen here")
    if pointer.expires is not None:
        text = f"valid until {pointer.expires}, and it is {time} at least"
        _step(report, found, "channel expiry", time < pointer.expires, text)
    detail = f"security version {pointer.security_version}, not below the floor {pointer.floor}"
    _step(report, found, "channel floor", pointer.security_version >= pointer.floor, detail)
    return report


def accept_pointer(
    store: Store, digest: str, role: Role, *, product: str, machine: str, channel: str, times: Iterable[str] = ()
) -> SignedPointer:
    """Verify a pointer that others published, by its manifest's digest in the store, and remember it as seen.

    The channel's own tag follows, unless a higher version was issued here meanwhile. The same pointer again changes
    nothing. Call it for what was fetched, and for the own pointer when it was pushed. Raises UnverifiedError (exit
    code 7) for what is not to be trusted or leads back; nothing is then remembered.
    """
    found = read_pointer(store, digest)
    with store.locked():
        seen = known_pointer(store, channel, machine)
        time = time_floor(store, product, role, times)
        verify_pointer(found, role, product=product, machine=machine, channel=channel, seen=seen, time=time)
        own = tagged_pointer(store, pointer_tag(channel, machine))
        if own is None or own.pointer.version <= found.pointer.version or not _signed(own, role):
            store.tag(pointer_tag(channel, machine), found.manifest)
        store.tag(seen_tag(channel, machine), found.manifest)
    return found


def known_pointer(layout: Layout, channel: str, machine: str) -> SignedPointer | None:
    """Return the newest pointer of a channel that was published as far as this store knows."""
    return tagged_pointer(layout, seen_tag(channel, machine))


def check_revision(found: Pointer, product: str, machine: str, security_version: int) -> None:
    """Compare a pointer with the facts of the revision that it leads to; raises TrustError when they differ."""
    if (product, machine) != (found.product, found.machine) or security_version > found.security_version:
        raise TrustError(
            f"channel {found.channel} leads to a revision that is not what its pointer says",
            f"{product} for {machine}, security version {security_version}; the pointer says {found.product} for "
            f"{found.machine}, {found.security_version}",
            "do not use it; ask who signed the channel",
        )


def _same(pointer: Pointer, product: str, machine: str, channel: str) -> tuple[bool, str]:
    got = (pointer.product, pointer.machine, pointer.channel)
    text = f"{pointer.channel} of {pointer.product} for {pointer.machine}, version {pointer.version}"
    if got == (product, machine, channel):
        return True, text
    return False, f"it is {text}; wanted is {channel} of {product} for {machine}"


def _forward(found: SignedPointer, seen: SignedPointer) -> Iterable[tuple[bool, str]]:
    new, old = found.pointer, seen.pointer
    yield (
        new.version >= old.version,
        f"version {new.version} after {old.version}"
        if (new.version >= old.version)
        else f"a downgrade: version {new.version}, and {old.version} was seen already",
    )
    if new.version == old.version:
        same = found.envelope.payload == seen.envelope.payload
        yield (
            same,
            "the one that was seen before" if same else f"a fork: another version {new.version} was seen already",
        )
    yield new.issued >= old.issued, f"issued {new.issued}, the last one {old.issued}"
    yield new.floor >= old.floor, f"floor {new.floor}, it was {old.floor}"


def _signed(found: SignedPointer, role: Role) -> bool:
    return role.threshold >= 1 and len(found.envelope.valid_keys(role.keys)) >= role.threshold


def _step(report: VerificationReport, found: SignedPointer, name: str, passed: bool, detail: str) -> None:
    if not report.note(name, passed, detail):
        raise UnverifiedError(
            f"channel {found.name}, is refused",
            f"{name}: {detail}",
            "ask whoever signs the channel, or fetch it from another place; 'pycontainer channel' shows what is known",
            report,
        )
