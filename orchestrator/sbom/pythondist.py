# SPDX-License-Identifier: MIT
"""Python distributions by their metadata: *.dist-info (recording installed projects; core metadata) and *.egg-info."""

from __future__ import annotations

import csv
import email.parser
import email.policy
import posixpath
import re
from email.message import Message

from orchestrator.sbom.declared import resolve_python
from orchestrator.sbom.files import text
from orchestrator.sbom.inventory import Inventory
from orchestrator.sbom.model import Contact, LicenceFinding
from orchestrator.sbom.packages import Database, Package, purl

_METADATA = re.compile(r"(?:.*/)?[^/]+\.(?:dist-info/METADATA|egg-info/PKG-INFO|egg-info)\Z")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)([^;]*)(?:;(.*))?\Z")
_ADDRESS = re.compile(r"\"?([^\"<]*?)\"?\s*<([^<>]+@[^<>]+)>")
_LIMIT = 8 * 1024 * 1024


def read(inventory: Inventory) -> Database:
    """Read every distribution of a layer, whoever installed it."""
    packages: dict[str, Package] = {}
    for entry in inventory.entries:
        if _METADATA.match(entry.path) and entry.size <= _LIMIT:
            package = _package(inventory, entry.path)
            if package is not None:
                packages[package.key] = package
    return Database(
        ecosystem="python",
        found=tuple(sorted(package.evidence for package in packages.values())),
        packages=tuple(packages[key] for key in sorted(packages)),
    )


def normalised(name: str) -> str:
    """Return a project's name as packaging compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _package(inventory: Inventory, path: str) -> Package | None:
    parsed = email.parser.HeaderParser(policy=email.policy.compat32).parsestr(text(inventory.tree, path) or "")
    name, version = _value(parsed, "Name"), _value(parsed, "Version")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or not version:
        return None
    url = purl("pypi", "", normalised(name), version)
    requirements = [match for line in _values(parsed, "Requires-Dist") if (match := _REQUIREMENT.match(line))]
    needs = dict.fromkeys(normalised(match[1]) for match in requirements if "extra" not in (match[3] or ""))
    return Package(
        # A virtual environment may have a second copy: each is a component of its own.
        key=f"{url}#{path}",
        name=name,
        version=version,
        supplier=_supplier(parsed),
        purl=url,
        homepage=_homepage(parsed),
        description=_value(parsed, "Summary"),
        licence=_licence(parsed),
        evidence=path,
        needs=tuple((need,) for need in needs),
        provides=(normalised(name),),
        files=_files(inventory, path),
        kind="library",
        # Environment markers are not evaluated, so an edge may be one that this system does not use.
        dependencies="complete" if _values(parsed, "Metadata-Version") else "unknown",
    )


def _values(parsed: Message, field: str) -> list[str]:
    return [" ".join(str(value).split()) for value in parsed.get_all(field, [])]


def _value(parsed: Message, field: str) -> str:
    found = next(iter(_values(parsed, field)), "")
    return "" if found == "UNKNOWN" else found


def _licence(parsed: Message) -> LicenceFinding:
    whole = parsed.get("License", "") or ""  # may be a text of many lines
    classifiers = tuple(value for value in _values(parsed, "Classifier") if value.startswith("License :: "))
    return resolve_python(_value(parsed, "License-Expression"), str(whole), classifiers)


def _supplier(parsed: Message) -> Contact | None:
    for who in ("Author", "Maintainer"):
        for line in (_value(parsed, f"{who}-email"), _value(parsed, who)):
            match = _ADDRESS.match(line)
            if match:
                return Contact("Person", match[1].strip() or _value(parsed, who) or match[2], match[2])
        name, address = _value(parsed, who), _value(parsed, f"{who}-email")
        if name or address:
            return Contact("Person", name or address, address.partition(",")[0].strip() if "@" in address else "")
    return None


def _homepage(parsed: Message) -> str:
    found = _value(parsed, "Home-page")
    if found:
        return found
    urls = dict(line.split(", ", 1) for line in _values(parsed, "Project-URL") if ", " in line)
    known = {label.lower(): url for label, url in urls.items()}
    return next((known[label] for label in ("homepage", "home", "source", "repository") if label in known), "")


def _files(inventory: Inventory, path: str) -> tuple[str, ...]:
    if not path.endswith(("METADATA", "PKG-INFO")):
        return (path,)
    folder = posixpath.dirname(path)
    own = {entry.path for entry in inventory.under(folder)}
    root = posixpath.dirname(folder)
    if path.endswith("METADATA"):
        rows = csv.reader((text(inventory.tree, f"{folder}/RECORD") or "").splitlines())
        listed = [row[0] for row in rows if row]
        base = root
    else:
        listed = (text(inventory.tree, f"{folder}/installed-files.txt") or "").splitlines()
        base = folder
    for name in listed:
        own |= {place := posixpath.normpath(posixpath.join("/", base, name)).lstrip("/")}
        if name.endswith(".py"):  # what Python compiled later stands in no list
            head, tail = posixpath.split(place)
            own |= {entry.path for entry in inventory.under(f"{head}/__pycache__") if _compiled(entry.path, tail)}
    return tuple(sorted(own))


def _compiled(path: str, source: str) -> bool:
    return posixpath.basename(path).startswith(source.removesuffix("py") + "cpython-")
