# SPDX-License-Identifier: MIT
"""The screens of `pycontainer device`: a device's answers as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from orchestrator.cli.screens import program, render, table
from orchestrator.device.answers import Container, Event, Status, StoredRevision, StoredVolume, plain
from orchestrator.device.trial import short
from orchestrator.product.units import format_size

__all__ = ["containers", "event", "pairs", "program", "revisions", "status", "step_of", "volumes"]


def duration(milliseconds: int | None) -> str:
    """Return a duration as people read it: `45 s`, `12 min`, `3 h 20 min`, `5 d 2 h`."""
    if milliseconds is None:
        return "-"
    seconds = milliseconds // 1000
    if seconds < 100:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def pairs(values: Mapping[str, Any]) -> str:
    """Return names and values in two columns."""
    grid = Table.grid(padding=(0, 2))
    for name, value in values.items():
        grid.add_row(name, plain(str(value)))
    return render(grid)


def status(found: Status) -> str:
    """The answer to `status`."""
    lines: dict[str, str] = {
        "product": f"{found.product} {found.version}",
        "revision": f"{short(found.revision)}, {found.state}",
        "up": duration(found.uptime_ms),
    }
    if trial := found.trial:
        lines["trial"] = f"{short(trial.revision)} in place of {short(trial.from_)}, {trial.how}"
        lines["trial time"] = f"{duration(trial.elapsed_ms)} of {duration(trial.timeout_ms)}"
        lines["waits for"] = ", ".join(trial.waiting) or "nothing"
    if last := found.outcome:
        lines["last trial"] = f"{short(last.revision)}: {last.result}" + (f", {last.reason}" if last.reason else "")
    if record := found.record:
        attempts = f", to try {short(record.try_)}, {record.left} attempts left" if record.try_ else ""
        lines["boot record"] = f"{record.generation}: {short(record.rev)}{attempts}"
    if storage := found.storage:
        lines["storage"] = f"{format_size(storage.size)}, {format_size(storage.free)} free"
    lines["floor"] = "cannot be read" if found.floor is None else str(found.floor)
    lines["watchdog"] = "fed" if found.watchdog else "none"
    return pairs(lines)


def event(found: Event) -> str:
    """One thing that a container did, as a line."""
    head = f"{plain(found.time)}  {plain(found.layer)}  {plain(found.event)}"
    if found.count is not None:
        return f"{head}  {found.count} that are not told of"
    if found.address is not None:
        address = plain(found.address)
        what = f"{f'[{address}]' if ':' in address else address}:{found.port}/{plain(found.protocol)}"
    else:
        what = plain(found.path or "-")
    remarks = ("" if found.declared else ", not declared") + (", refused" if found.refused else "")
    return f"{head}  {what}  by {plain(found.program)} (process {found.pid}, user {found.uid}){remarks}"


def containers(found: Sequence[Container]) -> str:
    """The answer to `ps`."""
    columns = [
        ("container", "left"), ("state", "left"), ("health", "left"), ("for", "right"), ("restarts", "right"),
        ("memory", "right"), ("cpu", "right"), ("processes", "right"), ("last end", "left"),
    ]  # fmt: skip
    rows = [
        (
            plain(one.name), plain(one.state), plain(one.health or "-"), duration(one.running_ms),
            _number(one.restarts), _size(one.memory), "-" if one.cpu_us is None else f"{one.cpu_us / 1e6:.1f} s",
            _number(one.processes), plain("-" if one.last is None else str(one.last)),
        )
        for one in found
    ]  # fmt: skip
    return render(table(columns, rows))


def revisions(found: Sequence[StoredRevision]) -> str:
    """The answer to `revisions`."""
    columns = [("revision", "left"), ("version", "left"), ("size", "right"), ("", "left")]
    rows = []
    for one in found:
        marks = [name for name in ("running", "confirmed", "previous") if getattr(one, name)]
        if not one.complete:
            marks.append("not complete")
        rows.append((short(one.revision), plain(one.version or "-"), _size(one.size), ", ".join(marks)))
    return render(table(columns, rows))


def volumes(found: Sequence[StoredVolume]) -> str:
    """The answer to `volumes`."""
    columns = [("layer", "left"), ("volume", "left"), ("kind", "left"), ("used", "right"), ("path", "left")]
    rows = [(plain(v.layer), plain(v.name), plain(v.kind), _size(v.used), plain(v.path)) for v in found]
    return render(table(columns, rows))


def step_of(value: Mapping[str, Any]) -> tuple[str, int, int] | None:
    """Return a device's report of progress as phase, done, total; None when it is none."""
    step = value.get("progress")
    if not isinstance(step, dict):
        return None
    name, done, total = step.get("step"), step.get("done"), step.get("total")
    if not (isinstance(name, str) and isinstance(done, int) and isinstance(total, int)):
        return None
    return f"device: {plain(name)[:40]}", done, total


def _size(value: int | None) -> str:
    return "-" if value is None else format_size(value)


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
