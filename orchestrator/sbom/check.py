# SPDX-License-Identifier: MIT
"""Named checks of an SPDX 2.3 document, in time linear to its size; the names are those of the compliance checklist.

Reads the serialised bytes and not the model, so that what leaves the house is what was checked.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.errors import VerificationError
from orchestrator.sbom import spdxlist
from orchestrator.sbom.expression import ExpressionError, Node, licences, parse

_ID = re.compile(r"SPDXRef-[A-Za-z0-9.-]+\Z")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s#<>\"{}|\\^`]+\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
_HEX = {"SHA256": 64, "SHA512": 128}
_UNKNOWN = ("", "NOASSERTION", "NONE", None)


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that failed: its id, how bad it is, the element it is about, and what is wrong."""

    check: str
    severity: Literal["error", "warning"]
    element: str
    message: str


def check_spdx23(data: bytes) -> tuple[Finding, ...]:
    """Return every failed check of a layer's document, in the document's order.

    Raises VerificationError when the bytes are no JSON object with the parts a document has.
    """
    try:
        document = json.loads(data)
        packages = {str(package["SPDXID"]): package for package in document["packages"]}
        findings = [
            *_document(document),
            *_graph(document, packages),
            *_texts(document),
        ]
        defined = {entry["licenseId"] for entry in document.get("hasExtractedLicensingInfos", [])}
        root = _root(document)
        for identifier, package in packages.items():
            whole = identifier == root or package.get("comment", "").startswith("kind=")
            if package.get("primaryPackagePurpose") == "SOURCE":
                continue
            if whole:
                findings += (
                    _hashes(identifier, package) if "INSTALL" in _purpose(package) else _layer(identifier, package)
                )
            else:
                findings += _component(identifier, package)
            findings += _licence(identifier, package, defined, whole)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise VerificationError("not an SPDX 2.3 document", f"{type(problem).__name__}: {problem}") from problem
    return tuple(findings)


def _error(check: str, element: str, message: str) -> Finding:
    return Finding(check, "error", element, message)


def _warning(check: str, element: str, message: str) -> Finding:
    return Finding(check, "warning", element, message)


def _document(document: dict[str, Any]) -> Iterator[Finding]:
    here, info = "SPDXRef-DOCUMENT", document["creationInfo"]
    if document.get("spdxVersion") != "SPDX-2.3" or document.get("SPDXID") != here or not document.get("name"):
        yield _error("D1", here, "not named as an SPDX 2.3 document")
    if not _URI.match(document.get("documentNamespace", "")):
        yield _error("D2", here, "documentNamespace is not an absolute URI without fragment")
    creators = info.get("creators", [])
    if not any(creator.startswith("Tool: ") and "-" in creator for creator in creators):
        yield _error("D3", here, "no creator is a tool with its version")
    if not any(creator.startswith("Organization: ") and creator.endswith(")") for creator in creators):
        yield _warning("D3", here, "no creator is an organisation with an e-mail address or URL")
    if not _TIME.match(info.get("created", "")):
        yield _error("D4", here, "created is not a UTC time")
    if document.get("dataLicense") != "CC0-1.0":
        yield _error("D6", here, "dataLicense is not CC0-1.0")
    if info.get("licenseListVersion") != spdxlist.VERSION:
        yield _error("D7", here, f"licenseListVersion is not {spdxlist.VERSION}")


def _root(document: dict[str, Any]) -> str:
    described = [
        relation["relatedSpdxElement"]
        for relation in document["relationships"]
        if relation["relationshipType"] == "DESCRIBES" and relation["spdxElementId"] == "SPDXRef-DOCUMENT"
    ]
    return str(described[0]) if len(described) == 1 else ""


def _graph(document: dict[str, Any], packages: dict[str, Any]) -> Iterator[Finding]:
    counted = Counter(package["SPDXID"] for package in document["packages"])
    for identifier, count in counted.items():
        if count > 1:
            yield _error("D10", identifier, f"{count} elements have this id")
        if not _ID.match(identifier):
            yield _error("D10", identifier, "not a valid id")
    root = _root(document)
    if not root:
        yield _error("D8", "SPDXRef-DOCUMENT", "does not describe exactly one element")
    known = set(packages) | {"SPDXRef-DOCUMENT"}
    below: dict[str, list[str]] = {}
    for relation in document["relationships"]:
        ends = relation["spdxElementId"], relation["relatedSpdxElement"]
        for end in ends:
            if end not in known:
                yield _error("D10", end, "a relationship names an element that does not exist")
        if relation["relationshipType"] in ("CONTAINS", "DEPENDS_ON", "STATIC_LINK", "GENERATED_FROM"):
            below.setdefault(ends[0], []).append(ends[1])
    reached, waiting = {root}, [root]
    while waiting:
        for identifier in below.get(waiting.pop(), ()):
            if identifier not in reached:
                reached.add(identifier)
                waiting.append(identifier)
    for identifier in packages:
        if identifier not in reached:
            yield _error("D11", identifier, "cannot be reached from the layer")


