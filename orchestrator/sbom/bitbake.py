# SPDX-License-Identifier: MIT
"""BitBake's own SPDX 3.0.1 documents: what an image of the base over OE-core is made of, in the words of our model.

Read is what create-spdx writes (OE-core, lib/oe/spdx30_tasks.py): packages of the purpose `install` are what is in the
image, of the purpose `specification` the recipes that they come from; `generates` joins the two, `dependsOn` in the
scope `runtime` is an edge, `hasDeclaredLicense` the licence, the files that a package `contains` are its own. Builds
and everything of the security profile (vulnerabilities, their assessments: true on the day of the build only) stay out
of a document that is signed. Older series write archives of SPDX 2.2: `bitbake22`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.canonical import read_limited
from orchestrator.errors import BuildError
from orchestrator.sbom.facts import Fact, Facts

_LIMIT = 512 * 1024 * 1024
_MAX_ELEMENTS = 2_000_000
_CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"


@dataclass(frozen=True)
class Import:
    """What was read: the facts, the names in the image's manifest that no package of the document accounts for, and the
    files of each package, by its name."""

    facts: Facts
    unaccounted: tuple[str, ...]
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class _Graph(msgspec.Struct, frozen=True):
    context: str = msgspec.field(name="@context")
    graph: list[dict[str, Any]] = msgspec.field(name="@graph")


class _Relation(msgspec.Struct, frozen=True):
    kind: str = msgspec.field(name="relationshipType")
    source: str = msgspec.field(name="from")
    targets: list[str] = msgspec.field(name="to")
    scope: Any = None


def is_bitbakes(path: Path) -> bool:
    """Whether a file is an SPDX 3 document in JSON-LD: its first bytes name the context."""
    try:
        with path.open("rb") as stream:
            return b'"@context"' in stream.read(256)
    except OSError:
        return False


def read(path: Path, manifest: Path | None = None, *, boots: bool = False) -> Import:
    """Read an image's or a recipe's document, and hold it against the image's manifest (a line begins with a name).

    `boots`: the layer's kernel is booted from beside its file system, so the recipe of its modules is a component too.
    A document without packages (a recipe's) gives its recipes. Raises BuildError for what is no such document.
    """
    elements = _elements(path)
    packages = _of_purpose(elements, "install")
    recipes = _of_purpose(elements, "specification")
    relations = _relations(path, elements)
    recipe_of = {
        target: each.source
        for each in relations
        if each.kind == "generates" and each.source in recipes
        for target in each.targets
    }
    chosen = dict(packages) or dict(recipes)
    if boots:
        kernels = {
            recipe_of[key] for key in packages if str(packages[key]["name"]).startswith("kernel-") and key in recipe_of
        }
        chosen |= {key: recipes[key] for key in kernels}
    licences = _licences(elements, relations)
    for package, recipe in recipe_of.items():  # a recipe's licence is said of what it makes
        if package in licences:
            licences.setdefault(recipe, licences[package])
    depends = {
        (each.source, target)
        for each in relations
        if each.kind == "dependsOn" and each.scope == "runtime" and each.source in chosen
        for target in each.targets
        if target in chosen and target != each.source
    }
    facts = [
        _fact(path, key, chosen[key], recipes.get(recipe_of.get(key, "")), licences.get(key, ""))
        for key in sorted(chosen)
    ]
    known = {each["name"] for each in packages.values()}
    return Import(
        Facts(packages=tuple(facts), depends=tuple(sorted(depends)), linked=(), complete=True, texts=_texts(elements)),
        tuple(sorted(names_of_manifest(manifest) - known)) if manifest else (),
        _files(elements, packages, relations),
    )


def _elements(path: Path) -> dict[str, dict[str, Any]]:
    try:
        data = read_limited(path, _LIMIT)
        if len(data) > _LIMIT:
            raise _refuse(path, f"the limit is {_LIMIT} bytes")
        document = msgspec.json.decode(data, type=_Graph)
    except (OSError, msgspec.MsgspecError) as problem:
        raise _refuse(path, str(problem)) from problem
    if document.context != _CONTEXT:
        raise _refuse(path, f"its context is {document.context[:100]!r}, not that of SPDX 3.0.1")
    if len(document.graph) > _MAX_ELEMENTS:
        raise _refuse(path, f"the limit is {_MAX_ELEMENTS} elements")
    found = {}
    for element in document.graph:
        key = element.get("spdxId") or element.get("@id")
        if isinstance(key, str) and isinstance(element.get("type"), str):
            found[key] = element
    return found


def _of_purpose(elements: Mapping[str, dict[str, Any]], purpose: str) -> dict[str, dict[str, Any]]:
    return {
        key: each
        for key, each in elements.items()
        if each["type"] == "software_Package"
        and each.get("software_primaryPurpose") == purpose
        and isinstance(each.get("name"), str)
        and each["name"]
    }


def _relations(path: Path, elements: Mapping[str, dict[str, Any]]) -> list[_Relation]:
    """Return the relationships of the kinds that count here; raises BuildError for one that goes nowhere."""
    found = []
    for each in elements.values():
        if each.get("relationshipType") in ("generates", "dependsOn", "hasDeclaredLicense", "contains"):
            try:
                found.append(msgspec.convert(each, _Relation))
            except msgspec.ValidationError as problem:
                raise _refuse(path, f"a relationship {each['relationshipType']}: {problem}") from problem
    return found


def _files(
    elements: Mapping[str, dict[str, Any]], packages: Mapping[str, dict[str, Any]], relations: Iterable[_Relation]
) -> dict[str, tuple[str, ...]]:
    """Return the files of each package, by its name: it contains them."""
    found: dict[str, list[str]] = {}
    for each in relations:
        if each.kind == "contains" and each.source in packages:
            for target in map(elements.get, each.targets):
                if target and target["type"] == "software_File" and isinstance(target.get("name"), str):
                    found.setdefault(packages[each.source]["name"], []).append(target["name"])
    return {name: tuple(paths) for name, paths in found.items()}


def _licences(elements: Mapping[str, dict[str, Any]], relations: Iterable[_Relation]) -> dict[str, str]:
    found = {}
    for each in relations:
        for target in each.targets if each.kind == "hasDeclaredLicense" else ():
            text = elements.get(target, {}).get("simplelicensing_licenseExpression")
            if isinstance(text, str):
                found[each.source] = text
    return found


def _texts(elements: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Return the texts of LicenseRefs: an expression's dictionary names the element that has one."""
    found: dict[str, str] = {}
    for each in elements.values():
        entries = each.get("simplelicensing_customIdToUri")
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                text = elements.get(str(entry.get("value")), {}).get("simplelicensing_licenseText")
                if isinstance(text, str):
                    found[str(entry.get("key"))] = text
    return found


def _fact(path: Path, key: str, package: Mapping[str, Any], recipe: Mapping[str, Any] | None, licence: str) -> Fact:
    name, version = package["name"], package.get("software_packageVersion", "")
    purl, homepage = package.get("software_packageUrl", ""), package.get("software_homePage", "")
    for text in (name, version, purl, homepage):
        if not isinstance(text, str) or "\n" in text:
            raise _refuse(path, f"{name}: {text!r} is no line of text")
    # BitBake's package URL is the recipe's: several packages have one, and each needs a name of its own.
    if purl and purl.partition("@")[0].rpartition("/")[2] != name:
        purl += f"?package={name}"
    source = recipe or {}
    return Fact(
        id=key,
        name=name,
        version=version,
        supplier=None,
        purl=purl,
        file_name="",
        checksums=(),
        source_name=str(source.get("name", "")),
        source_version=str(source.get("software_packageVersion", "")),
        homepage=homepage,
        declared=licence,
    )


def names_of_manifest(manifest: Path) -> set[str]:
    """Return the names of an image's manifest, the first word of each line; raises BuildError when it is not read."""
    try:
        return {line.split()[0] for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()}
    except (OSError, ValueError) as problem:
        raise BuildError(f"the image's manifest {manifest} cannot be read", str(problem), "build again") from problem


def _refuse(path: Path, why: str) -> BuildError:
    return BuildError(
        f"{path} is no SPDX document that BitBake wrote",
        why,
        "the base over OE-core needs create-spdx in INHERIT_DISTRO",
    )
