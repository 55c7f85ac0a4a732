# SPDX-License-Identifier: MIT
"""A byte stream to a device: never blocks without a limit, and never writes without reading meanwhile."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

from orchestrator.errors import TryAgainError

LINE_LIMIT = 128 * 1024
"""Bytes of one line of the protocol at most, in either direction."""
_CHUNK = 65536
_HELD_LIMIT = 4 * LINE_LIMIT
"""Bytes that are read ahead at most; more stays with the sender."""


class LinkError(TryAgainError):
    """The link to the device is lost, silent or garbled: connecting again may help."""


class Stream:
    """Two descriptors (or one, twice) that lead to a device.

    `shared` says that another program may have used the same stream before us, so that answers to it may still come.
    `piece` is how many bytes a line of data carries: few on a slow line, so that progress is seen.
    """

    def __init__(
        self, reading: int, writing: int, name: str, close: Callable[[], None], *, shared: bool, piece: int = 48 * 1024
    ) -> None:
        self.name = name
        self.shared = shared
        self.piece = piece
        self._reading, self._writing = reading, writing
        self._close = close
        self._held = bytearray()
        self._ended = False
        self._closed = False
        for descriptor in (reading, writing):
            os.set_blocking(descriptor, False)

    def pump(self, outgoing: bytearray, seconds: float, also: int | None = None) -> bool:
        """Wait until something can be done, at most `seconds`, and do it: take what comes, send of `outgoing`.

        Returns whether the descriptor `also` has something to read. Raises LinkError when the other end is gone.
        """
        wanted = [] if self._ended or len(self._held) >= _HELD_LIMIT else [self._reading]
        if also is not None:
            wanted.append(also)
        readable, writable, _ = select.select(wanted, [self._writing] if outgoing else [], [], max(0.0, seconds))
        try:
            if self._reading in readable:
                data = os.read(self._reading, _CHUNK)
                self._held += data
                self._ended = not data
            if writable:
                del outgoing[: os.write(self._writing, outgoing[:_CHUNK])]
        except BlockingIOError:
            pass
        except OSError as problem:
            raise self.lost(problem.strerror or str(problem)) from problem
        if self._ended and outgoing:
            raise self.lost("the other end closed it")
        return also is not None and also in readable

    def write(self, data: bytes, seconds: float) -> None:
        """Send all of `data`; raises LinkError when none of it goes out for `seconds`."""
        outgoing = bytearray(data)
        deadline = time.monotonic() + seconds
        while outgoing:
            before = len(outgoing)
            self.pump(outgoing, min(1.0, deadline - time.monotonic()))
            if len(outgoing) < before:
                deadline = time.monotonic() + seconds
            elif time.monotonic() >= deadline:
                raise self.silent(seconds)

    def take_line(self) -> bytes | None:
        """Return a line that has come whole, without its end, or None; raises LinkError for one that is too long.

        What comes before the end of the stream without an end of line is no line.
        """
        end = self._held.find(b"\n")
        if end > LINE_LIMIT or (end < 0 and len(self._held) > LINE_LIMIT):
            # What follows the next end of line can be read again: forget only this one.
            del self._held[: end + 1 if end >= 0 else len(self._held)]
            raise LinkError(
                f"{self.name} sent a line that is too long", f"the limit is {LINE_LIMIT} bytes", "run the command again"
            )
        if end < 0:
            if self._ended:
                raise self.lost("the other end closed it")
            return None
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        return line.removesuffix(b"\r")

    def read_line(self, seconds: float) -> bytes | None:
        """Return the next line, or None when `seconds` pass without one."""
        deadline = time.monotonic() + seconds
        while (line := self.take_line()) is None:
            rest = deadline - time.monotonic()
            if rest <= 0:
                return None
            self.pump(bytearray(), min(rest, 1.0))
        return line

    def lost(self, why: str) -> LinkError:
        """The error for a link that is gone."""
        return LinkError(f"the link to {self.name} is lost", why, "run the command again when the device is back")

    def silent(self, seconds: float) -> LinkError:
        """The error for a device that says nothing."""
        return LinkError(
            f"{self.name} does not answer",
            f"nothing came within {seconds:g} seconds",
            "check that the device runs, that its product grants the control port, and that nobody else uses it",
        )

    def close(self) -> None:
        """Close the link; harmless when it is closed already."""
        if not self._closed:
            self._closed = True
            self._close()
