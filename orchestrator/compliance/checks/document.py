# SPDX-License-Identifier: MIT
"""D1 to D11: the document as a whole."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from orchestrator.compliance.context import Surroundings
from orchestrator.compliance.findings import Findings
from orchestrator.sbom import spdxlist

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#<>\"{}|\\^`]+\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
_REACHING = ("contains", "dependsOn", "hasDynamicLink", "hasStaticLink", "generates", "descendantOf",
             "hasDistributionArtifact", "hasOptionalDependency", "hasProvidedDependency")  # fmt: skip
HERE = "document"


def run(found: Findings, around: Surroundings) -> None:
    """Look at a document; see the module for what."""
    bill = found.bill
    for check in ("D1", "D2", "D3", "D4", "D6", "D7", "D8", "D9"):
        found.look(check)
    for flaw in bill.flaws:
        found.add(flaw.check, flaw.element or HERE, flaw.message)
    if not bill.name:
        found.add("D1", HERE, "the document has no name")
    if not _URI.match(bill.uri):
        found.add("D2", HERE, "its URI is not absolute, or has a fragment")
    elif bill.expected_uri and bill.uri != bill.expected_uri:
        found.add("D2", HERE, f"its URI is not the one of this content, {bill.expected_uri}")
    _made(found, around)
    if bill.format == "SPDX-3.0.1":
        found.look("D5")
        if bill.sbom_types != ("build",):
            found.add("D5", HERE, f"its type is {', '.join(map(str, bill.sbom_types)) or 'not stated'}")
    else:
        found.skip("SPDX 2.3 has no field for it", "D5")
    if bill.data_licence != "CC0-1.0":
        found.add("D6", HERE, f"the data licence is {bill.data_licence or 'not stated'}")
    if bill.list_version != spdxlist.VERSION:
        found.add("D7", HERE, f"the licence list is {bill.list_version or 'not stated'}, not {spdxlist.VERSION}")
    for identifier in dict.fromkeys(bill.vulnerabilities):
        found.add("D9", identifier or HERE, "holds vulnerability data: VEX is a document of its own")
    _graph(found)


def _made(found: Findings, around: Surroundings) -> None:
    bill = found.bill
    if not any(agent.kind == "tool" and agent.name and agent.version for agent in bill.creators):
        found.add("D3", HERE, "no creator is a tool with its version")
    makers = [agent for agent in bill.creators if agent.kind == "organization"]
    if not makers:
        found.add("D3", HERE, "no creator is an organisation")
    elif not any(agent.contact for agent in makers):
        found.add("D3", HERE, "the organisation has no e-mail address or URL")
    if not _TIME.match(bill.created):
        found.add("D4", HERE, f"created is no UTC time: {bill.created[:40]!r}")
    elif around.epoch is not None:
        wanted = datetime.fromtimestamp(around.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if bill.created != wanted:
            found.add("D4", HERE, f"created is {bill.created}, the sources' time is {wanted}")


def _graph(found: Findings) -> None:
    bill = found.bill
    found.look("D10", count=len(bill.elements) + len(bill.edges))
    if len(bill.roots) != 1:
        found.add("D8", HERE, f"it has {len(bill.roots)} roots")
    elif bill.root is None:
        found.add("D8", bill.roots[0], "the root is not in the document")
    else:
        root = bill.root
        wanted = ("sha256", "sha512") if root.role == "image" else ("sha256",)
        for algorithm in wanted:
            if algorithm not in root.hash_of:
                found.add("D8", root, f"the root has no {algorithm}")
    reached, waiting = set(bill.roots), list(bill.roots)
    into: dict[str, list[str]] = {}
    for edge in bill.edges:
        if edge.kind == "generates":  # from a source to what it became: reached from there
            into.setdefault(edge.target, []).append(edge.source)
    while waiting:
        here = waiting.pop()
        following = [edge.target for edge in bill.below.get(here, ()) if edge.kind in _REACHING]
        for identifier in (*following, *into.get(here, ())):
            if identifier not in reached:
                reached.add(identifier)
                waiting.append(identifier)
    for element in bill.elements.values():
        found.look("D11", bill.layer_of.get(element.id, ""))
        if element.id not in reached:
            found.add("D11", element, "cannot be reached from the root by contains or dependsOn")
