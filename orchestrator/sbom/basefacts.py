# SPDX-License-Identifier: MIT
"""Components out of what a BitBake base hands over: its SPDX facts and the copyright files that it kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from orchestrator.sbom import archive, facts
from orchestrator.sbom.archive import Files
from orchestrator.sbom.cache import FindingCache
from orchestrator.sbom.components import PACKAGE_TRAITS, Reader
from orchestrator.sbom.dpkg import purl as debian_purl
from orchestrator.sbom.model import UNSEEN, Component, Contact, Dependency, LicenceFinding
from orchestrator.sbom.resolver import joined, resolve_recipe


def components(
    known: facts.Facts, copyrights: Path | None, findings: FindingCache, maker: Contact | None
) -> tuple[list[Component], set[Dependency]]:
    """Return the components that a base's document tells of, and their dependencies.

    What a recipe built from source is supplied by whoever builds the product, `maker`.
    """
    files = archive.read(copyrights, lambda path: path.endswith("/copyright")) if copyrights else Files({}, {})
    keys: dict[str, str] = {}
    made = []
    for fact in known.packages:
        keys[fact.id] = fact.purl or f"{fact.name}@{fact.version}#{fact.file_name}"
        licence = _from_copyright(files, f"{fact.name}/copyright", f"usr/share/doc/{fact.name}/copyright", findings)
        if fact.declared:
            licence = _with_recipe(licence, resolve_recipe(fact.declared, lambda name: known.texts.get(name, "")))
        packed = fact.file_name.endswith(".deb")
        made.append(
            Component(
                key=keys[fact.id],
                name=fact.name,
                version=fact.version,
                architecture=_qualifier(fact.purl, "arch"),
                supplier=fact.supplier if packed or maker is None else maker,
                purl=fact.purl,
                file_name=fact.file_name,
                checksums=fact.checksums,
                source_name=fact.source_name,
                source_version=fact.source_version,
                source_uri=_source_purl(fact),
                homepage=fact.homepage,
                licence=licence,
                kind="package" if packed else "application",
                traits=PACKAGE_TRAITS if packed else UNSEEN,
                dependencies="complete" if known.complete else "unknown",
            )
        )
    edges = {Dependency(keys[dependent], keys[needed]) for dependent, needed in known.depends}
    edges |= {Dependency(keys[dependent], keys[needed], static=True) for dependent, needed in known.linked}
    return made, edges


def with_own_program(reader: Reader, component: Component, paths: Sequence[str]) -> Component:
    """Return a component that came in no package file as the first program that it owns, or its first file."""
    if component.file_name or component.checksums or component.kind == "package" or not paths:
        return component
    programs = [path for path in paths if path in reader.inventory.programs]
    made = reader.as_file(component, (programs or list(paths))[0])
    return dataclasses.replace(made, traits=dataclasses.replace(made.traits, structured=True))


def _qualifier(purl: str, name: str) -> str:
    qualifiers = dict(part.partition("=")[::2] for part in purl.partition("?")[2].partition("#")[0].split("&"))
    return unquote(qualifiers.get(name, ""))


def _source_purl(fact: facts.Fact) -> str:
    if not fact.source_name:
        return ""
    if not fact.purl.startswith("pkg:deb/"):
        return fact.purl
    distribution = fact.purl.removeprefix("pkg:deb/").partition("/")[0]
    release = _qualifier(fact.purl, "distro").removeprefix(f"{distribution}-")
    return debian_purl(fact.source_name, fact.source_version, "source", distribution, release)


def _from_copyright(files: Files, path: str, evidence: str, findings: FindingCache) -> LicenceFinding:
    data = files.get(path)
    if data is None:
        return LicenceFinding(notes=(f"There is no {evidence}: the licence is not known.",))
    return findings.resolve(data, evidence)


def _with_recipe(copyright_file: LicenceFinding, recipe: LicenceFinding) -> LicenceFinding:
    """Both statements count; the copyright file stays the evidence."""
    if not copyright_file.expression:
        return recipe
    said = (f"The recipe declares {recipe.expression}.", *recipe.notes)
    return joined(copyright_file, dataclasses.replace(recipe, notes=said))
