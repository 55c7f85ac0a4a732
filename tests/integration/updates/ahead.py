# SPDX-License-Identifier: MIT
"""Runs tests ahead of their turn, two at a time: an emulated device keeps one processor busy, and a test waits for it.

A test may ask for `devices`, `family`, `tmp_path` and its own parameters. It uses one device at a time, and prints
nothing: what it prints would be shown with another test.
"""

from __future__ import annotations

import inspect
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.updates.devices import Devices
from tests.integration.updates.products import Family

AT_ONCE = 2


class Ahead:
    """`items` are the tests in the order of their turns; `folder` is for their files."""

    def __init__(self, items: list[pytest.Item], family: Family, settled: Path, folder: Path) -> None:
        self._items, self._family, self._settled, self._folder = items, family, settled, folder
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._begun: dict[pytest.Item, Future[None]] = {}
        self._devices: list[Devices] = []

    def run(self, item: pytest.Item) -> None:
        """Run a test whose turn has come, or wait for its end; raises what it raised."""
        if not self._begun:
            self._begun = {each: self._pool.submit(self._run, each) for each in self._items}
        self._begun[item].result()

    def _run(self, item: pytest.Item) -> None:
        assert isinstance(item, pytest.Function)
        folder = self._folder / str(self._items.index(item))
        folder.mkdir()
        devices = Devices(self._family, self._settled, folder)
        self._devices.append(devices)
        offered: dict[str, Any] = {"devices": devices, "family": self._family, "tmp_path": folder}
        if hasattr(item, "callspec"):
            offered |= item.callspec.params
        try:
            item.obj(**{name: offered[name] for name in inspect.signature(item.obj).parameters})
        finally:
            devices.kill()

    def close(self) -> None:
        """Begin no more tests, and end those that still run by switching their devices off."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for devices in self._devices:
            devices.kill()
