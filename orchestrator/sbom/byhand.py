# SPDX-License-Identifier: MIT
"""Components that people described in a component file, bound to the files of the layer that their patterns choose."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from orchestrator.errors import ConfigError, VerificationError
from orchestrator.sbom.components import Reader
from orchestrator.sbom.expression import ExpressionError, licences, parse
from orchestrator.sbom.files import hashes, shown
from orchestrator.sbom.handmade import HandComponent, Handmade
from orchestrator.sbom.model import Checksum, Component, Contact, ExtractedLicence, LicenceFinding
from orchestrator.sbom.packages import purl
from orchestrator.sbom.texts import mentions_copyleft


def pattern(glob: str) -> re.Pattern[str]:
    """Return a path pattern as a regular expression: `**` is any path, `*` and `?` stay within a folder."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob.lstrip("/"))
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts) + r"\Z", re.DOTALL)


def components(reader: Reader, described: Iterable[Handmade]) -> list[tuple[Component, list[str]]]:
    """Return each described component with its paths, sorted.

    Raises ConfigError for a pattern that chooses no file and for a licence that is no expression, VerificationError
    for a file whose SHA-256 is not the pinned one.
    """
    result = []
    for each in described:
        hand = each.component
        paths: set[str] = set()
        for glob in hand.files:
            form = pattern(glob)
            chosen = [entry.path for entry in reader.inventory.entries if form.match(shown(entry.path))]
            if not chosen:
                raise ConfigError(
                    f"{each.evidence}: the component {hand.name} has no file {glob}",
                    f"the layer {hand.layer} has none that the pattern fits",
                    "correct the pattern, or remove the component with the files",
                )
            paths.update(chosen)
        _check_pins(reader, each, paths)
        result.append((_component(reader, each, sorted(paths)), sorted(paths)))
    return result


def _check_pins(reader: Reader, each: Handmade, paths: set[str]) -> None:
    for path, wanted in sorted(each.component.sha256.items()):
        path = path.lstrip("/")
        found = hashes(reader.inventory.source(path)).sha256 if path in paths else "none of its files"
        if found != wanted:
            raise VerificationError(
                f"{each.evidence}: {path} of {each.component.name} is not the file that was described",
                f"its SHA-256 is {found}, pinned is {wanted}",
                "look at the new file, then correct version, licence and hash in the component file",
            )


def _component(reader: Reader, each: Handmade, paths: list[str]) -> Component:
    hand = each.component
    url = hand.purl or purl("generic", "", hand.name, hand.version)
    source = hand.source
    blank = Component(
        key=f"{url}#{paths[0]}",
        name=hand.name,
        version=hand.version,
        architecture="",
        supplier=Contact("Organization", hand.supplier.name, hand.supplier.contact),
        purl=url,
        file_name="",
        checksums=(),
        source_name=source.name if source else "",
        source_version=source.version if source else "",
        source_uri=source.uri if source else "",
        source_checksums=(Checksum("SHA256", source.sha256),) if source and source.sha256 else (),
        homepage=hand.homepage,
        licence=_licence(each, hand),
        kind="file" if len(paths) == 1 else "application",
        description=hand.description,
        remarks=(f"Described by hand in {each.evidence}.",),
    )
    if len(paths) > 1:
        return blank  # its first program becomes its file
    made = reader.as_file(blank, paths[0])
    return dataclasses.replace(made, linking=reader.inventory.linking(paths))


def _licence(each: Handmade, hand: HandComponent) -> LicenceFinding:
    try:
        node = parse(hand.licence)
    except ExpressionError as problem:
        raise ConfigError(
            f"{each.evidence}: the licence of {hand.name} is no SPDX expression",
            str(problem),
            "write an identifier of the SPDX list, or LicenseRef-... with licenceFile",
        ) from problem
    references = sorted({term.id for term in licences(node) if term.id.startswith("LicenseRef-")})
    if len(references) > 1 or (references and not each.text):
        raise ConfigError(
            f"{each.evidence}: the text of {', '.join(references)} of {hand.name} is missing",
            "each component may have one LicenseRef, whose text is its licenceFile",
            "name the file with the text, beside the component file",
        )
    extracted = tuple(
        ExtractedLicence(name, name.removeprefix("LicenseRef-"), each.text, mentions_copyleft(f"{name} {each.text}"))
        for name in references
    )
    return LicenceFinding(
        hand.licence,
        "manual",
        evidence=each.evidence,
        evidence_digest=each.evidence_digest,
        extracted=extracted,
        holders=tuple(hand.copyright),
        confidence="high",
    )
