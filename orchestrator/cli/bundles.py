# SPDX-License-Identifier: MIT
"""`pycontainer bundle`: making, checking and listing bundles."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.bundle import BundledRelease, BundledRevision, contents, open_bundle, releases, verify
from orchestrator.bundle import create as create_bundle
from orchestrator.bundle.check import product_of
from orchestrator.cli import screens
from orchestrator.cli.commands import Result, loaded, reporter
from orchestrator.cli.plain import Paint
from orchestrator.cli.releases import line_of as release_line
from orchestrator.history.names import CANDIDATE, Names
from orchestrator.history.names import release_of as channel_of_release
from orchestrator.history.releases import release_meant
from orchestrator.history.several import meant
from orchestrator.history.source import SOURCE_TYPE
from orchestrator.oci import Store
from orchestrator.product.load import PRODUCT_FILE, find_product_file, load_product
from orchestrator.product.units import format_size
from orchestrator.remotes.sealing import seal_sources
from orchestrator.revision import Release, Revision
from orchestrator.trust import load_keys
from orchestrator.trust.channel import POINTER_TYPE


def create(options: Namespace) -> Result:
    """`pycontainer bundle create`."""
    names = list(options.names)
    if names and _is_product(names[0]):
        options.product = Path(names.pop(0))
    product, place = loaded(options)
    store = Store.open(place.store)
    known = Names(store, place.machine)
    words = [*names, *(options.revision or [])] or [CANDIDATE]
    named = [meant(known, each, product.machines, options.machine) for each in words]
    revisions = list({each.id: each for one in named for each in one.revisions}.values())
    bases = meant(known, options.base, product.machines, options.machine).revisions if options.base else ()
    with reporter(options.json) as report, report.step("bundle") as step:
        keys = load_keys(product.product)
        role = keys.role("revision")
        signers = keys.signers() if any(key.private and role.has(key.public.keyid) for key in keys.keys) else []
        grouped = [each for one in named if (each := release_meant(one, known, product.machines, keys, signers))]
        out = options.output or place.build / _file_name(product.product, revisions, grouped)
        seal_sources(store, [each.id for each in revisions], signers, keys.device_keys())
        made = create_bundle(
            store, revisions, keys, out, base=bases, releases=grouped, also=(SOURCE_TYPE, POINTER_TYPE),
            progress=report.view.amount,
        )  # fmt: skip
        step.result = format_size(made.size)
    several = len({each.config.machine for each in revisions}) > 1
    shown = ", ".join(_told(each, several) for each in revisions)
    text = f"{screens.near(str(made.path))}: revision {shown}, {made.blobs} blobs, {format_size(made.size)}"
    text += "".join(f"\nrelease {release_line(each, Paint())}" for each in grouped)
    if bases:
        owner = ", ".join(each.short for each in bases)
        who = f"revisions {owner} have" if len(bases) > 1 else f"revision {owner} has"
        text += f"\nwithout {made.left_out} blobs, {format_size(made.saved)}, that {who}"
    absent = {word: list(one.absent) for word, one in zip(words, named, strict=True) if one.absent}
    text += "".join(f"\nnot in it: {word} for {', '.join(each)}, which has none" for word, each in absent.items())
    data = {
        "bundle": str(made.path), "size": made.size, "revisions": list(made.revisions), "blobs": made.blobs,
        "base": bases[0].id if bases else None, "leftOut": made.left_out, "saved": made.saved,
        "releases": list(made.releases), "bases": [each.id for each in bases],
        "absent": sorted({machine for each in absent.values() for machine in each}),
    }  # fmt: skip
    return Result(text, data)


def _told(revision: Revision, several: bool) -> str:
    machine = f" for {revision.config.machine}" if several else ""
    return f"{revision.short} ({revision.config.version}{machine})"


def _file_name(product: str, revisions: Sequence[Revision], releases: Sequence[Release]) -> str:
    """Return what a bundle is called: after its machine and revision, or its release where it is for several."""
    first = revisions[0]
    if len({each.config.machine for each in revisions}) == 1:
        return f"{product}-{first.config.machine}-{first.short}.tar"
    return f"{product}-{releases[0].short if releases else first.short}.tar"


def _is_product(word: str) -> bool:
    """Whether a word is the path of a product; as a revision's name it would have no slash, and no such file."""
    path = Path(word)
    return (path / PRODUCT_FILE).is_file() or (path.is_file() and path.suffix in (".yaml", ".yml"))


