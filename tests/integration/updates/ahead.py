# SPDX-License-Identifier: MIT
"""Runs tests ahead of their turn, two at a time: an emulated device keeps one processor busy, and a test waits for it.

A test that is run ahead may ask for `devices`, `family` and `tmp_path`, and prints nothing: what it prints would be
shown with another test. One marked `alone`, because it keeps both processors busy by itself, runs when its turn comes.
"""

from __future__ import annotations

import inspect
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.updates.devices import Devices
from tests.integration.updates.products import Family

AT_ONCE = 2


def is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


class Ahead:
    """`items` are the tests in the order of their turns; `folder` is for their files."""

    def __init__(self, items: list[pytest.Item], family: Family, settled: Path, folder: Path) -> None:
        self._items, self._family, self._settled, self._folder = items, family, settled, folder
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._begun: dict[pytest.Item, Future[None]] = {}
        self._devices: list[Devices] = []

    def run(self, item: pytest.Item) -> None:
        """Run a test whose turn has come, or wait for its end; raises what it raised."""
        if is_alone(item):
            self._run(item)
            return
        for each in self._items[self._items.index(item) :]:
            if is_alone(each):
                break
            if each not in self._begun:
                self._begun[each] = self._pool.submit(self._run, each)
        self._begun[item].result()

    def _run(self, item: pytest.Item) -> None:
        assert isinstance(item, pytest.Function)
        folder = self._folder / item.name[:60]
        folder.mkdir()
        devices = Devices(self._family, self._settled, folder)
        self._devices.append(devices)
        offered = {"devices": devices, "family": self._family, "tmp_path": folder}
        try:
            item.obj(**{name: offered[name] for name in inspect.signature(item.obj).parameters})
        finally:
            devices.kill()

    def close(self) -> None:
        """Begin no more tests, and end those that still run by switching their devices off."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for devices in self._devices:
            devices.kill()
