# SPDX-License-Identifier: MIT
"""The task processes of a worker: their pipes, their ends, and how they are stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import frames

_CHUNK = 256 << 10
# A task that has not ended this long after SIGTERM gets SIGKILL.
STOP_SECONDS = 10.0


@dataclass
class Child:
    """One running task: its process (which leads its own process group), its task id, its pipe's reading end."""

    pid: int
    task: str
    pipe: int
    decoder: frames.RecordDecoder = field(default_factory=frames.RecordDecoder)
    open: bool = True

    def read(self) -> Iterator[bytes]:
        """Yield the records that are there; the pipe is non-blocking."""
        try:
            data = os.read(self.pipe, _CHUNK)
        except BlockingIOError:
            return
        self.open = bool(data)
        yield from self.decoder.feed(data)

    def rest(self) -> Iterator[bytes]:
        """Yield what is left after the process has ended, then close. A half-written record is dropped."""
        while self.open:
            try:
                data = os.read(self.pipe, _CHUNK)
            except BlockingIOError:  # a stray process of the task still holds the other end
                break
            self.open = bool(data)
            yield from self.decoder.feed(data)
        os.close(self.pipe)

    def signal(self, number: int) -> None:
        """Send a signal to the task's whole group; to the process alone while it has not made its group yet."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Children:
    """The set of running tasks."""

    def __init__(self) -> None:
        self._by_pid: dict[int, Child] = {}
        self._kill_at: float | None = None

    def __len__(self) -> int:
        return len(self._by_pid)

    def add(self, child: Child) -> None:
        """Take over a child that was just started."""
        os.set_blocking(child.pipe, False)
        self._by_pid[child.pid] = child

    def pipes(self) -> list[int]:
        """The pipes worth waiting for."""
        return [child.pipe for child in self._by_pid.values() if child.open]

    def descriptors(self) -> list[int]:
        """Every pipe that is not closed yet."""
        return [child.pipe for child in self._by_pid.values()]

    def records(self, readable: list[int]) -> Iterator[bytes]:
        """Yield whole records of the children whose pipes are readable."""
        for child in self._by_pid.values():
            if child.open and child.pipe in readable:
                yield from child.read()

    def reap(self) -> Iterator[tuple[Child, int]]:
        """Yield each child that has ended, once, with its exit code or 128 + the signal that ended it."""
        for pid, child in list(self._by_pid.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._by_pid[pid]
                code = os.waitstatus_to_exitcode(status)
                yield child, code if code >= 0 else 128 - code
        if not self._by_pid:
            self._kill_at = None
        elif self._kill_at is not None and time.monotonic() >= self._kill_at:
            self.kill()

    def patience(self) -> float:
        """Seconds a wait may last before something here is due."""
        return 1.0 if self._kill_at is None else max(0.0, min(1.0, self._kill_at - time.monotonic()))

    def terminate(self) -> None:
        """Ask every task to end; what has not after STOP_SECONDS is killed by a later `reap`."""
        for child in self._by_pid.values():
            child.signal(signal.SIGTERM)
        if self._kill_at is None:
            self._kill_at = time.monotonic() + STOP_SECONDS

    def kill(self) -> None:
        """End every task at once."""
        for child in self._by_pid.values():
            child.signal(signal.SIGKILL)
        self._kill_at = time.monotonic() + STOP_SECONDS
