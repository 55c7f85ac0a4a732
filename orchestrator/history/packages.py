# SPDX-License-Identifier: MIT
"""The packages and licences of a layer, read quickly out of its SPDX 3.0.1 document, and what changed of them.

The document is the one that the revision's configuration names, in the form that this program writes (SPDX 3.0.1
JSON-LD, Software and SimpleLicensing profiles). An auditor's reading, strict and of every field, is that of
`orchestrator.compliance`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from orchestrator.errors import VerificationError
from orchestrator.oci import Store

LIMIT = 256 * 1024 * 1024
"""Bytes of one document that are read at most."""
UNKNOWN = "NOASSERTION"


class _Item(msgspec.Struct, frozen=True):
    type: str
    id: str = msgspec.field(name="spdxId", default="")
    name: str = ""
    version: str = msgspec.field(name="software_packageVersion", default="")
    purl: str = msgspec.field(name="software_packageUrl", default="")
    purpose: str = msgspec.field(name="software_primaryPurpose", default="")
    expression: str = msgspec.field(name="simplelicensing_licenseExpression", default="")
    source: str = msgspec.field(name="from", default="")
    kind: str = msgspec.field(name="relationshipType", default="")
    targets: list[str] = msgspec.field(name="to", default_factory=list)


class _Graph(msgspec.Struct, frozen=True):
    items: list[_Item] = msgspec.field(name="@graph")


_decoder = msgspec.json.Decoder(_Graph)


@dataclass(frozen=True, order=True)
class Package:
    """A component of a layer; `key` is what stays of it from one version to the next."""

    key: str
    name: str
    version: str
    licence: str


@dataclass(frozen=True)
class PackageChange:
    """A package of a layer that came, went, or changed its version or licence; None where it is not."""

    layer: str
    name: str
    before: Package | None
    after: Package | None

    @property
    def what(self) -> str:
        """One word for it."""
        if self.before is None or self.after is None:
            return "added" if self.after else "removed"
        return "changed" if self.before.version != self.after.version else "relicensed"


def read_packages(store: Store, document: str) -> list[Package]:
    """Return the packages in a document of the store, sorted; raises VerificationError when it is missing or none."""
    try:
        items = _decoder.decode(store.read_blob(document, limit=LIMIT)).items
    except (msgspec.MsgspecError, RecursionError) as problem:
        raise VerificationError(f"{document[:19]} is no SPDX 3 document", str(problem)[:200]) from problem
    contained: set[str] = set()
    licence_of: dict[str, dict[str, str]] = {"hasConcludedLicense": {}, "hasDeclaredLicense": {}}
    for item in items:
        if item.kind == "contains":
            contained.update(item.targets)
        elif item.kind in licence_of and item.targets:
            licence_of[item.kind][item.source] = item.targets[0]
    expressions = {item.id: item.expression for item in items if item.expression}
    found = []
    for item in items:
        if item.type != "software_Package" or item.id not in contained or item.purpose == "source":
            continue
        target = licence_of["hasConcludedLicense"].get(item.id) or licence_of["hasDeclaredLicense"].get(item.id, "")
        found.append(Package(_key(item), item.name, item.version, expressions.get(target, UNKNOWN)))
    return sorted(found)


def _key(item: _Item) -> str:
    """The package URL without its version, or the name."""
    plain, _, tail = item.purl.partition("?")
    architecture = next((part for part in tail.split("&") if part.startswith("arch=")), "")
    return f"{plain.rpartition('@')[0]}?{architecture}" if "@" in plain else item.name


def package_changes(layer: str, before: Iterable[Package], after: Iterable[Package]) -> list[PackageChange]:
    """Return what changed of a layer's packages, by name; several of one key pair by their versions' order."""
    old, new = _by_key(before), _by_key(after)
    found = []
    for key in sorted(old.keys() | new.keys()):
        ours, theirs = old.get(key, []), new.get(key, [])
        same = set(ours) & set(theirs)
        left = [each for each in ours if each not in same]
        right = [each for each in theirs if each not in same]
        for position in range(max(len(left), len(right))):
            one = left[position] if position < len(left) else None
            other = right[position] if position < len(right) else None
            some = other or one
            assert some is not None
            found.append(PackageChange(layer, some.name, one, other))
    return found


def _by_key(packages: Iterable[Package]) -> dict[str, list[Package]]:
    found: dict[str, list[Package]] = {}
    for package in packages:
        found.setdefault(package.key, []).append(package)
    return found


def licence_changes(before: Iterable[Package], after: Iterable[Package]) -> tuple[list[str], list[str]]:
    """Return the licence expressions that only the packages after have, and those that only the ones before have."""
    old, new = ({package.licence for package in packages} for packages in (before, after))
    return sorted(new - old), sorted(old - new)
