# SPDX-License-Identifier: MIT
"""`pycontainer sbom`: notice, sources, export, attest, verify - what leaves as files."""

from __future__ import annotations

import csv
import dataclasses
import io
from argparse import Namespace
from pathlib import Path

from orchestrator.canonical import read_limited, sha256_digest, write_atomically
from orchestrator.cli import screens
from orchestrator.cli.commands import Result, reporter
from orchestrator.cli.sbom import answer
from orchestrator.compliance import notice as notices
from orchestrator.compliance.bill import Bill
from orchestrator.compliance.bundle.make import to_data
from orchestrator.compliance.sources import sources as list_sources
from orchestrator.compliance.sources import written_offer
from orchestrator.errors import ConfigError, FetchError, VerificationError
from orchestrator.product.units import format_size

_SUFFIXES = {"spdx3": ".spdx3.json", "spdx23": ".spdx.json", "cyclonedx": ".cdx.json"}
FORMATS = (*_SUFFIXES, "csv")


def notice(options: Namespace) -> Result:
    """`pycontainer sbom notice`."""
    made = answer(options).notice(options.layer)
    text = notices.as_html(made) if options.format == "html" else notices.as_text(made)
    missing = [{"licence": licence, "component": component} for licence, component in made.missing]
    data = {
        "missing": missing,
        "components": sum(len(entries) for _, entries in made.layers),
        "texts": len(made.texts),
        "copyrightFiles": len(made.files),
        "digest": sha256_digest(text.encode()),
    }
    code = VerificationError.exit_code if missing else 0
    if options.output is None:
        return Result(text.rstrip("\n"), data | {"notice": text}, code)
    write_atomically(options.output, text.encode())
    said = f"{screens.near(str(options.output))}: {data['components']} components, {data['texts']} licence texts, "
    said += f"{data['copyrightFiles']} copyright files"
    said += "".join(f"\n  the text of {each['licence']} ({each['component']}) is missing" for each in missing)
    return Result(said, data, code)


def sources(options: Namespace) -> Result:
    """`pycontainer sbom sources`."""
    asked = answer(options)
    asked.know(options.layer)
    listed = list(list_sources(asked.bill, options.layer))
    chosen = [each for each in listed if each.owed or options.all]
    if options.offer:
        offer = asked.policy.written_offer()
        if offer is None:
            raise ConfigError("the policy has no offer", "key 'offer' with contact and until", "see docs/compliance.md")
        text = written_offer(asked.title, offer, len(asked.bill.layers), sum(each.owed for each in listed))
        return Result(text, {"offer": text, "contact": offer.contact, "until": offer.until})
    if options.record:
        with reporter(options.json) as report, report.step("look the sources up") as step:
            path, count, left = asked.record_sources(asked.place.build / "source-indexes" if asked.place else Path())
            step.result = f"{count} found"
        gone = [{"name": each.name, "version": each.version, "components": list(each.components)} for each in left]
        text = f"{screens.near(str(path))}: {count} sources; the next build has their hashes"
        text += "".join(f"\n  not in the index: {each.name} {each.version}" for each in left)
        return Result(text, {"record": str(path), "sources": count, "notFound": gone})
    if options.fetch is not None:
        cache = (asked.place.build if asked.place else options.fetch) / "source-indexes"
        with reporter(options.json) as report, report.step("fetch the sources") as step:
            bundle = asked.fetch_sources(chosen, options.fetch, cache, report.view.amount)
            step.result = format_size(bundle.size)
        text = f"{screens.near(str(options.fetch))}: {len(bundle.entries)} sources, {format_size(bundle.size)}"
        for each in bundle.missing:
            name = f"{each.name} {each.version}".strip() or ", ".join(each.components)
            text += f"\n  missing: {name} ({each.layer}): {each.why}"
        return Result(text, to_data(bundle), FetchError.exit_code if bundle.missing else 0)
    rows = [
        ("owed" if each.owed else "", each.layer, f"{each.name} {each.version}".strip() or "(unknown)",
         ", ".join(each.components))
        for each in chosen
    ]  # fmt: skip
    columns = [("", "left"), ("layer", "left"), ("source", "left"), ("became", "left")]
    foot = f"\n{len(chosen)} sources, {sum(each.owed for each in chosen)} of them owed"
    data = {"sources": [dataclasses.asdict(each) | {"hashes": dict(each.hashes)} for each in chosen]}
    return Result(screens.render(screens.table(columns, rows), foot), data)


