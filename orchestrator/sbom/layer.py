# SPDX-License-Identifier: MIT
"""One layer's document: what the base, the databases, the programs and people say of it, file by file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.deploy import Kind
from orchestrator.sbom import (
    apk,
    basefacts,
    bitbake,
    bitbake22,
    byhand,
    dpkg,
    facts,
    languages,
    opkg,
    platformparts,
    rpm,
)
from orchestrator.sbom.cache import FindingCache
from orchestrator.sbom.census import Accounts
from orchestrator.sbom.components import Reader, check_keys, counted, unnamed
from orchestrator.sbom.contents import Contents, Removed
from orchestrator.sbom.contents import read as read_contents
from orchestrator.sbom.files import FileTree, NoFiles
from orchestrator.sbom.handmade import Handmade
from orchestrator.sbom.inventory import Inventory, take
from orchestrator.sbom.model import (
    Blob,
    Completeness,
    Component,
    Contact,
    Dependency,
    Document,
    Layer,
    Product,
)
from orchestrator.sbom.packages import Package, dependencies

OWN_FILES = "the product's own files"


@dataclass(frozen=True, kw_only=True)
class LayerFacts:
    """What describes one layer.

    `spdx`, `copyright` and `contents` are the base's document, archive of `<package>/copyright` files, and list of who
    owns which file (deploy contract), `packages` the manifest that BitBake's own document is held against. `tree` are
    the layer's files; without `spdx` its package databases are read. `images` names the files that are booted (path to
    `kernel` or `bootloader`), `own` the files that the product laid over the layer, `removed` what its inputs had and
    it has not, `by_hand` what people wrote of its files.
    """

    name: str
    kind: Kind
    version: str
    architecture: str
    blobs: tuple[Blob, ...] = ()
    origin: str = ""
    origin_uri: str = ""
    base_image: str = ""
    spdx: Path | None = None
    packages: Path | None = None
    copyright: Path | None = None
    contents: Path | None = None
    tree: FileTree | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    removed: tuple[Removed, ...] = ()
    by_hand: tuple[Handmade, ...] = ()


def layer_document(layer: LayerFacts, product: Product, source_date_epoch: int, cache: Path | None = None) -> Document:
    """Return the document of a layer.

    `source_date_epoch` is in seconds; `cache` is a folder for findings, shared by layers and builds. Raises BuildError
    when an input cannot be read or does not follow the contract, VerificationError for a file that a component file
    pins and that is another, ConfigError for a component file that fits nothing.
    """
    made = _Making(layer, product, FindingCache(cache))
    made.by_hand()
    made.stated()
    made.files()
    components = made.finished()
    check_keys(layer.name, components)
    census = None
    if layer.tree is not None:
        removed = (*layer.removed, *(made.contents.removed if made.contents else ()))
        census = made.accounts.census(removed)
    return Document(
        Layer(
            name=layer.name,
            kind=layer.kind,
            version=layer.version,
            architecture=layer.architecture,
            blobs=tuple(sorted(layer.blobs, key=lambda blob: blob.role)),
            origin=layer.origin,
            origin_uri=layer.origin_uri,
            base_image=layer.base_image,
            completeness=made.completeness(census.unowned_total.files if census else None),
        ),
        product,
        source_date_epoch,
        tuple(sorted(components, key=lambda component: (component.name, component.key))),
        tuple(sorted(made.edges, key=lambda edge: (edge.dependent, edge.needed, edge.static))),
        tuple(dict.fromkeys(made.remarks)),
        census,
    )


class _Making:
    """A document while it is made: components, edges, and who owns what."""

    def __init__(self, layer: LayerFacts, product: Product, findings: FindingCache) -> None:
        self.layer = layer
        organisation = product.organisation
        self.maker = Contact("Organization", organisation, product.contact) if organisation else None
        self.inventory: Inventory = take(layer.tree or NoFiles())
        self.reader = Reader(self.inventory, findings)
        self.accounts = Accounts(self.inventory)
        self.contents: Contents | None = read_contents(layer.contents) if layer.contents else None
        self.components: list[Component] = []
        self.edges: set[Dependency] = set()
        self.remarks: list[str] = []
        self.known = False
        self.packages_of_bitbake: frozenset[str] = frozenset()

    def by_hand(self) -> None:
        """What people wrote comes first: they wrote it because nothing else says it, or says it right."""
        for component, paths in byhand.components(self.reader, self.layer.by_hand):
            self.components.append(component)
            self.accounts.claim(component.key, paths)
        self.accounts.explain(OWN_FILES, self.layer.own)

    def stated(self) -> None:
        """What the base says, or else the package databases."""
        if self.layer.spdx is not None:
            owners: Mapping[str, Sequence[str]] = self.contents.owners if self.contents else {}
            found: bitbake.Import | None = None
            archived = bitbake22.is_archive(self.layer.spdx)
            if archived or bitbake.is_bitbakes(self.layer.spdx):
                of_its_form = bitbake22.read if archived else bitbake.read
                found = of_its_form(self.layer.spdx, self.layer.packages, boots=self.layer.kind == "bsp")
                known, owners = found.facts, {**found.owners, **owners}
                if strays := self._strays(found):
                    self.remarks.append(f"Installed, and not in the base's document: {', '.join(strays)}.")
            else:
                known = facts.read(self.layer.spdx)
            made, edges = basefacts.components(known, self.layer.copyright, self.reader.findings, self.maker)
            self.components += made
            self.edges |= edges
            self.known = True
            if found is not None:
                self.packages_of_bitbake = frozenset(component.key for component in made)
            self._owners(made, owners)
            return
        if self.layer.tree is None:
            self.remarks.append("No facts came with this layer: its components are unknown.")
            return
        packages: list[Package] = []
        for database in (read(self.layer.tree) for read in (dpkg.read, apk.read, rpm.read, opkg.read)):
            packages += database.packages
            self.remarks += database.remarks
            self.known = self.known or (bool(database.found) and not database.remarks)
            if database.packages:
                self.remarks.append(
                    f"Read from the layer's {database.ecosystem} database: hashes of the package files are unknown."
                )
        if not self.known:
            self.remarks.append("No package database in this layer: what its packages were is unknown.")
        edges, _ = dependencies(packages)
        self.edges |= edges
        self.components += map(self.reader.component, packages)
        for package in packages:
            self.accounts.claim(package.key, package.files)

    def _strays(self, found: bitbake.Import) -> Sequence[str]:
        """What is installed and unknown to BitBake's document: by the manifest, else by the package databases."""
        if self.layer.packages or self.layer.tree is None:
            return found.unaccounted
        known = {fact.name for fact in found.facts.packages}
        databases = (read(self.layer.tree) for read in (dpkg.read, apk.read, rpm.read, opkg.read))
        return sorted({package.name for each in databases for package in each.packages} - known)

    def _owners(self, made: list[Component], owners: Mapping[str, Sequence[str]]) -> None:
        by_name = {component.name: component.key for component in made}
        for name, paths in sorted(owners.items()):
            if name in by_name:
                self.accounts.claim(by_name[name], paths)
            else:
                self.remarks.append(f"The base gives files to {name}, which it does not list.")
        for reason, paths in sorted(self.contents.explained.items()) if self.contents else ():
            self.accounts.explain(reason, paths)

    def files(self) -> None:
        """What the files say themselves: modules, firmware, language packages, programs."""
        known = {component.key: component for component in self.components}
        owner = self.accounts.owner
        for path, kind in sorted(self.layer.images.items()):
            parent = known.get(owner.get(path, ""))
            self._inner([platformparts.image(self.reader, path, kind, self.layer.version, parent)], {path: None})
        modules, edges, paths, remarks = platformparts.modules(self.reader, owner, known)
        self.edges |= edges
        self.remarks += remarks
        self._inner(modules, paths)
        self._inner(*platformparts.firmware_of(self.reader, owner, known))
        packages, made, edges = languages.packages(self.reader, owner)
        self.components += made
        self.edges |= edges
        for package in packages:
            self.accounts.claim(package.key, package.files)
        made, edges, owners, remarks = languages.linked(self.reader, owner, known)
        self.components += made
        self.edges |= edges
        self.remarks += remarks
        for path, key in owners.items():
            self.accounts.claim(key, [path])
        self.accounts.explain_known()
        own = [path for path, reason in sorted(self.accounts.reason.items()) if reason == OWN_FILES]
        self.components += unnamed(self.reader, [*self.accounts.unowned(), *own])

    def _inner(self, made: list[Component], paths: Mapping[str, str | None]) -> None:
        self.components += made
        for path, key in paths.items():
            inner = key or made[0].key
            self.accounts.claim(inner, [path])
            self.accounts.inner[path] = inner

    def finished(self) -> list[Component]:
        """Return the components with their files counted; one that came without a package file is its own program.

        A package of several files that BitBake made is none of them, and its own file is not in the layer.
        """
        owned = self.accounts.owned_by()
        return [
            component
            if component.key in self.packages_of_bitbake and len(owned.get(component.key, [])) != 1
            else basefacts.with_own_program(self.reader, component, owned.get(component.key, []))
            for component in counted(self.components, owned, self.inventory)
        ]

    def completeness(self, unowned: int | None) -> Completeness:
        """Return whether the components are all there are: known when every file is accounted for."""
        if unowned is None or not (self.known or self.components):
            return "unknown"
        return "complete" if unowned == 0 and not self.inventory.damaged else "incomplete"
