# SPDX-License-Identifier: MIT
"""A1 to A5: the image as the sum of its layers, and the image itself."""

from __future__ import annotations

from collections import Counter

from orchestrator.compliance.bill import Bill, Element
from orchestrator.compliance.context import Surroundings
from orchestrator.compliance.findings import Findings
from orchestrator.errors import PyContainerError

Identity = tuple[str, str, str, str, tuple[tuple[str, str], ...]]


def run(found: Findings, around: Surroundings) -> None:
    """Look at an aggregate; see the module for what."""
    bill = found.bill
    if around.layers is None:
        found.skip("the layers' own documents were not given", "A1", "A3")
    else:
        _union(found, bill, around)
    _image(found, bill, around)
    if around.signed is None:
        found.skip("no attestation was given", "A4")
    else:
        found.look("A4")
        try:
            around.signed()
        except PyContainerError as problem:
            found.add("A4", "document", " ".join(filter(None, (problem.what, problem.why))))
    if around.rebuilt is None or around.original is None:
        found.skip("no rebuild was given to compare with", "A5")
    else:
        found.look("A5")
        if around.rebuilt != around.original:
            found.add("A5", "document", "a rebuild gave other bytes")


def identity(layer: str, element: Element) -> Identity:
    """Return what tells a component from others: equal in the layer's document and in the aggregate."""
    return layer, element.name, element.version, element.purl, (("id", element.id), *sorted(element.hashes))


def _union(found: Findings, bill: Bill, around: Surroundings) -> None:
    layers = around.layers or {}
    mine = {layer.name for layer in bill.layers}
    found.look("A1")
    for name in sorted(set(layers) - mine):
        found.add("A1", "document", f"the layer {name} is missing")
    for layer in bill.layers:
        found.look("A1", layer.name)
        found.look("A3", layer.name)
        other = layers.get(layer.name)
        if other is None:
            found.add("A1", layer, "the layer has no document of its own")
            continue
        here = Counter(identity(layer.name, each) for each in bill.members(layer.name))
        there = Counter(identity(layer.name, each) for each in other.components)
        for key, _ in (there - here).items():
            found.add("A1", layer, f"{key[1]} {key[2]} of the layer's document is missing")
        for key, _ in (here - there).items():
            found.add("A1", layer, f"{key[1]} {key[2]} is not in the layer's document")
        if here.total() != there.total():
            found.add("A3", layer, f"{here.total()} components here, {there.total()} in the layer's document")
        own = next((each for each in other.layers if each.name == layer.name), None)
        if own is not None and sorted(own.hashes) != sorted(layer.hashes):
            found.add("A1", layer, "its digests are not those of the layer's document")
    total = len(bill.components)
    summed = sum(len(other.components) for other in layers.values())
    found.look("A3")
    if total != summed:
        found.add("A3", "document", f"{total} components here, {summed} in the layers' documents")


def _image(found: Findings, bill: Bill, around: Surroundings) -> None:
    if around.image is None and around.blobs is None:
        found.skip("no image was given", "A2")
        return
    found.look("A2", count=1 + len(bill.layers))
    root = bill.root
    for algorithm, value in sorted((around.image or {}).items()):
        if root is not None and root.hash_of.get(algorithm) != value:
            found.add("A2", root, f"the file's {algorithm} is {value[:16]}..., not the one stated")
    if around.blobs is None:
        return
    for layer in bill.layers:
        stated = [f"sha256:{value}" for algorithm, value in layer.hashes if algorithm == "sha256"]
        for digest in stated:
            if digest not in around.blobs:
                found.add("A2", layer, f"{digest[:19]}... is not in the image")
