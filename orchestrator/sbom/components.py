# SPDX-License-Identifier: MIT
"""Components out of what databases, language packages, programs and kernel modules say, each with its licence."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.errors import BuildError
from orchestrator.sbom.cache import FindingCache
from orchestrator.sbom.files import FileTree, Hashes, hashes, shown
from orchestrator.sbom.files import read as read_file
from orchestrator.sbom.inventory import Inventory
from orchestrator.sbom.model import Checksum, Component, LicenceFinding, Traits
from orchestrator.sbom.packages import Package
from orchestrator.sbom.resolver import joined

_LICENCE_FILE = re.compile(r"(?:.*/)?(?:LICEN[CS]E|COPYING|COPYRIGHT|licen[cs]es?/[^/]+)[^/]*\Z", re.IGNORECASE)
_MAX_LICENCE = 1024 * 1024
_MAX_LICENCE_FILES = 8

PACKAGE_TRAITS = Traits(archive=True, structured=True)


@dataclass
class Reader:
    """What is needed to turn packages into components: the files, and findings of licences that are known already."""

    inventory: Inventory
    findings: FindingCache

    @property
    def tree(self) -> FileTree:
        """The layer's files."""
        return self.inventory.tree

    def component(self, package: Package) -> Component:
        """Return a package as a component; files are counted later."""
        source = package.source
        return Component(
            key=package.key,
            name=package.name,
            version=package.version,
            architecture=package.architecture,
            supplier=package.supplier,
            purl=package.purl,
            file_name="",
            checksums=(),
            source_name=source.name if source else "",
            source_version=source.version if source else "",
            source_uri=source.uri if source else "",
            source_checksums=source.checksums if source else (),
            homepage=package.homepage,
            licence=self.licence(package),
            kind=package.kind,
            traits=PACKAGE_TRAITS if package.kind == "package" else Traits(structured=True),
            linking=package.linking,
            dependencies=package.dependencies,
            parent=package.parent,
            place=package.place,
            description=package.description,
            remarks=package.remarks,
        )

    def licence(self, package: Package) -> LicenceFinding:
        """Return what a package declares, with its evidence; its own licence files speak where it declares nothing."""
        if package.licence is None:  # Debian's packages say it in their copyright file
            return self.copyright(package.name)
        finding = package.licence
        if not finding.expression:
            for path in self._licence_files(package.files):
                data = read_file(self.tree, path, _MAX_LICENCE)
                if data:
                    finding = joined(finding, self.findings.resolve(data, shown(path)))
            if finding.expression:
                return finding
        if not package.evidence:
            return finding
        return dataclasses.replace(
            finding, evidence=shown(package.evidence), evidence_digest=self.digest(package.evidence)
        )

    def _licence_files(self, paths: Iterable[str]) -> list[str]:
        wanted = [path for path in paths if _LICENCE_FILE.match(path)]
        small = [
            path
            for path in wanted
            if (entry := self.inventory.by_path.get(path)) is not None and entry.size <= _MAX_LICENCE
        ]
        return sorted(small)[:_MAX_LICENCE_FILES]

    def copyright(self, name: str) -> LicenceFinding:
        """Return what the copyright file of a Debian package says."""
        path = f"usr/share/doc/{name}/copyright"
        data = read_file(self.tree, path)
        if data is None:
            return LicenceFinding(notes=(f"There is no {path}: the licence is not known.",))
        return self.findings.resolve(data, path)

    def digest(self, path: str) -> str:
        """Return the digest of a file as `sha256:<hex>`, or an empty text when there is none; read once a path."""
        known = self._digests.get(path)
        if known is None:
            source = self.tree.open(path)
            known = "" if source is None else "sha256:" + hashes(source).sha256
            self._digests[path] = known
        return known

    def __post_init__(self) -> None:
        self._digests: dict[str, str] = {}
        self._sums: dict[str, Hashes] = {}

    def as_file(self, component: Component, path: str) -> Component:
        """Return a component that is the file at `path`: its name, hashes and traits."""
        sums = self._sums.get(path) or hashes(self.inventory.source(path))
        self._sums[path] = sums
        return dataclasses.replace(
            component,
            place=shown(path),
            file_name=posixpath.basename(shown(path)),
            checksums=(Checksum("SHA256", sums.sha256), Checksum("SHA512", sums.sha512)),
            traits=Traits(
                executable=path in self.inventory.code,
                archive=False,
                structured=path in self.inventory.programs,
            ),
        )


def counted(components: Sequence[Component], owned: dict[str, list[str]], inventory: Inventory) -> list[Component]:
    """Return the components with the files that they own counted, and what runs among them told."""
    result = []
    for component in components:
        paths = owned.get(component.key, [])
        code = any(path in inventory.code for path in paths)
        linking = component.linking
        if linking == "unknown":
            linking = inventory.linking(paths)
        executable = component.traits.executable
        result.append(
            dataclasses.replace(
                component,
                files=len(paths),
                size=sum(inventory.by_path[path].size for path in paths),
                traits=dataclasses.replace(component.traits, executable=code if executable is None else executable),
                linking=linking,
            )
        )
    return result


def unnamed(reader: Reader, paths: Iterable[str]) -> list[Component]:
    """Return a component for each program that nothing accounts for, named by its file and by its content."""
    result = []
    for path in paths:
        elf = reader.inventory.programs.get(path)
        if elf is None:
            continue
        name = posixpath.basename(shown(path))
        blank = Component(
            key=f"file:{shown(path)}",
            name=name,
            version="",
            architecture=elf.machine,
            supplier=None,
            purl="",
            file_name=name,
            checksums=(),
            source_name="",
            source_version="",
            homepage="",
            licence=LicenceFinding(notes=("Nothing says what this program is or whose.",)),
            kind="file",
            dependencies="unknown",
        )
        made = reader.as_file(blank, path)
        digest = next(each.value for each in made.checksums if each.algorithm == "SHA256")
        remark = "No database or metadata accounts for this program; its version is the beginning of its SHA-256."
        needs = f"It needs: {', '.join(elf.needed)}." if elf.needed else ""
        result.append(
            dataclasses.replace(
                made,
                version=f"sha256-{digest[:16]}",
                linking="static" if elf.static else "dynamic",
                remarks=tuple(filter(None, (remark, needs, f"Build id: {elf.build_id}." if elf.build_id else ""))),
            )
        )
    return result


def check_keys(layer: str, components: Sequence[Component]) -> None:
    """Raise BuildError when two components of a layer have one key."""
    seen: set[str] = set()
    for component in components:
        if component.key in seen:
            raise BuildError(f"layer {layer}: a package is listed twice", component.key)
        seen.add(component.key)
