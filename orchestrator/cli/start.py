# SPDX-License-Identifier: MIT
"""Where `pycontainer` begins. It imports nothing at first: loading the rest takes long enough for a Ctrl-C."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; returns its exit code, 130 when it was stopped before a command began."""
    try:
        from orchestrator.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
