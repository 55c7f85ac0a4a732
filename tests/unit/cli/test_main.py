# SPDX-License-Identifier: MIT
from __future__ import annotations

import signal

from orchestrator.cli.main import main


def test_a_command_leaves_the_signals_of_its_caller_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert main(["doctor", "--for", "nothing"]) == 2
    assert signal.getsignal(signal.SIGTERM) == before
