# SPDX-License-Identifier: MIT
"""What each action of `pycontainer layer` does with its words."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

from rich.text import Text

from orchestrator import publish
from orchestrator.build import layerbuild
from orchestrator.build.published import asked_words
from orchestrator.cli import screens
from orchestrator.cli.commands import Result, reporter
from orchestrator.errors import ConfigError
from orchestrator.oci import Store
from orchestrator.oci.layout import Layout
from orchestrator.product.reference import ImageReference, parse_reference
from orchestrator.product.units import format_size


def build(options: Namespace) -> Result:
    """`pycontainer layer build`."""
    spec, root = layerbuild.find_layer(options.folder, options.name, options.architecture)
    with reporter(options.json) as report:
        made = layerbuild.build_alone(spec, root, report)
    config = made.layer.config
    rows = [
        ("layer", f"{config.name} {config.version} for {config.architecture}"),
        ("manifest", made.layer.id),
        ("image", f"{format_size(made.layer.rootfs.size)}, {made.layer.rootfs.digest}"),
        ("components", f"{made.components}, under {made.licences} licences"),
        ("signed by", ", ".join(f"key {keyid}" for keyid in made.keyids)),
        ("asks for", ", ".join(made.asks) or "nothing beyond the default confinement"),
    ]
    rows += [("note", each) for each in made.notes]
    following = Text.assemble(
        ("next  ", "bold"), f"{screens.program()} layer push registry.example/{config.name}:{config.version}"
    )
    text = screens.render(screens.table([("", "left"), ("", "left")], rows), "", following)
    data = _data(made.layer) | {
        "signedBy": list(made.keyids), "components": made.components, "licences": made.licences,
        "asks": list(made.asks), "notes": list(made.notes),
    }  # fmt: skip
    return Result(text, data)


def push(options: Namespace) -> Result:
    """`pycontainer layer push`."""
    reference = _reference(options.reference)
    spec, root = layerbuild.find_layer(options.folder, options.name, options.architecture)
    store, layer = layerbuild.last_built(root, spec.layer)
    with reporter(options.json) as report, report.step(f"push {spec.layer} to {reference}") as step:
        moved = publish.send_layer(
            store, layer, reference, Path.cwd(), tell=report.view.amount,
            say=lambda text: report.view.message("note", text),
        )  # fmt: skip
        step.result = f"{format_size(moved.bytes)} moved" if moved.bytes else "nothing to move"
    keyids = [one.keyid for one in publish.signatures(store, layer) if one.valid]
    words = f'from: {{layer: "{options.reference}", signers: [{", ".join(keyids)}]}}'
    text = f"{layer.config.name} {layer.config.version}: {layer.id}\n{format_size(moved.bytes)} moved\n\n"
    text += f"products take it with\n    {words}"
    return Result(text, _data(layer) | {"reference": options.reference, "moved": moved.bytes, "signedBy": keyids})


def show(options: Namespace) -> Result:
    """`pycontainer layer show`."""
    if not options.reference:
        spec, root = layerbuild.find_layer(options.folder, options.name, options.architecture)
        store, layer = layerbuild.last_built(root, spec.layer)
        return _shown(store, layer)
    reference = _reference(options.reference)
    with tempfile.TemporaryDirectory(prefix="pycontainer-") as folder, reporter(options.json) as report:
        store = Store.open_or_create(Path(folder) / "store")
        with report.step(f"look at {reference}"):
            layer = publish.look_at(reference, Path.cwd(), store)
        return _shown(store, layer)


def _shown(layout: Layout, layer: publish.PublishedLayer) -> Result:
    config = layer.config
    made = publish.signatures(layout, layer)
    asks = asked_words(layer)
    rows = [
        ("layer", f"{config.name} {config.version}, {config.kind} for {config.architecture}"),
        ("manifest", layer.id),
        ("made", f"{config.created}{f' by {config.supplier}' if config.supplier else ''}"),
        ("image", f"{format_size(layer.rootfs.size)}, {layer.rootfs.digest}"),
        ("fs-verity", layer.fsverity),
    ]
    rows += [("signed by", f"key {one.keyid}{'' if one.valid else '  WRONG'}") for one in made] or [
        ("signed by", "nobody")
    ]
    rows += [("asks for", each) for each in asks] or [("asks for", "nothing beyond the default confinement")]
    documents = sorted({entry.artifact_type or "" for entry in layout.referrers(layer.id)} - {_SIGNATURE})
    rows += [("attached", kind) for kind in documents]
    data = _data(layer) | {
        "signatures": [{"key": one.keyid, "valid": one.valid} for one in made], "asks": asks, "run": config.run,
        "attached": documents,
    }  # fmt: skip
    return Result(screens.render(screens.table([("", "left"), ("", "left")], rows)), data)


_SIGNATURE = "application/vnd.pycontainer.signature.v1"


def _data(layer: publish.PublishedLayer) -> dict[str, Any]:
    config = layer.config
    return {
        "layer": config.name,
        "version": config.version,
        "kind": config.kind,
        "architecture": config.architecture,
        "manifest": layer.id,
        "rootfs": layer.rootfs.digest,
        "fsverity": layer.fsverity,
        "size": layer.rootfs.size,
    }


def _reference(text: str) -> ImageReference:
    try:
        return parse_reference(text)
    except ValueError as problem:
        raise ConfigError(
            f"{text!r} is no place of a layer", str(problem), "write HOST/NAME:TAG or oci:DIR:TAG"
        ) from None
