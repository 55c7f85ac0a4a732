# SPDX-License-Identifier: MIT
"""One layer's document: what the base or the package database knows, with the declared licences found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from orchestrator.deploy import Kind
from orchestrator.errors import BuildError
from orchestrator.sbom import archive, bitbake, dpkg, facts
from orchestrator.sbom.archive import Files
from orchestrator.sbom.cache import FindingCache
from orchestrator.sbom.expression import all_of, parse
from orchestrator.sbom.model import Blob, Component, Dependency, Document, Layer, LicenceFinding, Product
from orchestrator.sbom.resolver import resolve_recipe


@dataclass(frozen=True, kw_only=True)
class LayerFacts:
    """What describes one layer. `blobs` are the digests of its files by role.

    `spdx` and `copyright` are the base's document and archive of `<package>/copyright` files (deploy contract), and
    `packages` is the manifest that BitBake's own document is held against;
    `rootfs` is a root file system tar, read when there is no `spdx`. Without both, only the layer itself is described.
    """

    name: str
    kind: Kind
    version: str
    architecture: str
    blobs: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    spdx: Path | None = None
    packages: Path | None = None
    copyright: Path | None = None
    rootfs: Path | None = None


def layer_document(layer: LayerFacts, product: Product, source_date_epoch: int, cache: Path | None = None) -> Document:
    """Return the document of a layer.

    `source_date_epoch` is in seconds; `cache` is a folder for findings, shared by layers and builds. Raises BuildError
    when an input cannot be read or does not follow the contract.
    """
    findings = FindingCache(cache)
    remarks: list[str] = []
    components: list[Component] = []
    dependencies: list[Dependency] = []
    if layer.spdx is not None:
        if bitbake.is_bitbakes(layer.spdx):
            found = bitbake.read(layer.spdx, layer.packages, boots=layer.kind == "bsp")
            known = found.facts
            if found.unaccounted:
                remarks.append(f"Installed, and not in the base's document: {', '.join(found.unaccounted)}.")
        else:
            known = facts.read(layer.spdx)
        components, dependencies = _from_facts(known, layer.copyright, findings)
    elif layer.rootfs is not None:
        database = dpkg.read(layer.rootfs)
        components, dependencies = _from_dpkg(database, findings)
        if not database.found:
            remarks.append("No dpkg database in this layer: its components are unknown.")
        elif components:
            remarks.append("Read from the dpkg database of the layer: hashes of the package files are unknown.")
    else:
        remarks.append("No facts came with this layer: its components are unknown.")
    keys = [component.key for component in components]
    if len(set(keys)) != len(keys):
        double = next(key for key in keys if keys.count(key) > 1)
        raise BuildError(f"layer {layer.name}: a package is listed twice", double)
    return Document(
        Layer(
            layer.name,
            layer.kind,
            layer.version,
            layer.architecture,
            tuple(Blob(role, layer.blobs[role]) for role in sorted(layer.blobs)),
            layer.origin,
        ),
        product,
        source_date_epoch,
        tuple(sorted(components, key=lambda component: (component.name, component.key))),
        tuple(sorted(dependencies, key=lambda edge: (edge.dependent, edge.needed))),
        tuple(remarks),
    )


def _from_facts(
    known: facts.Facts, copyrights: Path | None, findings: FindingCache
) -> tuple[list[Component], list[Dependency]]:
    files = archive.read(copyrights, lambda path: path.endswith("/copyright")) if copyrights else Files({}, {})
    keys: dict[str, str] = {}
    components = []
    for fact in known.packages:
        keys[fact.id] = fact.purl or f"{fact.name}@{fact.version}#{fact.file_name}"
        licence = _from_copyright(files, f"{fact.name}/copyright", f"usr/share/doc/{fact.name}/copyright", findings)
        if fact.declared:
            licence = _with_recipe(licence, resolve_recipe(fact.declared, lambda name: known.texts.get(name, "")))
        components.append(
            Component(
                key=keys[fact.id],
                name=fact.name,
                version=fact.version,
                architecture=_architecture(fact.purl),
                supplier=fact.supplier,
                purl=fact.purl,
                file_name=fact.file_name,
                checksums=fact.checksums,
                source_name=fact.source_name,
                source_version=fact.source_version,
                homepage=fact.homepage,
                licence=licence,
            )
        )
    return components, [Dependency(keys[dependent], keys[needed]) for dependent, needed in known.depends]


def _architecture(purl: str) -> str:
    qualifiers = dict(part.partition("=")[::2] for part in purl.partition("?")[2].partition("#")[0].split("&"))
    return unquote(qualifiers.get("arch", ""))


def _from_dpkg(database: dpkg.Database, findings: FindingCache) -> tuple[list[Component], list[Dependency]]:
    providers: dict[str, list[str]] = {}
    for package in database.packages:
        for name in package.provides:
            providers.setdefault(name, []).append(package.purl)
    components, dependencies = [], set()
    for package in database.packages:
        path = f"usr/share/doc/{package.name}/copyright"
        components.append(
            Component(
                key=package.purl,
                name=package.name,
                version=package.version,
                architecture=package.architecture,
                supplier=package.supplier,
                purl=package.purl,
                file_name="",
                checksums=(),
                source_name=package.source_name,
                source_version=package.source_version,
                homepage=package.homepage,
                licence=_from_copyright(database.files, path, path, findings),
            )
        )
        for name in package.needs:
            for provider in providers.get(name, ()):
                if provider != package.purl:
                    dependencies.add(Dependency(package.purl, provider))
    return components, list(dependencies)


def _from_copyright(files: Files, path: str, evidence: str, findings: FindingCache) -> LicenceFinding:
    data = files.get(path)
    if data is None:
        return LicenceFinding(notes=(f"There is no {evidence}: the licence is not known.",))
    return findings.resolve(data, evidence)


def _with_recipe(copyright_file: LicenceFinding, recipe: LicenceFinding) -> LicenceFinding:
    """Both statements count; the copyright file stays the evidence."""
    if not copyright_file.expression:
        return recipe
    extracted = {entry.id: entry for entry in (*copyright_file.extracted, *recipe.extracted)}
    return LicenceFinding(
        str(all_of([parse(recipe.expression), parse(copyright_file.expression)])),
        copyright_file.tier,
        copyright_file.evidence,
        copyright_file.evidence_digest,
        (*copyright_file.notes, f"The recipe declares {recipe.expression}.", *recipe.notes),
        tuple(extracted[key] for key in sorted(extracted)),
        copyright_file.holders,
    )
