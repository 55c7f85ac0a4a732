# SPDX-License-Identifier: MIT
"""For all tests: how long an example may take is the machine's business, not the test's; and which share a process."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("project", deadline=None)
settings.load_profile("project")

# Whoever starts the tests in the background may have them ignore interrupts, which some of them are about.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def group_of(nodeid: str) -> str:
    """Name what a test shares its process with: those of its file, or of its folder where builds are shared."""
    parts = Path(nodeid.partition("::")[0]).parts[1:]
    # Those of the updates take the longest and share little.
    together = parts[0] == "integration" and len(parts) > 2 and parts[1] != "updates"
    return "/".join(parts[:2] if together else parts)


class Together(LoadScopeScheduling):
    """Gives each process of pytest-xdist whole groups, in the order of their turns."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Say to pytest-xdist which tests share a process, and so what was built for it."""
    return Together(config, log)
