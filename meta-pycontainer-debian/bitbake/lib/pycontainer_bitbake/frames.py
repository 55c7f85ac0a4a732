# SPDX-License-Identifier: MIT
"""The byte frames between BitBake's server, the worker and its tasks. Pure functions: no I/O, no pickles.

Server to worker: `<tag>`, payload length (4 bytes, big endian), payload, `</tag>`.
Worker to server: `<event>` payload `</event>` and `<exitcode>` payload `</exitcode>`, without a length.
Task to worker (our own): payload length (4 bytes, big endian), payload.
"""

from __future__ import annotations

from collections.abc import Iterator

COMMANDS = frozenset({"cookerconfig", "extraconfigdata", "workerdata", "newtaskhashes", "runtask", "finishnow", "quit"})
MAX_PAYLOAD = 512 << 20
_LENGTH = 4
_LONGEST_TAG = max(map(len, COMMANDS))


class FrameError(ValueError):
    """Bytes that are no frame; the stream cannot be trusted any further."""


class CommandDecoder:
    """Collects bytes and yields whole commands."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Add bytes; yield each (tag, payload) that is complete now. Raises FrameError on anything malformed."""
        self._buffer += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> tuple[str, bytes] | None:
        buffer = self._buffer
        if not buffer:
            return None
        end = buffer.find(b">", 0, _LONGEST_TAG + 2)
        if buffer[0] != ord("<") or (end < 0 and len(buffer) >= _LONGEST_TAG + 2):
            raise FrameError(f"no command starts with {bytes(buffer[:16])!r}")
        if end < 0:
            return None
        tag = buffer[1:end].decode("ascii", "replace")
        if tag not in COMMANDS:
            raise FrameError(f"unknown command {tag!r}")
        start = end + 1 + _LENGTH
        if len(buffer) < start:
            return None
        size = int.from_bytes(buffer[end + 1 : start], "big")
        if size > MAX_PAYLOAD:
            raise FrameError(f"command {tag} has {size} bytes, more than {MAX_PAYLOAD}")
        closing = f"</{tag}>".encode()
        stop = start + size
        if len(buffer) < stop + len(closing):
            return None
        if buffer[stop : stop + len(closing)] != closing:
            raise FrameError(f"command {tag} does not end after {size} bytes")
        payload = bytes(buffer[start:stop])
        del buffer[: stop + len(closing)]
        return tag, payload


def command(tag: str, payload: bytes) -> bytes:
    """Return the frame of a command to the worker."""
    return b"<%b>%b%b</%b>" % (tag.encode(), len(payload).to_bytes(_LENGTH, "big"), payload, tag.encode())


def reply(tag: str, payload: bytes) -> bytes:
    """Return the frame of an "event" or "exitcode" to the server; the payload must not hold the closing tag."""
    closing = b"</%b>" % tag.encode()
    if closing in payload:
        raise FrameError(f"the payload holds {closing!r}")
    return b"<%b>%b%b" % (tag.encode(), payload, closing)


class RecordDecoder:
    """Collects what a task wrote and yields whole records; what a killed task left half written stays inside."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add bytes; yield each record that is complete now. Raises FrameError on an absurd length."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH:
            size = int.from_bytes(self._buffer[:_LENGTH], "big")
            if size > MAX_PAYLOAD:
                raise FrameError(f"a task's record has {size} bytes, more than {MAX_PAYLOAD}")
            if len(self._buffer) < _LENGTH + size:
                return
            record = bytes(self._buffer[_LENGTH : _LENGTH + size])
            del self._buffer[: _LENGTH + size]
            yield record


def record(payload: bytes) -> bytes:
    """Return the frame of one record from a task to its worker."""
    return len(payload).to_bytes(_LENGTH, "big") + payload
