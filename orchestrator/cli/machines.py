# SPDX-License-Identifier: MIT
"""`pycontainer machines`: what a product can be built for."""

from __future__ import annotations

import argparse
from typing import Any

from orchestrator.cli.commands import Result
from orchestrator.machines.read import Described, checkout, machines


def run(options: argparse.Namespace) -> Result:
    """List the machines of the checkout."""
    found = machines(checkout())
    return Result(_screen(found), {"machines": [_data(each) for each in found]})


def _firmware(each: Described) -> list[str]:
    return [one.name for one in each.data.emulator.firmware] if each.data and each.data.emulator else []


def _data(each: Described) -> dict[str, Any]:
    return {
        "name": each.name,
        "bases": list(each.bases),
        "architecture": each.data.architecture if each.data else None,
        "description": each.data.description if each.data else None,
        "emulated": bool(_firmware(each)),
        "firmware": _firmware(each),
        "deviceTree": each.data.kernel.device_tree if each.data else None,
    }


def _screen(found: list[Described]) -> str:
    rows = [("machine", "base", "architecture", "runs here", "what")]
    for each in found:
        what = each.data.description if each.data else "a machine of OpenEmbedded's BitBake layers"
        runs = ", ".join(_firmware(each)) or "-"
        rows.append((each.name, " ".join(each.bases) or "-", each.data.architecture if each.data else "", runs, what))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"
