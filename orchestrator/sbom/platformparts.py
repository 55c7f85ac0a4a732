# SPDX-License-Identifier: MIT
"""Components of a platform layer that are files of their own: the kernel, each of its modules, firmware, the loader."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from orchestrator.sbom import firmware, kernel
from orchestrator.sbom.components import Reader
from orchestrator.sbom.elf import ElfError
from orchestrator.sbom.files import shown, text
from orchestrator.sbom.model import Component, Dependency, LicenceFinding
from orchestrator.sbom.packages import purl
from orchestrator.sbom.resolver import joined, licence_ref

_GPL = re.compile(r"\bGPL ?v?2\b( or later)?|\bGPLv?2\+", re.IGNORECASE)


def modules(
    reader: Reader, owner: Mapping[str, str], known: Mapping[str, Component]
) -> tuple[list[Component], set[Dependency], dict[str, str], list[str]]:
    """Return a component for each kernel module, their needs among each other, their keys by path, and remarks.

    `owner` gives the key of the package that a path belongs to; such a module is part of it and has its supplier.
    """
    found: dict[str, tuple[str, Component, kernel.Module]] = {}
    remarks = []
    for entry in reader.inventory.entries:
        name = kernel.module_name(entry.path)
        if name is None:
            continue
        try:
            module = kernel.read_module(entry.path, reader.inventory.source(entry.path))
        except ElfError as problem:
            remarks.append(f"{shown(entry.path)} is no kernel module that can be read: {problem}.")
            continue
        if name not in found:
            found[name] = entry.path, _module(reader, entry.path, module, known.get(owner.get(entry.path, ""))), module
    edges = {
        Dependency(component.key, found[need][1].key)
        for _, component, module in found.values()
        for need in module.depends
        if need in found and found[need][1].key != component.key
    }
    paths = {path: component.key for path, component, _ in found.values()}
    return [component for _, component, _ in found.values()], edges, paths, remarks


def _module(reader: Reader, path: str, module: kernel.Module, parent: Component | None) -> Component:
    version = module.release or module.version or (parent.version if parent else "")
    blank = Component(
        key=f"module:{shown(path)}",
        name=module.name,
        version=version,
        architecture=parent.architecture if parent else "",
        supplier=parent.supplier if parent else None,
        purl=purl("generic", "", f"linux-module-{module.name}", version),
        file_name="",
        checksums=(),
        source_name=parent.source_name if parent else "",
        source_version=parent.source_version if parent else "",
        source_uri=parent.source_uri if parent else "",
        homepage="",
        licence=LicenceFinding(),
        kind="kernel-module",
        linking="none",
        dependencies="complete",
        parent=parent.key if parent else "",
        description=module.description,
        remarks=tuple(
            filter(
                None,
                (
                    f"Its own version: {module.version}." if module.version and module.version != version else "",
                    f"May ask for firmware: {', '.join(module.firmware)}." if module.firmware else "",
                ),
            )
        ),
    )
    made = reader.as_file(blank, path)
    digest = "sha256:" + next(each.value for each in made.checksums if each.algorithm == "SHA256")
    return dataclasses.replace(
        made,
        licence=_tagged(module, shown(path), digest, parent),
        traits=dataclasses.replace(made.traits, executable=True, structured=True),
    )


def _tagged(module: kernel.Module, path: str, digest: str, parent: Component | None) -> LicenceFinding:
    """Return what a module's licence tags say; several all count. Without an author, the kernel's holders hold it."""
    finding = LicenceFinding(notes=("The module has no licence tag.",))
    for tag in module.licences:
        if tag in kernel.LICENCES:
            note = f'The tag is "{tag}".'
            if tag != "GPL v2":
                note += " It says GPL-2.0-only at least; the source may allow more."
            each = LicenceFinding(kernel.LICENCES[tag], "module", notes=(note,), confidence="medium")
        else:
            minted = licence_ref(f"proprietary-module {tag}" if "ropriet" in tag else tag, f"MODULE_LICENSE: {tag}")
            note = f'The tag "{tag}" is none that the kernel takes for free software.'
            each = LicenceFinding(minted.id, "module", notes=(note,), extracted=(minted,), confidence="low")
        finding = each if not finding.expression else joined(finding, each)
    holders = tuple(f"Author: {author}" for author in module.authors) or (parent.licence.holders if parent else ())
    return dataclasses.replace(finding, evidence=path, evidence_digest=digest, holders=holders)


def image(reader: Reader, path: str, kind: str, version: str, parent: Component | None) -> Component:
    """Return the component for a file that is booted: the kernel (`kernel`) or the boot loader (`bootloader`)."""
    name = "linux" if kind == "kernel" else shown(path)
    release = kernel.release(reader.inventory.source(path)) if kind == "kernel" else ""
    number = release or version
    blank = Component(
        key=f"{kind}:{shown(path)}",
        name=name,
        version=number,
        architecture=parent.architecture if parent else "",
        supplier=parent.supplier if parent else None,
        purl=purl("generic", "", name, number),
        file_name="",
        checksums=(),
        source_name=parent.source_name if parent else "",
        source_version=parent.source_version if parent else "",
        source_uri=parent.source_uri if parent else "",
        homepage=parent.homepage if parent else "",
        licence=parent.licence if parent else LicenceFinding(notes=("Nothing says what this was built from.",)),
        kind="kernel" if kind == "kernel" else "bootloader",
        linking="static",
        dependencies="complete",
        parent=parent.key if parent else "",
    )
    made = reader.as_file(blank, path)
    return dataclasses.replace(made, traits=dataclasses.replace(made.traits, executable=True, structured=True))


def firmware_of(
    reader: Reader, owner: Mapping[str, str], known: Mapping[str, Component]
) -> tuple[list[Component], dict[str, str]]:
    """Return a component for the firmware of each driver that WHENCE names, and their keys by path."""
    components: list[Component] = []
    paths: dict[str, str] = {}
    for each in firmware.read(reader.inventory):
        key = f"firmware:{each.driver}:{shown(each.files[0])}"
        parent = known.get(owner.get(each.files[0], ""))
        version = each.version or (parent.version if parent else "")
        blank = Component(
            key=key,
            name=f"firmware of {each.driver}",
            version=version,
            architecture="",
            supplier=parent.supplier if parent else None,
            purl=purl("generic", "", f"firmware-{each.driver}", version),
            file_name="",
            checksums=(),
            source_name=parent.source_name if parent else "",
            source_version=parent.source_version if parent else "",
            source_uri=parent.source_uri if parent else "",
            homepage="",
            licence=_whence(reader, each),
            kind="firmware",
            linking="none",
            dependencies="complete",
            parent=parent.key if parent else "",
        )
        made = reader.as_file(blank, each.files[0]) if len(each.files) == 1 else blank
        traits = dataclasses.replace(made.traits, executable=True, structured=False)
        components.append(dataclasses.replace(made, traits=traits))
        paths |= dict.fromkeys(each.files, key)
    return components, paths


def _whence(reader: Reader, each: firmware.Firmware) -> LicenceFinding:
    words = each.licence or "WHENCE names no licence."
    texts = [words, *(text(reader.tree, path) or "" for path in each.texts)]
    name = each.texts[0].rpartition("/")[2] if each.texts else "firmware"
    minted = licence_ref(name, "\n\n".join(texts))
    expression = minted.id
    if match := _GPL.search(words):
        listed = "GPL-2.0-or-later" if match[1] or "+" in match[0] else "GPL-2.0-only"
        expression = f"{listed} AND {minted.id}"
    return LicenceFinding(
        expression,
        "text" if each.texts else "package",
        evidence=shown(each.whence),
        evidence_digest=reader.digest(each.whence),
        notes=(f"WHENCE says: {words[:300]}",),
        extracted=(minted,),
        confidence="medium" if each.texts else "low",
    )
