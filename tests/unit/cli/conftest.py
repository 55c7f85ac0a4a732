# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from tests.unit.bundle.conftest import shop  # noqa: F401
from tests.unit.device.conftest import device  # noqa: F401


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device in this process needs no time to settle."""
    monkeypatch.setattr("orchestrator.device.link.SETTLE_SECONDS", 0.02)
    monkeypatch.setattr("orchestrator.device.trial.POLL_SECONDS", 0.01)
