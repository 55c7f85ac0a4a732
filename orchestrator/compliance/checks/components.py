# SPDX-License-Identifier: MIT
"""C1 to C13: every component of every layer."""

from __future__ import annotations

import re

from orchestrator.compliance.bill import UNKNOWN, Bill, Element, purl_parts
from orchestrator.compliance.context import Surroundings
from orchestrator.compliance.findings import Findings
from orchestrator.compliance.spdx3form import HASH_LENGTHS

_HEX = re.compile(r"[0-9a-f]+\Z")
_COUNTED = tuple(f"C{number}" for number in range(1, 14))
_LINKINGS = ("static", "dynamic", "mixed", "none")
_TRAITS = ("executable", "archive", "structured")
_PURL_NEEDS = {"deb": ("arch", "distro"), "rpm": ("arch",), "apk": ("arch",)}


def run(found: Findings, around: Surroundings) -> None:
    """Look at every component; see the module for what."""
    bill = found.bill
    for element in bill.elements.values():
        _hashes(found, element)
    depending = {edge.source: edge.completeness for edge in bill.edges if edge.kind == "dependsOn"}
    for component in bill.components:
        layer = bill.layer_of.get(component.id, "")
        for check in _COUNTED:
            found.look(check, layer)
        _identity(found, component)
        _origin(found, bill, component)
        _described(found, bill, component, depending)


def _hashes(found: Findings, element: Element) -> None:
    for algorithm, value in element.hashes:
        length = HASH_LENGTHS.get(algorithm.replace("-", "_"))
        if length is None or len(value) != length or not _HEX.match(value):
            found.add("C5", element, f"not a hash: {algorithm[:20]} {value[:20]!r}", "error")


def _identity(found: Findings, component: Element) -> None:
    if component.name in UNKNOWN:
        found.add("C1", component, "no name")
    if component.version in UNKNOWN:
        found.add("C2", component, "no version")
    supplier = component.supplier
    if supplier is None:
        found.add("C3", component, "no supplier")
    elif supplier.kind not in ("organization", "person"):
        found.add("C3", component, "the supplier is neither a person nor an organisation", "error")
    elif not supplier.contact:
        found.add("C3", component, "the supplier has no contact")
    kind, name, version, qualifiers = purl_parts(component.purl)
    if component.purl and (not kind or not name):
        found.add("C4", component, f"not a package URL: {component.purl[:80]!r}", "error")
    elif not component.purl:
        found.add("C4", component, "no package URL")
    elif missing := [need for need in _PURL_NEEDS.get(kind, ()) if need not in qualifiers]:
        found.add("C4", component, f"the package URL does not say {', '.join(missing)}")
    elif kind == "deb" and not version:
        found.add("C4", component, "the package URL has no version")


def _origin(found: Findings, bill: Bill, component: Element) -> None:
    if not component.file_name or not {"sha256", "sha512"} <= component.hash_of.keys():
        found.add("C5", component, "no file name with SHA-256 and SHA-512", "warning")
    known = component.properties
    if not any(any(trait in key for key in known) or trait in component.purposes for trait in _TRAITS):
        found.add("C6", component, "nothing says whether it is executable, an archive, structured")
    source = bill.sources.get(component.id)
    name = known.get("sourcename") or component.source_info
    if source is None and not name:
        found.add("C7", component, "no source")
        return
    address = source is not None and (source.download not in UNKNOWN or source.purl)
    if not address and not known.get("sourceuri"):
        found.add("C7", component, "its source has no URI")
    elif not (source is not None and source.hashes) and not any("sourcechecksum" in key for key in known):
        found.add("C7", component, "its source has no hash")


def _described(found: Findings, bill: Bill, component: Element, depending: dict[str, str]) -> None:
    known = component.properties
    for check, word in (("C8", "declared"), ("C9", "concluded")):
        stated = getattr(component, word) or known.get(f"states{word}") or bill.format == "SPDX-2.3"
        if not stated:
            found.add(check, component, f"nothing is said of its {word} licence")
    if component.copyright in UNKNOWN:
        found.add("C10", component, "no copyright holders")
    complete = known.get("dependencies") or depending.get(component.id, "")
    if complete not in ("complete", "incomplete"):
        found.add("C11", component, "nothing says whether its dependencies are all there are")
    if not any(known.get(name) for name in ("licenceevidence", "licenceevidence", "evidence", "tier")):
        found.add("C12", component, "no evidence for the licence")
    if known.get("linking", "") not in _LINKINGS:
        found.add("C13", component, "nothing says how it is linked")
