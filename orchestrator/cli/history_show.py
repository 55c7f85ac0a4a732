# SPDX-License-Identifier: MIT
"""`pycontainer show`: a revision with what it changed, its layers and their blobs."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.cli import releases
from orchestrator.cli.history_common import change_data, change_lines, opened
from orchestrator.cli.history_log import decorations
from orchestrator.cli.plain import Paint, columns
from orchestrator.cli.result import Result
from orchestrator.errors import VerificationError
from orchestrator.history.compare import Comparison, compare
from orchestrator.history.names import CANDIDATE, Names
from orchestrator.history.several import meant
from orchestrator.oci import Store
from orchestrator.product.load import PRODUCT_FILE
from orchestrator.product.units import format_size
from orchestrator.revision import Revision, read_revision
from orchestrator.text import shown


def show(options: Namespace) -> Result:
    """`pycontainer show`."""
    revisions = list(options.names)
    # A product's folder may be named as with other commands; no revision is called like one.
    if revisions and (Path(revisions[0]) / PRODUCT_FILE).is_file():
        options.product = Path(revisions.pop(0))
    product, _, names = opened(options)
    texts, data = [], []
    for name in revisions or [options.revision or CANDIDATE]:
        if (release := releases.meant(product, options, names, name)) is not None:
            texts.append(releases.screen(names, release))
            data.append(releases.data(names, release))
            continue
        for revision in meant(names, name, product.machines, options.machine, every=True).revisions:
            change = _change(names.store, revision)
            texts.append(_screen(replace(names, machine=revision.config.machine), revision, change))
            data.append(_data(revision, change))
    return Result("\n\n".join(texts), data[0] if len(data) == 1 else {"revisions": data})


def _change(store: Store, revision: Revision) -> Comparison | None:
    """What a revision changed from its first parent; None where that is not here."""
    if not revision.config.parents:
        return None
    try:
        return compare(read_revision(store, revision.config.parents[0]), revision)
    except VerificationError:
        return None


def _data(revision: Revision, change: Comparison | None) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(revision.config)
    return data | {"revision": revision.id, "changes": change_data(change) if change else None}


def _screen(names: Names, revision: Revision, change: Comparison | None) -> str:
    paint, config = Paint(), revision.config
    said = decorations(names, [names.machine]).get(revision.id, [])
    lines = [paint(f"revision {revision.hex}", "yellow") + (paint(f" ({', '.join(said)})", "cyan") if said else "")]
    lines.append(f"{config.product} {config.version} for {config.machine}, created {config.created}")
    if config.security_version:
        lines.append(f"security version {config.security_version}")
    if config.parents:
        lines.append("parent " + ", ".join(parent[7:19] for parent in config.parents))
    if config.message:
        lines += ["", *(f"    {shown(line)}".rstrip() for line in config.message.splitlines())]
    if change is not None:
        changed = change_lines(change, paint, indent=2)
        lines += ["", "What it changed:", *(changed or ["  nothing"])]
    rows = [("layer", "version", "role", "size", "digest")]
    versions = {layer.name: layer.version for layer in config.layers}
    for blob in revision.blobs():
        digest = blob.digest.removeprefix("sha256:")[:16]
        here = "" if names.store.has_blob(blob.digest, blob.size) else "  (not in the store)"
        rows.append((blob.layer, versions[blob.layer], blob.role, format_size(blob.size), digest + here))
    table = columns(rows, right=(3,))
    return "\n".join([*lines, "", paint(table[0], "bold"), *table[1:]])
