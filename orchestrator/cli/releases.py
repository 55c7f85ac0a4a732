# SPDX-License-Identifier: MIT
"""Releases on the screen: what commit, tag, show, verify and sign say of the index over a product's machines."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from orchestrator.cli.history_common import change_data, change_lines
from orchestrator.cli.plain import Paint, columns
from orchestrator.cli.result import Result
from orchestrator.cli.trust_screens import report_data, report_text
from orchestrator.history.compare import compare
from orchestrator.history.names import Names, release_of
from orchestrator.history.record import Recorded
from orchestrator.history.releases import Committed, Grouped, behind, release_named, renew
from orchestrator.history.signing import Signed
from orchestrator.oci import Store
from orchestrator.product.model import Product
from orchestrator.product.units import format_size
from orchestrator.revision import Release, read_revision
from orchestrator.text import shown
from orchestrator.trust import ProductKeys, Signer, UnverifiedError, VerificationReport, verify_release
from orchestrator.trust.cosign import check_cosign
from orchestrator.trust.explain import verify_all


def meant(product: Product, options: Namespace, names: Names, name: str) -> Release | None:
    """Return the release that a name means, or None: one machine was asked for, or it means a revision."""
    return None if options.machine else release_named(names, name, product.machines)


def recorded_lines(done: Recorded, paint: Paint, *, machine: str = "") -> list[str]:
    """Return what was recorded: its id, and what it changed."""
    comparison = compare(done.parent, done.revision)
    subject = shown(done.revision.config.message.partition("\n")[0])
    first = "" if done.parent else " (first revision)"
    place = f"{done.channel} for {machine}" if machine else done.channel
    lines = [f"[{place}{first} {paint(done.revision.short, 'yellow')}] {subject}"]
    lines += change_lines(comparison, paint, indent=1)
    if done.parent is not None:
        lines.append(f" a device with {done.parent.short} fetches {format_size(comparison.fetch)}")
    return lines


def recorded_data(done: Recorded, grouped: Grouped | None = None) -> dict[str, Any]:
    """Return the same as plain values, with the release that the channel has now."""
    return {
        "revision": done.revision.id,
        "parent": done.parent.id if done.parent else None,
        "channel": done.channel,
        "machine": done.revision.config.machine,
        "message": done.revision.config.message,
        "changes": change_data(compare(done.parent, done.revision)),
    } | grouped_data(grouped)


def committed(done: Committed, unbuilt: str = "not built, and as before") -> Result:
    """The end of a commit for several machines; `unbuilt` is what is said of those that it left alone."""
    paint = Paint()
    lines = []
    for each in done.recorded:
        lines += recorded_lines(each, paint, machine=each.revision.config.machine)
    if done.unbuilt:
        lines.append(f"{unbuilt}: {', '.join(done.unbuilt)}")
    lines += grouped_lines(done.grouped, paint)
    data = recorded_data(done.recorded[0], done.grouped)
    return Result("\n".join(lines), data | {"machines": [recorded_data(each) for each in done.recorded]})


def renewed(product: Product, names: Names, keys: ProductKeys, channel: str = "") -> Grouped | None:
    """Renew the release of a channel after a head of it moved; None for a product with one machine."""
    return renew(names.store, product.machines, channel or names.channel, keys)


def grouped_lines(grouped: Grouped | None, paint: Paint) -> list[str]:
    """Return what is to be said of a channel's release."""
    if grouped is None:
        return []
    release = grouped.release
    line = f"release {paint(release.short, 'yellow')} of {grouped.channel}: {', '.join(release.machines)}"
    if grouped.waits:
        line += f"\n it waits for signatures: {grouped.waits}; their holders: pycontainer sign {grouped.channel}"
    return [line]


def grouped_data(grouped: Grouped | None) -> dict[str, Any]:
    """Return the same as plain values."""
    return {"release": grouped.release.id if grouped else None, "releaseWaits": grouped.waits if grouped else ""}


def line_of(release: Release, paint: Paint) -> str:
    """Return a release in one line: id, product and version, machines."""
    what = " ".join(filter(None, (release.product, release.version)))
    return f"{paint(release.short, 'yellow')}  {shown(what)}  for {', '.join(release.machines)}"


