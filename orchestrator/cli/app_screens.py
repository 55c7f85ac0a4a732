# SPDX-License-Identifier: MIT
"""The screens of `pycontainer app`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from orchestrator.apps.change import Listed
from orchestrator.apps.show import Value
from orchestrator.cli.screens import program, render, table
from orchestrator.compose import Import
from orchestrator.product.model import Layer
from orchestrator.product.yamltext import entry


def list_screen(found: Sequence[Listed]) -> str:
    """The layers of a product."""
    columns = [("layer", "left"), ("kind", "left"), ("memory", "right"), ("after", "left"), ("reached by", "left"),
               ("made of", "left")]  # fmt: skip
    rows = [
        (each.name, each.kind, each.memory or "-", ", ".join(each.after) or "-", _short(each.reached), each.source)
        for each in found
    ]
    return render(table(columns, rows))


def _short(reached: str) -> str:
    ports = reached.split(", ")
    return f"{ports[0]} and {len(ports) - 1} more" if len(ports) > 2 else reached or "-"


def show_screen(name: str, layer: Layer, rows: Sequence[Value], notes: Sequence[str]) -> str:
    """What runs in a layer, and who says so; a key that repeats is named once."""
    shown = []
    before = ""
    for row in rows:
        shown.append(("" if row.key == before else row.key, row.origin, row.text))
        before = row.key
    parts: list[RenderableType] = [Text(f"{name} ({layer.kind})", style="bold")]
    parts.append(table([("what", "left"), ("says", "left"), ("value", "left")], shown))
    parts += [Text(f"note: {note}", style="yellow") for note in notes]
    return render(*parts)


def import_screen(result: Import, file: str, *, written: bool) -> str:
    """What became of a compose file: services, refused keys with what to do, what is tighter than an engine has it."""
    parts: list[RenderableType] = []
    rows = []
    for service in result.services:
        counts = [sum(each.status == status for each in service.entries)
                  for status in ("honoured", "needless", "refused", "left out")]  # fmt: skip
        rows.append((service.service, service.name, *map(str, counts)))
    columns = [("service", "left"), ("layer", "left"), ("honoured", "right"), ("needless", "right"),
               ("refused", "right"), ("left out", "right")]  # fmt: skip
    parts.append(table(columns, rows))
    for status in ("refused", "left out", "needless"):
        found = [each for each in result.all_entries if each.status == status]
        if found:
            parts += ["", Text(f"{status}:", style="bold")]
            parts.append(table([("key", "left"), ("why", "left")], [
                (each.path, each.why + (f" - {each.hint}" if each.hint else "")) for each in found
            ]))  # fmt: skip
    notes: dict[str, list[str]] = {}
    for service in result.services:
        for text in service.tightened:
            notes.setdefault(text, []).append(service.name)
    if notes:
        parts += ["", Text("not as a container engine has it:", style="bold")]
        rows = [(", ".join(names), text) for text, names in notes.items()]
        parts.append(table([("layer", "left"), ("what could break", "left")], rows))
    for name, where in result.unset.items():
        parts.append(Text(f"note: the variable {name} of {where} has no value", style="yellow"))
    if result.passed:
        parts.append(Text(f"not chosen: {', '.join(result.passed)}", style="dim"))
    if result.refused:
        count = len(result.refused)
        hint = "--drop " + result.refused[0].path if count == 1 else "--drop KEY for each, or --drop all"
        refused = "1 key is refused; to leave it" if count == 1 else f"{count} keys are refused; to leave them"
        parts += ["", Text(f"nothing was written: {refused} out: {hint}", style="red")]
    elif not written:
        blocks = "\n".join(entry(name, value, 2, block=True) for name, value in result.layers.items())
        parts += ["", Text(f"would be written to {file}:", style="bold"), Text(f"layers:\n{blocks}")]
    else:
        names = ", ".join(result.layers)
        extra = f", and {', '.join(sorted(result.files))}" if result.files else ""
        parts += ["", f"{file}: {names} written{extra}"]
        relaxed = sum(len(each.layer.get("relax", [])) for each in result.services)
        if relaxed:
            parts.append(f"relaxations to be reviewed: {relaxed}; {program()} audit lists them")
    return render(*parts)
