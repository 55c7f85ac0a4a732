# SPDX-License-Identifier: MIT
from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.device import Connection, Link, parse_transport
from orchestrator.device.transports import open_unix
from tests.unit.bundle.conftest import shop  # noqa: F401
from tests.unit.device.fake import Device


@pytest.fixture
def device() -> Iterator[Device]:
    """A device at a socket with a short path."""
    with tempfile.TemporaryDirectory() as folder, Device(Path(folder) / "control") as running:
        yield running


@pytest.fixture
def connection(device: Device) -> Iterator[Connection]:
    made = Connection(open_unix(device.path), timeout=60, settle=0.05)
    yield made
    made.close()


@pytest.fixture
def link(device: Device) -> Iterator[Link]:
    with Link(parse_transport(f"unix:{device.path}"), timeout=60, pause=0.01, settle=0.05) as made:
        yield made


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.shown: list[tuple[str, int, int]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def show(self, phase: str, done: int, total: int) -> None:
        self.shown.append((phase, done, total))


@pytest.fixture
def heard() -> Heard:
    return Heard()


Start = Callable[[], Device]
