# SPDX-License-Identifier: MIT
"""`pycontainer status`: the candidate beside the channel's head, and the product's files beside the candidate."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

from orchestrator.build.source import product_source
from orchestrator.cli.history_common import change_data, change_lines, named, opened
from orchestrator.cli.plain import Paint, columns
from orchestrator.cli.result import Result, places
from orchestrator.history.status import Status, examine
from orchestrator.product.units import format_size
from orchestrator.text import shown

_SHOWN = 20


def status(options: Namespace) -> Result:
    """`pycontainer status`."""
    product, all_places = places(options)
    found = []
    for place in all_places:
        if not (place.store / "oci-layout").exists():
            found.append(Status(options.channel, place.machine))
        else:
            _, _, names = opened(options)
            found.append(examine(replace(names, machine=place.machine), product_source(product, place)[0]))
    data = [_data(each) for each in found]
    text = "\n\n".join(_screen(each, Paint()) for each in found)
    if len(found) == 1:
        return Result(text, data[0])
    return Result(text, data[0] | {"clean": all(each.clean for each in found), "machines": data})


def _screen(found: Status, paint: Paint) -> str:
    lines = [f"On channel {paint(found.channel, 'bold')}, machine {found.machine}"]
    if found.head is None:
        lines.append("No revision was committed yet")
    else:
        lines.append(f"Head       {named(found.head, paint)}")
    if found.candidate is None:
        return "\n".join([*lines, "", "Nothing was built yet (pycontainer build makes the candidate)"])
    lines.append(f"Candidate  {named(found.candidate, paint)}")
    comparison = found.comparison
    if comparison is not None and comparison.empty:
        lines += ["", "nothing to commit, the candidate is what the head has"]
    elif comparison is not None:
        lines += ["", "Changes to be committed:", *change_lines(comparison, paint, indent=2)]
        lines += [f"  {line}" for line in _licences(found)]
        if comparison.before is not None:
            lines.append(f"  a device with the head fetches {format_size(comparison.fetch)}")
        lines.append('  (pycontainer commit -m "..." records them)')
    if found.work is None:
        lines += ["", "The build kept no source to compare the product's files with (pycontainer build does)"]
    elif found.work:
        lines += ["", "Changed since the build, and not in the candidate:"]
        rows = [(f"{each.what}:", shown(each.path)) for each in found.work[:_SHOWN]]
        lines += [paint(line, "red") for line in columns(rows, indent=2)]
        if len(found.work) > _SHOWN:
            lines.append(f"  and {len(found.work) - _SHOWN} more")
        lines.append("  (pycontainer build takes them in)")
    return "\n".join(lines)


def _licences(found: Status) -> list[str]:
    parts = []
    if found.packages:
        words = ("added", "changed", "relicensed", "removed")
        counts = {word: sum(each.what == word for each in found.packages) for word in words}
        parts.append(
            "packages: " + ", ".join(f"{counts[word]} {word}" for word in words if counts[word])
            + "  (pycontainer diff --packages lists them)"
        )  # fmt: skip
    if found.new_licences:
        parts.append("licences that are new: " + ", ".join(map(shown, found.new_licences)))
    if found.gone_licences:
        parts.append("licences that are gone: " + ", ".join(map(shown, found.gone_licences)))
    return parts


def _data(found: Status) -> dict[str, object]:
    return {
        "channel": found.channel,
        "machine": found.machine,
        "head": found.head.id if found.head else None,
        "candidate": found.candidate.id if found.candidate else None,
        "clean": found.clean,
        "changes": change_data(found.comparison) if found.comparison else None,
        "packages": [
            {
                "layer": each.layer, "name": each.name, "what": each.what,
                "before": each.before.version if each.before else None,
                "after": each.after.version if each.after else None,
            }
            for each in found.packages
        ],
        "licences": {"new": found.new_licences, "gone": found.gone_licences},
        "files": None if found.work is None else [{"path": each.path, "what": each.what} for each in found.work],
    }  # fmt: skip
