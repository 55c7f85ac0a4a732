# SPDX-License-Identifier: MIT
"""Verifying all that is said of a revision: root documents, signatures, channels, cosign; offline, step by step."""

from __future__ import annotations

from orchestrator.errors import PyContainerError
from orchestrator.oci.layout import Layout
from orchestrator.revision.assemble import Revision
from orchestrator.trust.channel import POINTER_TYPE, SignedPointer, pointer_tag, read_pointer, tagged_pointer
from orchestrator.trust.cosign import check_cosign
from orchestrator.trust.following import known_pointer, time_floor, verify_pointer
from orchestrator.trust.keys import ProductKeys
from orchestrator.trust.report import UnverifiedError, VerificationReport
from orchestrator.trust.sign import verify_revision


def verify_all(layout: Layout, revision: Revision, keys: ProductKeys, *, blobs: bool = True) -> VerificationReport:
    """Verify a revision of a store or bundle and all that is attached to it, and return each step.

    Raises UnverifiedError (exit code 7) with the report when the root documents are too old, the revision is not
    signed as required, a blob is damaged, or a channel that stands for it here does not verify. Pointers and cosign
    signatures that are worth nothing are told and ignored: anybody may attach one.
    """
    before = VerificationReport(revision.id)
    time = time_floor(layout, keys.product, keys.role("channel"), keys.times())
    _check_roots(keys, time, before)
    try:
        report = verify_revision(
            layout, revision, keys.public_keys(), keys.threshold, product=keys.product, blobs=blobs
        )
    except UnverifiedError as problem:
        problem.report.steps[:0] = before.steps
        raise
    report.steps[:0] = before.steps
    _check_channels(layout, revision, keys, time, report)
    check_cosign(layout, revision, keys.device_keys(), report)
    return report


def _check_roots(keys: ProductKeys, time: str, report: VerificationReport) -> None:
    if keys.chain is None:
        report.ignore("root", f"no root document: the keys in {keys.folder} are trusted as they are")
        return
    for each in keys.chain.documents:
        role = each.root.role("root")
        signed = len(each.envelope.valid_keys(role.keys))
        report.note(
            f"root {each.root.version}",
            True,
            f"of {each.root.issued}, signed by {signed} of its {len(role.keys)} root keys; {role.threshold} must",
        )
    expires = keys.chain.current.expires
    if expires is not None and not report.note("root expiry", time < expires, f"{expires}; it is {time} at least"):
        raise UnverifiedError(
            "the root document is too old",
            f"it expired at {expires}, and something was signed at {time}",
            "fetch the next one, or let the root keys sign one: pycontainer trust renew",
            report,
        )


def _check_channels(
    layout: Layout, revision: Revision, keys: ProductKeys, time: str, report: VerificationReport
) -> None:
    for entry in layout.referrers(revision.id, POINTER_TYPE):
        try:
            found = read_pointer(layout, entry.digest)
            pointer = found.pointer
            seen = known_pointer(layout, pointer.channel, pointer.machine)
            own = tagged_pointer(layout, pointer_tag(pointer.channel, pointer.machine))
        except PyContainerError as problem:
            report.ignore(f"channel {entry.digest[7:19]}", f"{problem.what}: {problem.why}")
            continue
        newest = [each for each in (own, seen) if each is not None]
        in_force = not newest or found.manifest.digest in {each.manifest.digest for each in newest}
        if not in_force:
            report.ignore(f"channel {pointer.channel}", _moved_on(found, newest))
            continue
        try:
            steps = verify_pointer(
                found,
                keys.role("channel"),
                product=revision.config.product,
                machine=revision.config.machine,
                channel=pointer.channel,
                seen=seen if seen is not None and seen.pointer.version <= pointer.version else None,
                time=time,
            ).steps
        except UnverifiedError as problem:
            report.ignore(f"channel {pointer.channel}", problem.why)
            continue
        report.steps += steps


def _moved_on(found: SignedPointer, newest: list[SignedPointer]) -> str:
    now = max(each.pointer.version for each in newest)
    return f"version {found.pointer.version} stood for it; the channel is at version {now} by now"
