# SPDX-License-Identifier: MIT
"""L1 to L5: each layer of the image."""

from __future__ import annotations

from orchestrator.compliance.bill import LAYER_KINDS, Bill, Element
from orchestrator.compliance.context import Surroundings
from orchestrator.compliance.findings import Findings

_PLACES = ("place", "partition", "path", "mount")
UNOWNED_SHARE = 0.01
"""Of a layer's files at most this share may be in the unowned bucket."""


def run(found: Findings, around: Surroundings) -> None:
    """Look at every layer; see the module for what."""
    bill = found.bill
    if not bill.layers:
        found.skip("the document has no layer", "L1", "L2", "L3", "L4", "L5")
    for layer in bill.layers:
        _stated(found, layer)
        _complete(found, bill, layer)
        _census(found, layer)
    if len(bill.layers) > 1:
        _instances(found, bill)
    else:
        found.skip("only a document of several layers can show it", "L5")


def _stated(found: Findings, layer: Element) -> None:
    found.look("L1", layer.name)
    known = layer.properties
    if "sha256" not in layer.hash_of:
        found.add("L1", layer, "the layer has no digest")
    if known.get("kind") not in LAYER_KINDS:
        found.add("L1", layer, "the layer does not say its kind")
    if not layer.source_info and not any(known.get(name) for name in ("origin", "originuri")):
        found.add("L1", layer, "the layer does not say where it came from")
    if not any(key.endswith(_PLACES) and value for key, value in known.items()):
        found.add("L1", layer, "the layer does not say where it lies on the disk", "warning")


def _complete(found: Findings, bill: Bill, layer: Element) -> None:
    found.look("L2", layer.name)
    edges = [edge for edge in bill.below.get(layer.id, ()) if edge.kind == "contains"]
    stated = layer.properties.get("completeness") or layer.properties.get("components")
    if not stated and (not edges or not all(edge.completeness for edge in edges)):
        found.add("L2", layer, "the layer does not say whether its components are all there is")


def count(element: Element, *names: str) -> int | None:
    """Return the first whole number under one of the names among an element's properties, or None."""
    for name in names:
        text = element.properties.get(name, "")
        if text.isascii() and text.isdecimal() and len(text) < 19:
            return int(text)
    return None


def census(layer: Element) -> tuple[int, int, int, int] | None:
    """Return a layer's files in all, owned, explained and unowned; None without a census."""
    files = count(layer, "censusfiles", "files")
    owned = count(layer, "censusownedfiles", "censusowned", "ownedfiles", "owned")
    explained = count(layer, "censusexplainedfiles", "explainedfiles", "explained")
    unowned = count(layer, "censusunownedfiles", "censusunowned", "unownedfiles", "unowned")
    if files is None or owned is None or unowned is None:
        return None
    return files, owned, explained if explained is not None else files - owned - unowned, unowned


def _census(found: Findings, layer: Element) -> None:
    found.look("L3", layer.name)
    found.look("L4", layer.name)
    counts = census(layer)
    if counts is None:
        found.add("L3", layer, "the layer's files were not counted")
    else:
        files, owned, explained, unowned = counts
        if files != owned + explained + unowned or min(counts) < 0:
            found.add("L3", layer, f"{owned} owned + {explained} explained + {unowned} unowned are not {files} files")
        elif unowned > files * UNOWNED_SHARE:
            found.add("L3", layer, f"{unowned} of {files} files belong to nothing", "warning")
    if not any("removed" in key for key in layer.properties):
        found.add("L4", layer, "the layer does not say which files were removed, if any")


def _instances(found: Findings, bill: Bill) -> None:
    holders: dict[str, set[str]] = {}
    for layer in bill.layers:
        for edge in bill.below.get(layer.id, ()):
            if edge.kind == "contains":
                holders.setdefault(edge.target, set()).add(layer.name)
    for identifier, names in holders.items():
        if len(names) > 1:
            found.add("L5", identifier, f"one instance is in the layers {', '.join(sorted(names))}")
    sources: dict[str, tuple[Element, tuple[str, str]]] = {}
    for component in bill.components:
        found.look("L5", bill.layer_of.get(component.id, ""))
        if not component.purl:
            continue
        mine = (component.properties.get("sourcename", ""), component.properties.get("sourceversion", ""))
        first, known = sources.setdefault(component.purl, (component, mine))
        if known != mine:
            found.add("L5", component, f"its source is {' '.join(mine)}, in {first.id} it is {' '.join(known)}")
