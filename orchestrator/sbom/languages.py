# SPDX-License-Identifier: MIT
"""Components out of what programs and languages say of themselves: Python, Node, and what is linked into programs."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Mapping

from orchestrator.sbom import gobuild, npm, pythondist, rustaudit
from orchestrator.sbom.components import Reader
from orchestrator.sbom.elf import ElfError
from orchestrator.sbom.files import shown
from orchestrator.sbom.model import Component, Dependency, LicenceFinding
from orchestrator.sbom.packages import Package, dependencies, purl

Found = tuple[list[Component], set[Dependency]]
_NO_LICENCE = LicenceFinding(notes=("Build information in a program has no licences.",))


def packages(reader: Reader, owner: Mapping[str, str]) -> tuple[list[Package], list[Component], set[Dependency]]:
    """Return the packages of Python and Node with their components; one that another package brought is part of it."""
    found: list[Package] = []
    edges: set[Dependency] = set()
    for database in (pythondist.read(reader.inventory), npm.read(reader.inventory)):
        found += database.packages
        more, _ = dependencies(database.packages)
        edges |= more | set(database.edges)
    made = [dataclasses.replace(reader.component(package), parent=owner.get(package.evidence, "")) for package in found]
    return found, made, edges


def linked(
    reader: Reader, owner: Mapping[str, str], known: Mapping[str, Component]
) -> tuple[list[Component], set[Dependency], dict[str, str], list[str]]:
    """Return what Go and Rust programs say is linked into them: components, edges, owners of programs, and remarks."""
    components: list[Component] = []
    edges: set[Dependency] = set()
    owners: dict[str, str] = {}
    remarks: list[str] = []
    for path, elf in sorted(reader.inventory.programs.items()):
        source = reader.inventory.source(path)
        parent = known.get(owner.get(path, ""))
        try:
            go = gobuild.read(source, elf)
            crates = rustaudit.read(source, elf)
        except ElfError as problem:
            remarks.append(f"{shown(path)}: {problem}.")
            continue
        for made, more in (
            _go(reader, path, go, parent) if go else ([], set()),
            _rust(reader, path, crates, parent) if crates else ([], set()),
        ):
            components += made
            edges |= more
            if made and parent is None:
                owners[path] = made[0].key
    return components, edges, owners, remarks


def _part(reader: Reader, path: str, name: str, version: str, url: str, parent: str) -> Component:
    blank = Component(
        key=f"{url}#{shown(path)}",
        name=name,
        version=version,
        architecture="",
        supplier=None,
        purl=url,
        file_name="",
        checksums=(),
        source_name=name,
        source_version=version,
        source_uri=url,
        homepage="",
        licence=_NO_LICENCE,
        kind="library",
        linking="static",
        dependencies="unknown",
        parent=parent,
    )
    return reader.as_file(blank, path)


def _go(reader: Reader, path: str, go: gobuild.GoBuild, parent: Component | None) -> Found:
    program = posixpath.basename(shown(path))
    main = go.main or gobuild.Module(go.package or program, "", "")
    version = main.version if main.version not in ("", "(devel)") else go.settings.get("vcs.revision", "")
    if not version and parent is not None:
        version = parent.version
    first = _part(
        reader, path, main.path, version or "(devel)", _go_purl(main.path, version), parent.key if parent else ""
    )
    first = dataclasses.replace(
        first,
        kind="application",
        dependencies="complete",
        linking="static" if reader.inventory.programs[path].static else "dynamic",
        remarks=(f"Built by {go.go}.",),
    )
    standard = gobuild.Module("stdlib", go.go.removeprefix("go").partition(" ")[0], "")
    parts = [
        dataclasses.replace(
            _part(reader, path, module.path, module.version, _go_purl(module.path, module.version), first.key),
            remarks=(f"Go's hash of its content: {module.sum}.",) if module.sum else (),
        )
        for module in dict.fromkeys((standard, *go.modules))
        if module.version
    ]
    return [first, *parts], {Dependency(first.key, part.key, static=True) for part in parts}


def _go_purl(path: str, version: str) -> str:
    namespace, _, name = path.rpartition("/")
    return purl("golang", namespace.lower(), name.lower(), version)


def _rust(reader: Reader, path: str, crates: list[rustaudit.Crate], parent: Component | None) -> Found:
    shipped = [crate.kind == "runtime" for crate in crates]
    root = next((place for place, crate in enumerate(crates) if crate.root), None)
    key = parent.key if parent else ""
    made: dict[int, Component] = {}
    for place in sorted((each for each, ships in enumerate(shipped) if ships), key=lambda each: each != root):
        crate = crates[place]
        part = _part(reader, path, crate.name, crate.version, purl("cargo", "", crate.name, crate.version), key)
        if place == root:
            linking = reader.inventory.linking([path])
            part = dataclasses.replace(part, kind="application", linking=linking if linking != "none" else "static")
            key = part.key
        made[place] = dataclasses.replace(part, dependencies="complete")
    edges = {
        Dependency(made[place].key, made[need].key, static=True)
        for place in made
        for need in crates[place].dependencies
        if need in made and made[need].key != made[place].key
    }
    unique = {component.key: component for component in made.values()}
    return list(unique.values()), edges
