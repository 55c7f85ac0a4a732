# SPDX-License-Identifier: MIT
"""What the shell completes an argument with: shtab looks for it on the argument itself."""

from __future__ import annotations

import argparse
import sys

# Who prints completions has imported it before the arguments are made; who only runs a command does without, for it
# takes a tenth of a second.


def names_a_file(argument: argparse.Action) -> None:
    """Let the shell offer files for an argument."""
    if (shtab := sys.modules.get("shtab")) is not None:
        argument.complete = shtab.FILE  # type: ignore[attr-defined]


def names_a_folder(argument: argparse.Action) -> None:
    """Let the shell offer folders for an argument."""
    if (shtab := sys.modules.get("shtab")) is not None:
        argument.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
