# SPDX-License-Identifier: MIT
"""`pycontainer bundle`: making, checking and listing bundles."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from orchestrator.bundle import BundledRevision, contents, open_bundle, verify
from orchestrator.bundle import create as create_bundle
from orchestrator.bundle.check import product_of
from orchestrator.cli import screens
from orchestrator.cli.commands import Result, loaded, reporter
from orchestrator.history.names import CANDIDATE, Names
from orchestrator.history.source import SOURCE_TYPE
from orchestrator.oci import Store
from orchestrator.product.load import PRODUCT_FILE, find_product_file, load_product
from orchestrator.product.units import format_size
from orchestrator.remotes.sealing import seal_sources
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
    revisions = [known.load(name) for name in [*names, *(options.revision or [])] or [CANDIDATE]]
    base = known.load(options.base) if options.base else None
    out = options.output or place.build / f"{product.product}-{place.machine}-{revisions[0].short}.tar"
    with reporter(options.json) as report, report.step("bundle") as step:
        keys = load_keys(product.product)
        role = keys.role("revision")
        signers = keys.signers() if any(key.private and role.has(key.public.keyid) for key in keys.keys) else []
        seal_sources(store, [each.id for each in revisions], signers, keys.device_keys())
        made = create_bundle(
            store, revisions, keys, out, base=base, also=(SOURCE_TYPE, POINTER_TYPE),
            progress=report.view.amount,
        )  # fmt: skip
        step.result = format_size(made.size)
    shown = ", ".join(f"{each.short} ({each.config.version})" for each in revisions)
    text = f"{screens.near(str(made.path))}: revision {shown}, {made.blobs} blobs, {format_size(made.size)}"
    if base is not None:
        text += f"\nwithout {made.left_out} blobs, {format_size(made.saved)}, that revision {base.short} has"
    data = {
        "bundle": str(made.path), "size": made.size, "revisions": list(made.revisions), "blobs": made.blobs,
        "base": base.id if base else None, "leftOut": made.left_out, "saved": made.saved,
    }  # fmt: skip
    return Result(text, data)


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
    rows.append(("ok", "blobs", f"{found.blobs}, {format_size(found.bytes)}, each with its digest"))
    rows += [("-", digest[7:19], "nothing in the bundle leads to it") for digest in found.unused]
    data = {
        "bundle": str(options.bundle),
        "product": product,
        "blobs": found.blobs,
        "bytes": found.bytes,
        "unused": found.unused,
        "revisions": [_data(entry) | {"keys": steps.keyids} for entry, steps in found.revisions],
    }
    return Result(screens.render(screens.table([("", "left"), ("step", "left"), ("detail", "left")], rows)), data)


def ls(options: Namespace) -> Result:
    """`pycontainer bundle ls`."""
    with open_bundle(options.bundle) as bundle:
        found = contents(bundle)
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
    }
    return Result(screens.render(screens.table(columns, rows)), data)


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
