# SPDX-License-Identifier: MIT
"""The screens that commands end with: tables for people."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.build.audit import Audit
from orchestrator.build.doctor import Finding
from orchestrator.build.lockfile import LockChanges
from orchestrator.build.summary import BuildSummary
from orchestrator.product.units import format_size


def render(*parts: RenderableType) -> str:
    """Return `parts` as text for standard output: coloured on a terminal, plain in a pipe."""
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = min(shutil.get_terminal_size((110, 24)).columns, 120) if sys.stdout.isatty() else 110
    stream = io.StringIO()
    # Text is a stranger's often, a remote's or an image's: none of it is markup.
    console = Console(file=stream, force_terminal=colour, width=width, highlight=False, markup=False, emoji=False)
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()).rstrip("\n")


def table(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]) -> Table:
    """Return a plain table; each column is a heading and `left` or `right`."""
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for position, (heading, justify) in enumerate(columns):
        # Only the last column may wrap: the others are words that people look for and copy.
        last = position == len(columns) - 1
        result.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=not last, overflow="fold")
    for row in rows:
        result.add_row(*row)
    return result


def program() -> str:
    """Return how the user can call this program: by its name when PATH has it, else by the path used now."""
    return "pycontainer" if shutil.which("pycontainer") else near(sys.argv[0])


def near(path: str) -> str:
    """Return a path as seen from here when that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(path) else path


def build_screen(summary: BuildSummary, place: Path, machine: str | None = None) -> str:
    """The end of `pycontainer build`: layers, the revision, what was made, what to do next."""
    rows = []
    for layer in summary.layers:
        licences = f"{layer.licences}, {layer.unknown} unknown" if layer.unknown else str(layer.licences)
        counts = (str(layer.packages), str(layer.copyleft), licences)
        rows.append((layer.name, layer.kind, layer.version, format_size(layer.size), *counts))
    columns = [
        ("layer", "left"), ("kind", "left"), ("version", "left"), ("size", "right"), ("components", "right"),
        ("copyleft", "right"), ("licences", "left"),
    ]  # fmt: skip
    total = sum(layer.size for layer in summary.layers)
    head = Text.assemble((f"{summary.product} {summary.version}", "bold"), f" for {summary.machine}")
    if summary.unchanged:
        head.append("   nothing has changed, nothing was done", style="green")
    facts = Table.grid(padding=(0, 2))
    facts.add_row("revision", Text(summary.revision.removeprefix("sha256:"), style="cyan"))
    facts.add_row("signed by", ", ".join(f"key {key[:12]}" for key in summary.signed_by))
    image = f"{near(summary.image)}  ({format_size(summary.image_size)}, {format_size(summary.image_used)} to write)"
    facts.add_row("image", image)
    facts.add_row("block map", near(summary.bmap))
    facts.add_row("store", f"{near(summary.store)}  ({format_size(total)} in this revision)")
    facts.add_row("SBOM", f"{near(summary.sbom)}/  (SPDX 3.0.1, SPDX 2.3, CycloneDX 1.6)")
    loosened = len(summary.relaxations) + sum(len(layer.relaxations) for layer in summary.layers)
    if loosened:
        facts.add_row("relaxed", f"{loosened} confinements (pycontainer audit lists them with their reasons)")
    shown = near(str(place))
    product = ("" if shown == "." else f" {shown}") + (f" --machine {machine}" if machine else "")
    steps = [(f"flash {near(summary.image)} /dev/sdX", "write it to a disk")]
    if summary.emulated:
        steps.insert(0, (f"run{product}", "boot it in QEMU"))
    parts: list[str | tuple[str, str]] = []
    leads: tuple[str | tuple[str, str], ...] = (("next  ", "bold"), "\n      ")
    for lead, (words, what) in zip(leads, steps, strict=False):
        parts += [lead, f"{program()} {words}", (f"   {what}", "dim")]
    following = Text.assemble(*parts)
    return render("", head, "", table(columns, rows), "", facts, "", following)


def audit_screen(audit: Audit, least: str | None, *, everything: bool) -> str:
    """The grades of the product and its containers, and what they are made of; with `everything` what holds, too."""
    ratings, worst = audit.ratings, audit.grade
    names = {name: name or "(the product)" for name in ratings}
    grades = [(names[name], rating.grade, str(rating.points)) for name, rating in ratings.items()]
    rows = [
        (names[name], str(each.points), f"{each.what}\n  {each.reason}" if each.reason else each.what)
        for name, rating in ratings.items()
        for each in sorted(rating.found, key=lambda each: -each.points)
    ]
    head = Text.assemble(("grade ", "bold"), (worst, "bold red" if audit.below(least) else "bold"))
    head.append(f"  that of the weakest part; at least {least} is wanted" if least else "  that of the weakest part")
    parts: list[RenderableType] = [head, "", table([("layer", "left"), ("grade", "left"), ("points", "right")], grades)]
    if rows:
        parts += ["", table([("layer", "left"), ("points", "right"), ("relaxed, and why", "left")], rows)]
    if everything:
        holds = [(names[name], text) for name, rating in ratings.items() for text in rating.holds]
        parts += ["", table([("layer", "left"), ("holds", "left")], holds)]
    return render(*parts)


def doctor_screen(findings: Sequence[Finding], todo: Sequence[Sequence[str]]) -> str:
    """What `pycontainer doctor` found, and the commands that mend it."""
    words = {(True, False): "ok", (True, True): "ok", (False, False): "MISSING", (False, True): "LOW"}
    rows = [(words[finding.ok, finding.passing], finding.name, finding.detail) for finding in findings]
    parts: list[RenderableType] = [table([("", "left"), ("what", "left"), ("detail", "left")], rows)]
    if todo:
        parts += ["", Text("to install what is missing (pycontainer doctor --install does it):", style="bold")]
        parts += [Text("  " + " ".join(command)) for command in todo]
    elif all(finding.ok for finding in findings):
        parts += ["", Text("nothing is missing", style="green")]
    return render(*parts)


def lock_screen(result: LockChanges) -> str:
    """What `pycontainer lock` came to."""
    images = f" and {result.images} images" if result.images else ""
    head = f"{near(str(result.path))} pins {result.packages} packages{images}"
    if not result.written:
        return f"{head}; nothing was changed (--update renews it)"
    if not result.changes and not result.image_changes:
        return f"{head}; no version changed"
    columns = [("package", "left"), ("before", "left"), ("after", "left")]
    rows = [(change.package, change.before or "-", change.after or "-") for change in result.changes]
    rows += [(change.image, _short(change.before), _short(change.after)) for change in result.image_changes]
    return render(f"{head}; {len(rows)} changed:", "", table(columns, rows))


def _short(digest: str | None) -> str:
    """A digest as a table shows it."""
    return "-" if digest is None else digest.partition(":")[2][:12]
