# SPDX-License-Identifier: MIT
"""The words of `pycontainer machines`."""

from __future__ import annotations

from orchestrator.cli import machines
from orchestrator.cli.device_parser import Commands


def add_machines(sub: Commands) -> None:
    """Add the command."""
    text = "list the machines that a product can be built for"
    parser = sub.add_parser("machines", help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=machines.run)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
