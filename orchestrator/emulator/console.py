# SPDX-License-Identifier: MIT
"""What a machine printed: bytes as they came for the log, plain text for searching."""

from __future__ import annotations

import re
import threading
import time
from typing import BinaryIO

_KEEP = 4 * 1024 * 1024
# CSI and two-byte sequences of ECMA-48, which firmware and GRUB use to place the cursor.
_ESCAPE = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\^_=>78c]|\x1b\([A-Z0-9]")
UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\()?\Z")
LONGEST = 64
"""What is longer without an end is no escape sequence."""


class Console:
    """A growing transcript that one thread feeds and others wait on.

    `log` receives the raw bytes. Only the last 4 MiB of text are kept in memory.
    """

    def __init__(self, log: BinaryIO | None = None) -> None:
        self._changed = threading.Condition()
        self._log = log
        self._pending = b""
        self._text = ""
        self._cursor = 0
        self._closed = False

    def feed(self, data: bytes) -> str:
        """Append what the machine printed; returns the plain text of it that is complete."""
        if self._log is not None:
            self._log.write(data)
            self._log.flush()
        with self._changed:
            raw = self._pending + data
            unfinished = UNFINISHED.search(raw) if len(raw) < _KEEP else None
            cut = unfinished.start() if unfinished and len(raw) - unfinished.start() < LONGEST else len(raw)
            raw, self._pending = raw[:cut], raw[cut:]
            plain = _ESCAPE.sub(b"", raw).replace(b"\r", b"").replace(b"\0", b"").decode("utf-8", "replace")
            self._text += plain
            if (excess := len(self._text) - _KEEP) > 0:
                self._text = self._text[excess:]
                self._cursor = max(0, self._cursor - excess)
            self._changed.notify_all()
        return plain

    def close(self) -> None:
        """Say that nothing more will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether the machine has stopped printing for good."""
        return self._closed

    @property
    def text(self) -> str:
        """Everything printed, without escape sequences and carriage returns."""
        with self._changed:
            return self._text

    def tail(self, lines: int = 15) -> str:
        """The last lines that hold anything."""
        return "\n".join([line.rstrip() for line in self.text.splitlines() if line.strip()][-lines:])

    def wait_for(self, pattern: re.Pattern[str], timeout: float) -> re.Match[str] | None:
        """Return the next match after the previous one, or None when time is over or the console closed before it."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                match = pattern.search(self._text, self._cursor)
                if match is not None:
                    self._cursor = match.end()
                    return match
                rest = deadline - time.monotonic()
                if self._closed or rest <= 0:
                    return None
                self._changed.wait(min(rest, 1.0))
