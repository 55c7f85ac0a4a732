# SPDX-License-Identifier: MIT
"""What the shell completes an argument with: shtab looks for it on the argument itself."""

from __future__ import annotations

import argparse

import shtab


def names_a_file(argument: argparse.Action) -> None:
    """Let the shell offer files for an argument."""
    argument.complete = shtab.FILE  # type: ignore[attr-defined]


def names_a_folder(argument: argparse.Action) -> None:
    """Let the shell offer folders for an argument."""
    argument.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
