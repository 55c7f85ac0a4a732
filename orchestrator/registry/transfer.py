# SPDX-License-Identifier: MIT
"""Several blobs at once: one failing ends them all, and what a person sees is one sum."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from orchestrator.registry.web import Web

PARALLEL = 4
_EVERY = 0.1

T = TypeVar("T")


class Meter:
    """The bytes of a transfer: `total` are to come, `tell(done, total)` hears of them some times a second."""

    def __init__(self, total: int, tell: Callable[[int, int], None] | None = None) -> None:
        self.total = total
        self.done = 0
        self.moved = 0
        """Bytes that really went over the network."""
        self._tell = tell
        self._lock = threading.Lock()
        self._last = 0.0

    def add(self, count: int, *, moved: bool = True) -> None:
        """Count bytes; a negative number takes back what has to come again."""
        with self._lock:
            self.done += count
            self.moved += max(count, 0) if moved else 0
            now = time.monotonic()
            if self._tell is not None and (now - self._last >= _EVERY or self.done >= self.total):
                self._last = now
                self._tell(min(max(self.done, 0), self.total), self.total)


def in_parallel(web: Web, work: Callable[[T], None], items: Iterable[T]) -> None:
    """Do `work` on each of `items`, some at a time; the first failure stops the others and is raised.

    An interrupt stops them too: each ends at its next piece.
    """
    try:
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="transfer") as pool:
            _run(web, pool, [pool.submit(work, item) for item in items])
    finally:
        web.resume()  # nothing runs any more


def _run(web: Web, pool: ThreadPoolExecutor, futures: list[Future[None]]) -> None:
    try:
        pending: set[Future[None]] = set(futures)
        while pending:  # in small pieces: an interrupt that another thread gets is heard in between
            done, pending = wait(pending, timeout=0.5, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
    except BaseException:
        web.stop()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
