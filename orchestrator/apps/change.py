# SPDX-License-Identifier: MIT
"""Adding, removing and listing layers, and importing them from a compose file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.apps.reference import check_local, source_of
from orchestrator.canonical import write_atomically
from orchestrator.compose import Import, Request, import_compose
from orchestrator.errors import ConfigError
from orchestrator.product.edit import add_layers, edit_product, remove_layer, try_edit
from orchestrator.product.load import load_product
from orchestrator.product.model import Layer, Product


@dataclass(frozen=True)
class Listed:
    """One layer in a list: what it is made of, how it is reached, what it may take."""

    name: str
    kind: str
    source: str
    reached: str
    memory: str
    after: tuple[str, ...]


def add(
    file: Path,
    name: str,
    reference: str,
    settings: Mapping[str, Any],
    kind: str = "app",
    platform: str | None = None,
    signers: Sequence[str] = (),
) -> dict[str, Any]:
    """Write a layer into a product file; returns it in the product file's words.

    `settings` are further keys. Raises ConfigError for what is no layer, VerificationError for an archive or a layout
    that is none; the file is then as it was. What lies in a registry is looked for by `show` and a build.
    """
    layer = {"kind": kind, "from": source_of(reference, file.parent, platform, signers), **settings}
    check_local(layer["from"], file.parent, load_product(file).machine)
    edit_product(file, add_layers({name: layer}))
    return layer


def remove(file: Path, name: str) -> Product:
    """Take a layer out of a product file; raises ConfigError when there is none, or another one needs it."""
    try:
        return edit_product(file, remove_layer(name))
    except ConfigError as problem:
        if needing := _needing(file, name):
            raise ConfigError(
                f"the layer {name} cannot be removed",
                f"{', '.join(needing)} {'comes' if len(needing) == 1 else 'come'} after it",
                f"remove {needing[0]} first, or take {name} out of its 'after'",
            ) from problem
        raise


def _needing(file: Path, name: str) -> list[str]:
    """The layers that wait for another one; none of a file that is wrong already."""
    try:
        layers = load_product(file).layers
    except ConfigError:
        return []
    return [other for other, layer in layers.items() if name in (each.layer for each in layer.predecessors)]


def listed(product: Product) -> list[Listed]:
    """Return the layers of a product in the file's order."""
    return [
        Listed(
            name=name,
            kind=layer.kind,
            source=shown_source(layer),
            reached=_reached(layer),
            memory=layer.memory or "",
            after=tuple(each.layer for each in layer.predecessors),
        )
        for name, layer in product.layers.items()
    ]


def shown_source(layer: Layer) -> str:
    """Return what a layer is made of, in the form that `add` takes."""
    given = layer.source
    words = {"bitbake": given.bitbake, "tar": given.tar, "directory": given.directory, "layer": given.layer}
    return given.image or next(f"{key}:{value}" for key, value in words.items() if value)


def _reached(layer: Layer) -> str:
    if layer.ports:
        return ", ".join(layer.ports)
    if any(each.network == "host" for each in layer.relax):
        return "the device's network"
    return "bridge" if layer.bridged else ""


def bring_in(file: Path, request: Request, *, replace: bool = False, dry: bool = False) -> Import:
    """Write the layers of a compose file into a product file, and the files that they need beside it.

    Nothing is written when a key is refused that was not said to be left out, or with `dry`; the account is returned
    all the same. Raises ConfigError, with nothing written, for a file that is none, layers that the product cannot
    have, images that are not in the file named, and files that are there already.
    """
    result = import_compose(request)
    if result.refused:
        return result
    change = add_layers(result.layers, replace, "add --replace to write it anew, or import others: --service NAME")
    try_edit(file, change)
    machine = load_product(file).machine
    for layer in result.layers.values():
        check_local(layer["from"], file.parent, machine)
    for path, data in result.files.items():
        _check_target(file.parent, path, data, replace)
    if dry:
        return result
    for path, data in result.files.items():
        write_atomically(file.parent / path, data)
    edit_product(file, change)
    return result


def _check_target(folder: Path, path: str, data: bytes, replace: bool) -> None:
    target = folder / path
    if target.is_symlink() or not target.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{target} is a link", "the import writes a file of its own there", "remove it")
    if target.exists() and not replace and not (target.is_file() and target.read_bytes() == data):
        why = "the import writes a file of its own there"
        raise ConfigError(f"{target} is there already", why, "move it, or add --replace if an import wrote it")


def by_service(words: Sequence[str], root: Path) -> dict[str, dict[str, Any]]:
    """Return SERVICE=REFERENCE words as the `from` of each service; raises ConfigError for another form."""
    found: dict[str, Any] = {}
    for word in words:
        service, equals, reference = word.partition("=")
        if not service or not equals or not reference:
            raise ConfigError(f"{word!r} names no image of a service", "", "write --image SERVICE=REFERENCE")
        found[service] = source_of(reference, root)
    return found