def screen(names: Names, release: Release) -> str:
    """Return all that there is to say of a release."""
    paint, store = Paint(), names.store
    said = names_of(store, release)
    lines = [
        paint(f"release {release.id.removeprefix('sha256:')}", "yellow")
        + (paint(f" ({', '.join(said)})", "cyan") if said else ""),
        f"{shown(' '.join(filter(None, (release.product, release.version))))}, created {release.created}",
        "",
    ]
    moved = behind(store, release)
    rows = [("machine", "platform", "revision", "version", "")]
    for each in release.revisions:
        told = f"its channel is {moved[each.machine][7:19]} now" if each.machine in moved else ""
        rows.append((each.machine, each.platform, each.revision[7:19], shown(each.version), told))
    table = columns(rows)
    return "\n".join([*lines, paint(table[0], "bold"), *table[1:]])


def names_of(store: Store, release: Release) -> list[str]:
    """Return the names that a release has: channels, then tags."""
    found = [name for name, entry in store.tags().items() if entry.digest == release.id]
    lines = [channel for name in found if (channel := release_of(name)) is not None]
    return [*lines, *(f"tag: {name}" for name in found if "/" not in name)]


def data(names: Names, release: Release) -> dict[str, Any]:
    """Return a release as plain values."""
    moved = behind(names.store, release)
    return {
        "release": release.id,
        "product": release.product,
        "version": release.version or None,
        "created": release.created,
        "names": names_of(names.store, release),
        "revisions": [
            {
                "machine": each.machine,
                "platform": each.platform,
                "revision": each.revision,
                "version": each.version,
                "behind": each.machine in moved,
            }
            for each in release.revisions
        ],
    }


def verify(options: Namespace, store: Store, release: Release, keys: ProductKeys) -> Result:
    """Verify a release and each of its revisions; the first that does not verify ends it."""
    reports: list[VerificationReport] = []
    try:
        reports.append(verify_release(store, release.id, keys.public_keys(), keys.threshold, product=keys.product))
        check_cosign(store, release, keys.device_keys(), reports[0])
        for each in release.revisions:
            reports.append(verify_all(store, read_revision(store, each.revision), keys))
    except UnverifiedError as problem:
        reports.append(problem.report)
        if not options.json:
            print(_reports(release, reports), file=sys.stderr)
            raise
        error = {"what": problem.what, "why": problem.why, "hint": problem.hint, "exitCode": problem.exit_code}
        return Result("", _verified(release, reports) | {"error": error}, problem.exit_code)
    return Result(_reports(release, reports), _verified(release, reports))


def _reports(release: Release, reports: Sequence[VerificationReport]) -> str:
    titles = [f"release {release.short}", *(f"{each.machine}  {each.revision[7:19]}" for each in release.revisions)]
    return "\n".join(f"{title}\n{report_text(report)}" for title, report in zip(titles, reports, strict=False))


def _verified(release: Release, reports: Sequence[VerificationReport]) -> dict[str, Any]:
    first = report_data(reports[0])
    return {
        "release": release.id,
        "passed": len(reports) == len(release.revisions) + 1 and all(each.passed for each in reports),
        "steps": first["steps"],
        "keys": first["keys"],
        "revisions": [report_data(each) for each in reports[1:]],
    }


def signed(done: Signed, signers: Sequence[Signer]) -> Result:
    """The end of signing: a release and its revisions, the revisions of several machines, or one."""
    ids = sorted(signer.public.keyid for signer in signers)
    first, grouped = done.revisions[0], done.grouped
    machines = [
        {"machine": each.config.machine, "revision": each.id, "cosign": done.cosign.get(each.id)}
        for each in done.revisions
    ]
    data: dict[str, Any] = {"keys": ids, "machines": machines}
    if grouped is not None:
        what = f"release {grouped.release.short} and its revisions are"
        data |= {"release": grouped.release.id, "waits": grouped.waits, "cosign": done.cosign.get(grouped.release.id)}
    else:
        several = len(done.revisions) > 1
        told = [f"{each.short} for {each.config.machine}" if several else each.short for each in done.revisions]
        what = f"revision{'s' * several} {', '.join(told)} {'are' if several else 'is'}"
        data |= {"revision": first.id, "cosign": done.cosign.get(first.id)}
    text = f"{what} signed by {', '.join(each[:12] for each in ids)}"
    if grouped is not None and grouped.waits:
        text += f"\nit waits for signatures: {grouped.waits}"
    if done.absent:
        text += f"\nnot there, and not signed: {', '.join(done.absent)}"
    if done.cosign:
        text += "\nand for cosign; push it, then: cosign verify --key KEY.pem --insecure-ignore-tlog=true REFERENCE"
    return Result(text, data)
