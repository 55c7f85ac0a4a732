# SPDX-License-Identifier: MIT
"""Who may collect garbage, and when: a store's writers share a lock, which a collector needs for itself.

Between the moment that a blob is stored, or found to be there, and the moment that the index leads to it, nothing tells
it from garbage. So whoever stores holds the lock together with others who do, and the collector waits for all of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import TryAgainError
from orchestrator.oci.files import explained

WRITERS_LOCK = ".writers"
_PAUSE = 0.02


class Writers:
    """The lock of the store at `root`; one object belongs to one store object, and its threads share what it holds."""

    def __init__(self, root: Path, *, timeout: float = 60.0) -> None:
        self._path = root / WRITERS_LOCK
        self._timeout = timeout
        self._guard = threading.Lock()
        self._depth = 0
        self._descriptor = -1

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Keep the collector away; may be nested. Raises TryAgainError when one is at work for long."""
        with self._guard:
            if self._depth == 0:
                self._descriptor = self._take(fcntl.LOCK_SH, self._timeout, "garbage is being collected in the store")
            self._depth += 1
        try:
            yield
        finally:
            with self._guard:
                self._depth -= 1
                if self._depth == 0:
                    os.close(self._descriptor)

    @contextlib.contextmanager
    def alone(self, *, timeout: float) -> Iterator[None]:
        """Hold the lock for the collector; raises TryAgainError when somebody is still writing after `timeout` s."""
        with self._guard:
            if self._depth:
                raise TryAgainError("this program is writing to the store itself", "", "collect when it is done")
            descriptor = self._take(fcntl.LOCK_EX, timeout, "another command is writing to the store")
            try:
                yield
            finally:
                os.close(descriptor)

    def _take(self, how: int, timeout: float, busy: str) -> int:
        with explained("lock the store", self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            deadline = time.monotonic() + timeout
            while True:
                try:
                    fcntl.flock(descriptor, how | fcntl.LOCK_NB)
                    return descriptor
                except BlockingIOError as problem:
                    if time.monotonic() >= deadline:
                        raise TryAgainError(
                            busy,
                            f"{self._path} has been locked for {timeout:g} seconds",
                            "wait for it to end, then run the same command again",
                        ) from problem
                    time.sleep(_PAUSE)
        except BaseException:
            os.close(descriptor)
            raise
