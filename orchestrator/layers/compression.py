# SPDX-License-Identifier: MIT
"""Compressed streams to their very end: gzip with several members, zstd with skippable frames, xz with padding.

RFC 1952, RFC 8878 and the .xz format. A stream that ends inside a member is refused, and so is anything behind one that
is neither another member nor permitted padding.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from typing import Any, Literal

import zstandard

Compression = Literal["none", "gzip", "zstd", "xz"]

DAMAGED = (EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError)
"""What reading a damaged stream raises."""

_WINDOW_MAX = 2**27  # bytes that a foreign zstd or xz stream may ask for
_GZIP = zlib.MAX_WBITS | 16  # with header, checksum and length, which zlib then checks itself

# Little is fed at a time, because what is fed is uncompressed at once: four bytes of zstd may become 128 KiB, one of
# deflate 1032.
_FEED = {"gzip": 16 * 1024, "zstd": 2048, "xz": 2048}
_PADDING = {"gzip": 1, "zstd": 0, "xz": 4}


def sniff(start: bytes) -> Compression:
    """Return the compression that a stream's first six bytes announce."""
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    if start.startswith(b"\xfd7zXZ\0"):
        return "xz"
    if start.startswith(b"\x28\xb5\x2f\xfd") or (start[1:4] == b"\x2a\x4d\x18" and start[0] & 0xF0 == 0x50):
        return "zstd"
    return "none"


class Uncompressed:
    """What comes out of a compressed stream; `read` gives its next bytes (at most so many), b"" at its end.

    Zeros behind a member are padding for gzip (as gzip(1) has it), and for xz in a multiple of four.
    """

    def __init__(self, read: Callable[[int], bytes], compression: Literal["gzip", "zstd", "xz"]) -> None:
        self._read, self._start = read, _STARTS[compression]
        self._feed, self._padding = _FEED[compression], _PADDING[compression]
        self._member: Any = None
        self._rest = b""
        self._zeros = 0
        self._begun = False

    def read(self) -> bytes:
        """Return some more bytes, b"" at the end; raises one of DAMAGED."""
        while True:
            data = self._rest or self._read(self._feed)
            self._rest = b""
            if self._member is None:
                data = self._without_padding(data)
            if not data:
                if self._member is not None or not self._begun:
                    raise EOFError("the stream is truncated")
                return b""
            if self._member is None:
                self._member, self._begun = self._start(), True
            output: bytes = self._member.decompress(data)
            if self._member.eof:
                self._rest = self._member.unused_data
                self._member = None
            if output:
                return output

    def _without_padding(self, data: bytes) -> bytes:
        while self._padding and data and not data.strip(b"\0"):
            self._zeros += len(data)
            data = self._read(self._feed)
        if self._padding:
            found = data.lstrip(b"\0")
            self._zeros += len(data) - len(found)
            if self._zeros % self._padding:
                raise EOFError("the padding of the stream has an odd length")
            self._zeros = 0
            data = found
        return data


_STARTS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(_GZIP),
    "zstd": lambda: zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX).decompressobj(),
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=2 * _WINDOW_MAX),
}
