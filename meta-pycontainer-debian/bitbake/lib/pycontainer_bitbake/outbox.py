# SPDX-License-Identifier: MIT
"""Pickles for the server, and the one queue through which they leave the worker."""

from __future__ import annotations

import base64
import os
import pickle
from typing import Any

from . import frames


class _Shielded:
    """Pickles to bytes without `<`, which load as the object whose pickle is `inner`."""

    def __init__(self, inner: bytes | None = None, text: str = "") -> None:
        self.inner, self.text = inner, text

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        if self.inner is not None:
            return pickle.loads, (_Shielded(text=base64.b64encode(self.inner).decode()),)
        return base64.b64decode, (self.text,)


def dumps(value: object) -> bytes:
    """Pickle `value` without the server's end tags in the bytes.

    The server looks for the end tag first and unpickles afterwards; the few values that hold one are wrapped.
    """
    data = pickle.dumps(value)
    if b"</event>" in data or b"</exitcode>" in data:
        return pickle.dumps(_Shielded(data), protocol=0)  # protocol 0: text throughout
    return data


class Outbox:
    """Whole frames on their way to a non-blocking file descriptor; a short write leaves the rest for later."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pending = bytearray()

    def __len__(self) -> int:
        return len(self._pending)

    def event(self, value: object) -> None:
        """Queue an event object."""
        self._pending += frames.reply("event", dumps(value))

    def pickled_event(self, data: bytes) -> None:
        """Queue an event that a task has pickled by `dumps`."""
        self._pending += frames.reply("event", data)

    def exitcode(self, task: str, status: int) -> None:
        """Queue the end of a task; every event of the task must be queued before."""
        self._pending += frames.reply("exitcode", dumps((task, status)))

    def write(self) -> None:
        """Write what the descriptor takes now. Raises BrokenPipeError when the server is gone."""
        while self._pending:
            try:
                done = os.write(self._fd, memoryview(self._pending)[: 1 << 20])
            except BlockingIOError:
                return
            del self._pending[:done]
