# SPDX-License-Identifier: MIT
"""How root documents, channels and verifications are shown."""

from __future__ import annotations

from typing import Any

from orchestrator.cli import screens
from orchestrator.trust import Proposal, SignedPointer, VerificationReport

_OUTCOMES = {"passed": "ok", "ignored": "-", "failed": "FAILED"}


def proposal_text(proposal: Proposal) -> str:
    """Return how a root document stands: in force, or what it waits for and what to do."""
    number = proposal.document.root.version
    if proposal.in_force:
        return f"root document {number} is in force; push it, and build a revision that brings its keys to the devices"
    lines = [f"root document {number} waits for signatures, {proposal.path}", *(f"  {one}" for one in proposal.lacking)]
    lines += [
        f"  hand it over:  pycontainer trust export --pending -o root.{number}.json",
        f"  their holders: pycontainer trust sign root.{number}.json",
        f"  and back here: pycontainer trust import root.{number}.json",
    ]
    return "\n".join(lines)


def proposal_data(proposal: Proposal | None) -> dict[str, Any] | None:
    """Return the same for machines."""
    if proposal is None:
        return None
    return {
        "version": proposal.document.root.version, "inForce": proposal.in_force, "lacking": list(proposal.lacking),
        "file": str(proposal.path) if proposal.path else None,
    }  # fmt: skip


def report_text(report: VerificationReport) -> str:
    """Return a table of the steps of a verification."""
    rows = [(_OUTCOMES[step.outcome], step.name, step.detail) for step in report.steps]
    return screens.render(screens.table([("", "left"), ("step", "left"), ("detail", "left")], rows))


def report_data(report: VerificationReport) -> dict[str, Any]:
    """Return the same for machines."""
    steps = [{"name": step.name, "outcome": step.outcome, "detail": step.detail} for step in report.steps]
    return {"revision": report.revision, "passed": report.passed, "steps": steps, "keys": report.keyids}


def pointer_data(found: SignedPointer, seen: SignedPointer | None) -> dict[str, Any]:
    """Return what there is to say of a channel's pointer, for machines."""
    pointer = found.pointer
    return {
        "channel": pointer.channel, "machine": pointer.machine, "version": pointer.version,
        "revision": pointer.revision, "floor": pointer.floor, "securityVersion": pointer.security_version,
        "issued": pointer.issued, "expires": pointer.expires, "manifest": found.manifest.digest,
        "published": seen is not None and seen.pointer.version >= pointer.version,
        "signers": sorted({one.keyid for one in found.envelope.signatures}),
    }  # fmt: skip
