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


def _board(each: Described) -> dict[str, Any] | None:
    """What an image has for a board before UEFI: packages, files on the EFI system partition, areas in bytes."""
    board = each.data.firmware if each.data else None
    if board is None:
        return None
    return {
        "packages": board.packages,
        "components": board.components,
        "files": [one.path for one in board.files],
        "areas": [
            {"name": one.name, "offset": one.offset_kib * 1024, "size": one.size_kib * 1024, "type": one.type}
            for one in board.areas
        ],
    }


def _runs(each: Described) -> str:
    if each.firmware:
        return ", ".join(each.firmware)
    return "-" if each.data is None else "board" if each.data.tried else "board, untried"


def _data(each: Described) -> dict[str, Any]:
    return {
        "name": each.name,
        "bases": list(each.bases),
        "architecture": each.data.architecture if each.data else None,
        "description": each.data.description if each.data else None,
        "emulated": bool(each.firmware),
        "firmware": list(each.firmware),
        "board": _board(each),
        "tried": each.data is not None and (each.data.emulator is not None or each.data.tried),
        "deviceTree": each.data.kernel.device_tree if each.data else None,
    }


def _screen(found: list[Described]) -> str:
    rows = [("machine", "base", "architecture", "runs in QEMU by", "what")]
    for each in found:
        what = each.data.description if each.data else "a machine of OpenEmbedded's BitBake layers"
        architecture = each.data.architecture if each.data else ""
        rows.append((each.name, " ".join(each.bases) or "-", architecture, _runs(each), what))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"