def check(options: Namespace) -> Result:
    """`pycontainer bundle verify`."""
    with open_bundle(options.bundle) as bundle, reporter(options.json) as report:
        product = product_of(bundle)
        if options.product is not None:
            product = load_product(find_product_file(options.product)).product
        keys = load_keys(product)
        with report.step("read the bundle") as step:
            found = verify(bundle, keys, progress=report.view.amount)
            step.result = format_size(found.bytes)
    rows: list[tuple[str, str, str]] = []
    for entry, steps in found.revisions:
        rows.append(("", f"revision {entry.revision.short}", f"{product} {entry.revision.config.version}"))
        rows += [("ok" if step.outcome == "passed" else "-", step.name, step.detail) for step in steps.steps]
        if entry.absent:
            detail = f"{len(entry.absent)} of its blobs, {format_size(entry.size - entry.present)}: "
            detail += ", ".join(f"{blob.layer} {blob.role}" for blob in entry.absent)
            rows.append(("-", f"in base {entry.base[7:19]}", detail))
    for grouped, steps in found.releases:
        said = grouped.release
        rows.append(("", f"release {said.short}", " ".join(filter(None, (said.product, said.version)))))
        rows += [("ok" if step.outcome == "passed" else "-", step.name, step.detail) for step in steps.steps]
    rows.append(("ok", "blobs", f"{found.blobs}, {format_size(found.bytes)}, each with its digest"))
    rows += [("-", digest[7:19], "nothing in the bundle leads to it") for digest in found.unused]
    data = {
        "bundle": str(options.bundle),
        "product": product,
        "blobs": found.blobs,
        "bytes": found.bytes,
        "unused": found.unused,
        "revisions": [_data(entry) | {"keys": steps.keyids} for entry, steps in found.revisions],
        "releases": [_release_data(grouped) | {"keys": steps.keyids} for grouped, steps in found.releases],
    }
    return Result(screens.render(screens.table([("", "left"), ("step", "left"), ("detail", "left")], rows)), data)


def ls(options: Namespace) -> Result:
    """`pycontainer bundle ls`."""
    with open_bundle(options.bundle) as bundle:
        found = contents(bundle)
        grouped = releases(bundle)
        heads = {
            entry.digest: name.split("/")[1] for name, entry in bundle.tags().items() if name.startswith("channel/")
        }
    columns = [
        ("revision", "left"), ("product", "left"), ("version", "left"), ("machine", "left"), ("size", "right"),
        ("here", "right"), ("base", "left"), ("channel", "left"),
    ]  # fmt: skip
    rows = [
        (
            entry.revision.short, entry.revision.config.product, entry.revision.config.version,
            entry.revision.config.machine, format_size(entry.size), format_size(entry.present), entry.base[7:19],
            heads.get(entry.revision.id, ""),
        )
        for entry in found
    ]  # fmt: skip
    data = {
        "bundle": str(options.bundle),
        "revisions": [_data(entry) | {"channel": heads.get(entry.revision.id)} for entry in found],
        "releases": [_release_data(each) for each in grouped],
    }
    text = screens.render(screens.table(columns, rows))
    for each in grouped:
        called = f"  ({', '.join(_called(each))})" if each.names else ""
        text += f"\nrelease  {release_line(each.release, Paint())}{called}"
    return Result(text, data)


def _called(grouped: BundledRelease) -> list[str]:
    """Return the names of a release as one gives them: its channels, then its tags."""
    lines = [line for name in grouped.names if (line := channel_of_release(name)) is not None]
    return [*lines, *(name for name in grouped.names if channel_of_release(name) is None)]


def _release_data(grouped: BundledRelease) -> dict[str, Any]:
    release = grouped.release
    return {
        "release": release.id,
        "product": release.product,
        "version": release.version or None,
        "machines": release.machines,
        "names": _called(grouped),
    }


def _data(entry: BundledRevision) -> dict[str, Any]:
    config = entry.revision.config
    return {
        "revision": entry.revision.id,
        "product": config.product,
        "version": config.version,
        "machine": config.machine,
        "created": config.created,
        "size": entry.size,
        "present": entry.present,
        "documents": entry.documents,
        "base": entry.base or None,
        "absent": [
            {"digest": blob.digest, "size": blob.size, "layer": blob.layer, "role": blob.role} for blob in entry.absent
        ],
    }