def export(options: Namespace) -> Result:
    """`pycontainer sbom export`."""
    asked = answer(options)
    asked.know(options.layer)
    if options.format == "csv":
        data = _csv(asked.bill, options.layer).encode()
    else:
        if asked.place is None or options.revision:
            raise ConfigError(
                "only a build has documents of every format",
                "a revision and a file have the one they are",
                "use --format csv",
            )
        suffix = _SUFFIXES[options.format]
        whole = asked.release.image
        name = options.layer or (whole.name.partition(".spdx")[0] if whole else "")
        if not name:
            raise ConfigError("which layer?", "this build has no document of the whole image", "name one by --layer")
        path = asked.place.sbom / f"{name}{suffix}"
        if not path.is_file():
            raise ConfigError(f"there is no {path}", "the build wrote no such document", "build again")
        data = read_limited(path, 1 << 30)
    facts = {"format": options.format, "digest": sha256_digest(data), "size": len(data)}
    if options.output is None:
        return Result(data.decode().rstrip("\n"), facts | {"document": data.decode()})
    write_atomically(options.output, data)
    return Result(f"{screens.near(str(options.output))}: {format_size(len(data))}", facts)


def _csv(bill: Bill, layer: str) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["layer", "name", "version", "purl", "supplier", "declared", "concluded", "source", "evidence"])
    for each in bill.layers:
        if layer not in ("", each.name):
            continue
        for component in sorted(bill.members(each.name), key=lambda one: (one.name, one.version, one.id)):
            known = component.properties
            row = [
                each.name, component.name, component.version, component.purl,
                component.supplier.name if component.supplier else "", component.declared, component.concluded,
                f"{known.get('sourcename', '')} {known.get('sourceversion', '')}".strip(), known.get("evidence", ""),
            ]  # fmt: skip
            # A spreadsheet takes a cell that begins so for a formula.
            writer.writerow([f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell for cell in row])
    return stream.getvalue()


def _image(options: Namespace, place: Path | None) -> Path | None:
    if options.image is not None:
        chosen: Path = options.image
        return chosen
    return place if place is not None and place.exists() else None


def attest(options: Namespace) -> Result:
    """`pycontainer sbom attest`."""
    asked = answer(options)
    out = options.output or asked.attestation
    if out is None:
        raise ConfigError("where to?", "no product was named", "name the product's folder, or a file by -o")
    with reporter(options.json) as report, report.step("attest") as step:
        subjects = asked.attest(out, _image(options, asked.place.image if asked.place else None))
        step.result = f"{len(subjects)} subjects"
    references = asked.references()
    text = f"{screens.near(str(out))}: {len(references)} documents are about {len(subjects)} things"
    data = {
        "attestation": str(out),
        "subjects": [dataclasses.asdict(each) for each in subjects],
        "documents": [dataclasses.asdict(each) for each in references],
    }
    return Result(text, data)


def verify(options: Namespace) -> Result:
    """`pycontainer sbom verify`."""
    asked = answer(options)
    path = options.attestation or asked.attestation
    if path is None:
        raise ConfigError("which attestation?", "no product was named", "name the product's folder")
    image = _image(options, asked.place.image if asked.place else None)
    found = asked.verify(path, image)
    rows = [("ok", "signed", ", ".join(key[:12] for key in found.keyids))]
    rows += [("ok", "document", f"{each.name}  {each.digest[7:19]}") for each in asked.references()]
    rows.append(("ok", "layers", f"{sum(1 for each in asked.subjects())} digests"))
    if image is not None:
        rows.append(("ok", "image", screens.near(str(image))))
    data = {"attestation": str(path), "keys": list(found.keyids), "image": str(image) if image else None,
            "subjects": [dataclasses.asdict(each) for each in found.subjects]}  # fmt: skip
    return Result(screens.render(screens.table([("", "left"), ("what", "left"), ("detail", "left")], rows)), data)