def _purpose(package: dict[str, Any]) -> str:
    return str(package.get("primaryPackagePurpose", ""))


def _layer(identifier: str, package: dict[str, Any]) -> Iterator[Finding]:
    if not package.get("checksums"):
        yield _error("L1", identifier, "the layer has no digest")
    if not package.get("primaryPackagePurpose") or "kind=" not in package.get("comment", ""):
        yield _error("L1", identifier, "the layer does not say its kind")
    if not package.get("sourceInfo"):
        yield _warning("L1", identifier, "the layer does not say its origin")
    yield from _hashes(identifier, package)


def _component(identifier: str, package: dict[str, Any]) -> Iterator[Finding]:
    if package.get("name") in _UNKNOWN:
        yield _error("C1", identifier, "no name")
    if package.get("versionInfo") in _UNKNOWN:
        yield _error("C2", identifier, "no version")
    supplier = package.get("supplier", "")
    if supplier in _UNKNOWN:
        yield _warning("C3", identifier, "no supplier")
    elif not supplier.startswith(("Person: ", "Organization: ")):
        yield _error("C3", identifier, "the supplier is neither a person nor an organisation")
    elif not supplier.endswith(")"):
        yield _warning("C3", identifier, "the supplier has no contact")
    purls = [ref for ref in package.get("externalRefs", []) if ref["referenceType"] == "purl"]
    if not purls or not all(ref["referenceLocator"].startswith("pkg:") for ref in purls):
        yield _warning("C4", identifier, "no package URL")
    algorithms = {checksum["algorithm"] for checksum in package.get("checksums", [])}
    if not package.get("packageFileName") or not {"SHA256", "SHA512"} <= algorithms:
        yield _warning("C5", identifier, "no file name with SHA-256 and SHA-512")
    if not package.get("sourceInfo"):
        yield _warning("C7", identifier, "no source")
    if "licenseDeclared" not in package:
        yield _error("C8", identifier, "no declared licence")
    if "licenseConcluded" not in package:
        yield _error("C9", identifier, "no concluded licence")
    if package.get("copyrightText") in _UNKNOWN:
        yield _warning("C10", identifier, "no copyright holders")
    if not package.get("licenseComments"):
        yield _error("C12", identifier, "no evidence for the licence")
    yield from _hashes(identifier, package)


def _hashes(identifier: str, package: dict[str, Any]) -> Iterator[Finding]:
    for checksum in package.get("checksums", []):
        length = _HEX.get(checksum["algorithm"])
        if length is None or not re.fullmatch(rf"[0-9a-f]{{{length}}}", checksum["checksumValue"]):
            yield _error("C5", identifier, f"not a hash: {checksum['algorithm']} {checksum['checksumValue'][:20]!r}")


def _licence(identifier: str, package: dict[str, Any], defined: set[str], root: bool) -> Iterator[Finding]:
    for name in ("licenseDeclared", "licenseConcluded"):
        text = package.get(name, "")
        if text in _UNKNOWN:
            if name == "licenseDeclared" and not root:
                yield _warning("X4", identifier, "the declared licence is unknown")
            continue
        try:
            node: Node = parse(text)
        except ExpressionError as problem:
            yield _error("X1", identifier, f"{name}: {problem}")
            continue
        for licence in licences(node):
            if licence.id.startswith("LicenseRef-"):
                if licence.id not in defined:
                    yield _error("X3", identifier, f"{licence.id} is not defined")
            elif licence.id in spdxlist.DEPRECATED or licence.exception in spdxlist.DEPRECATED_EXCEPTIONS:
                yield _warning("X2", identifier, f"{licence} is deprecated")


def _texts(document: dict[str, Any]) -> Iterator[Finding]:
    texts: dict[str, str] = {}
    for entry in document.get("hasExtractedLicensingInfos", []):
        identifier, text = entry["licenseId"], entry.get("extractedText", "")
        if not text.strip():
            yield _error("X3", identifier, "a LicenseRef without a text")
        if identifier in texts:
            yield _error("D10", identifier, "defined twice")
        if texts.setdefault(identifier, text) != text:
            yield _error("X5", identifier, "one id has two texts")
