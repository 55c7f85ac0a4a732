# SPDX-License-Identifier: MIT
"""`pycontainer diff`: layers, packages with their licences, and files inside the layers' file systems."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from orchestrator.cli.history_common import change_data, change_lines, named, opened
from orchestrator.cli.plain import Paint, columns
from orchestrator.cli.result import Result
from orchestrator.errors import ConfigError
from orchestrator.history.compare import Comparison, compare
from orchestrator.history.names import CANDIDATE, HEAD, Names
from orchestrator.history.packages import PackageChange
from orchestrator.history.several import two_sides
from orchestrator.history.status import DocumentChanges, documents, licences
from orchestrator.oci import Store
from orchestrator.product.units import format_size
from orchestrator.revision import Revision
from orchestrator.text import shown

_STYLES = {"added": "green", "removed": "red", "changed": "yellow", "relicensed": "yellow"}
_SIGNS = {"added": "+", "removed": "-", "changed": "~", "relicensed": "~"}


def diff(options: Namespace) -> Result:
    """`pycontainer diff`."""
    product, _, names = opened(options)
    pairs = two_sides(names, *_two(options.revision), product.machines, options.machine)
    results = [_compared(options, names, *pair) for pair in pairs.of]
    titles = [f"for {after.config.machine}:\n" if len(pairs.of) > 1 else "" for _, after in pairs.of]
    text = "\n\n".join(title + each.text for title, each in zip(titles, results, strict=True))
    if pairs.absent:
        text += f"\n\nnot on both sides: {', '.join(pairs.absent)}"
    if len(results) == 1:
        return Result(text, results[0].data)
    machines = [
        {"machine": after.config.machine} | each.data for (_, after), each in zip(pairs.of, results, strict=True)
    ]
    return Result(text, results[0].data | {"machines": machines})


def _compared(options: Namespace, names: Names, before: Revision, after: Revision) -> Result:
    comparison = compare(before, after)
    _check_layers(options.layer, comparison)
    paint = Paint()
    lines = [f"from {named(before, paint)}", f"to   {named(after, paint)}"]
    data = change_data(comparison)
    if options.packages:
        changes = documents(names.store, comparison, options.layer)
        lines += _packages(names.store, comparison, changes, paint, data)
    if options.files:
        lines += _files(names.store, comparison, options.layer, paint, data)
    if not options.packages and not options.files:
        lines += [""] if not comparison.empty else ["", "nothing differs"]
        lines += change_lines(comparison, paint)
        if not comparison.empty:
            lines += ["", f"a device with {before.short} fetches {format_size(comparison.fetch)}"]
    return Result("\n".join(lines), data)


def _two(words: list[str]) -> tuple[str, str]:
    if len(words) == 1 and ".." in words[0]:
        older, _, newer = words[0].partition("..")
        return older or HEAD, newer.removeprefix(".") or HEAD
    if len(words) > 2:
        raise ConfigError("too many revisions", f"{len(words)} were named", "name two at most: pycontainer diff A B")
    older, newer = [*words, *(HEAD, CANDIDATE)[len(words) :]] if words else (HEAD, CANDIDATE)
    return older, newer


def _check_layers(layers: list[str], comparison: Comparison) -> None:
    known = {layer.name for each in (comparison.before, comparison.after) if each for layer in each.config.layers}
    if unknown := [name for name in layers if name not in known]:
        raise ConfigError(f"there is no layer {unknown[0]}", f"the layers are: {', '.join(sorted(known))}", "name one")


def _packages(
    store: Store, comparison: Comparison, changes: DocumentChanges, paint: Paint, data: dict[str, Any]
) -> list[str]:
    assert comparison.before is not None
    new, gone = licences(store, comparison.before, comparison.after, changes)
    data["packages"] = [_package_data(each) for each in changes.packages]
    data["licences"] = {"new": new, "gone": gone}
    data["unread"] = changes.unread
    rows = [
        (_SIGNS[each.what], each.layer, shown(each.name), _versions(each), _licences(each)) for each in changes.packages
    ]
    lines = [paint(line, _STYLES[each.what]) for line, each in zip(columns(rows), changes.packages, strict=True)] or [
        "no package differs"
    ]
    lines += [f"licences that are new: {', '.join(map(shown, new))}"] if new else []
    lines += [f"licences that are gone: {', '.join(map(shown, gone))}"] if gone else []
    lines += [f"the documents of layer {name} cannot be read" for name in changes.unread]
    return ["", *lines]


def _package_data(each: PackageChange) -> dict[str, Any]:
    sides = {
        word: {"version": side.version, "licence": side.licence} if side else None
        for word, side in (("before", each.before), ("after", each.after))
    }
    return {"layer": each.layer, "name": each.name, "what": each.what, **sides}


def _versions(each: PackageChange) -> str:
    texts = [side.version for side in (each.before, each.after) if side]
    return shown(" -> ".join(dict.fromkeys(texts)))


def _licences(each: PackageChange) -> str:
    texts = [side.licence for side in (each.before, each.after) if side]
    return shown(" -> ".join(dict.fromkeys(texts)))


def _files(store: Store, comparison: Comparison, layers: list[str], paint: Paint, data: dict[str, Any]) -> list[str]:
    from orchestrator.history.files import file_changes

    lines: list[str] = []
    data["files"] = []
    for layer in comparison.layers:
        if layers and layer.name not in layers:
            continue
        for blob in layer.blobs:
            found = file_changes(store, blob)
            if found is None:
                continue
            lines += ["", paint(f"{layer.name} {blob.role}", "bold")]
            rows = [(_SIGNS[each.what], each.mode, each.size, shown(each.path), each.detail) for each in found]
            for line, each in zip(columns(rows, right=(2,)), found, strict=True):
                lines.append(paint(line, _STYLES[each.what]))
            data["files"] += [
                {"layer": layer.name, "role": blob.role, "path": each.path, "what": each.what, "detail": each.detail}
                for each in found
            ]
    return lines or ["", "no file system differs"]
