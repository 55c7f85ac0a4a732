# SPDX-License-Identifier: MIT
"""What the commands of history share: finding the store, and saying in lines what differs."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from orchestrator.build.workspace import Workspace
from orchestrator.cli.plain import Paint, columns
from orchestrator.cli.result import loaded
from orchestrator.history.compare import Comparison, LayerChange
from orchestrator.history.names import DEFAULT_CHANNEL, Names, check_channel
from orchestrator.oci import Store
from orchestrator.product.model import Product
from orchestrator.product.units import format_size
from orchestrator.revision import LayerBlob, Revision
from orchestrator.text import shown

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def opened(options: Namespace) -> tuple[Product, Workspace, Names]:
    """Return the product, its folders, and the names of the revisions in its store; ConfigError without a store."""
    product, place = loaded(options)
    channel = getattr(options, "channel", DEFAULT_CHANNEL)
    check_channel(channel)
    return product, place, Names(Store.open(place.store), place.machine, channel)


def named(revision: Revision, paint: Paint) -> str:
    """Return a revision in one line: id, product and version, and what was said of it."""
    subject = revision.config.message.strip().partition("\n")[0]
    line = f"{paint(revision.short, 'yellow')}  {revision.config.product} {revision.config.version}"
    return f"{line}  {shown(subject)}".rstrip()


def change_lines(comparison: Comparison, paint: Paint, *, indent: int = 0) -> list[str]:
    """Return the layers that differ, each with versions and sizes, and the settings of the whole."""
    rows, styles, described = [], [], []
    for layer in comparison.layers:
        if layer.change == "changed" and not layer.blobs and not layer.settings and len(set(layer.versions)) == 1:
            described.append(layer.name)
            continue
        sign, style = _SIGNS[layer.change]
        rows.append((sign, layer.name, layer.kind, _versions(layer), _sizes(layer), what_changed(layer)))
        styles.append(style)
    lines = [paint(line, style) for line, style in zip(columns(rows, indent=indent), styles, strict=True)]
    for each in comparison.settings:
        value = f"{each.name}: {_value(each.before)} -> {_value(each.after)}"
        lines.append(paint(f"{' ' * indent}~  {shown(value)}", "yellow"))
    if described:
        lines.append(paint(f"{' ' * indent}~  documents only: {', '.join(described)}", "dim"))
    if comparison.reordered:
        lines.append(f"{' ' * indent}~  the order of the layers")
    return lines


def _value(value: Any) -> str:
    text = "none" if value in (None, "", [], {}) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _versions(layer: LayerChange) -> str:
    before, after = layer.versions
    return shown(before or after if before == after or not (before and after) else f"{before} -> {after}")


def _sizes(layer: LayerChange) -> str:
    before, after = layer.sizes
    if layer.change != "changed" or before == after:
        return format_size(after or before)
    sign = "+" if after > before else "-"
    return f"{format_size(before)} -> {format_size(after)} ({sign}{format_size(abs(after - before))})"


def what_changed(layer: LayerChange) -> str:
    """Return what differs in a layer: blobs by their roles, settings by their names."""
    if layer.change != "changed":
        return layer.change
    parts = [each.role for each in layer.blobs] + [each.name for each in layer.settings]
    return ", ".join(parts) or "its version"


def change_data(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain values for JSON; sizes in bytes."""
    return {
        "before": comparison.before.id if comparison.before else None,
        "after": comparison.after.id,
        "fetch": comparison.fetch,
        "reordered": comparison.reordered,
        "settings": [{"name": each.name, "before": each.before, "after": each.after} for each in comparison.settings],
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "change": layer.change,
                "versions": list(layer.versions),
                "sizes": list(layer.sizes),
                "fetch": layer.fetch,
                "blobs": [
                    {"role": each.role, "before": _blob(each.before), "after": _blob(each.after)}
                    for each in layer.blobs
                ],
                "settings": [
                    {"name": each.name, "before": each.before, "after": each.after} for each in layer.settings
                ],
            }
            for layer in comparison.layers
        ],
    }


def _blob(blob: LayerBlob | None) -> dict[str, Any] | None:
    return {"digest": blob.digest, "size": blob.size} if blob else None
