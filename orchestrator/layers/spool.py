# SPDX-License-Identifier: MIT
"""The uncompressed tar of an OCI layer: every byte of it compared with what the image says, uncompressed only once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from orchestrator.canonical import hex_of
from orchestrator.errors import VerificationError
from orchestrator.layers.compression import DAMAGED, Uncompressed, sniff
from orchestrator.layers.layout import OciLayer
from orchestrator.layers.nodes import FileContent

_CHUNK = 1024 * 1024
_HINT = "get or make the image again"


def uncompressed_layer(layer: OciLayer, workspace: Path, limit: int, shown: str) -> FileContent:
    """Return where the uncompressed tar of an OCI layer lies: where it was, or spooled to `workspace`.

    It is read to its very end, past whatever a tar reader would stop at. Raises VerificationError when a digest is
    wrong, the stream is truncated, damaged or followed by something, or is longer than `limit` bytes uncompressed.
    """
    source = _Source(layer.content)
    compression = layer.compression
    if compression is None:
        found = sniff(source.peek(6))
        if found == "xz":
            raise VerificationError(f"{shown} is refused", "it is compressed with xz", "use gzip or zstd")
        compression = found
    if compression == "none":
        if layer.content.size > limit:
            raise _too_large(shown, limit)
        while source.read(_CHUNK):
            pass
        _compare(shown, "its digest", source.digest(), layer.digest or layer.diff_id)
        _compare(shown, "the digest of its tar", source.digest(), layer.diff_id)
        return layer.content
    workspace.mkdir(parents=True, exist_ok=True)
    target = workspace / f"{hex_of(layer.diff_id)}.tar"
    if target.exists():  # the same tar may come twice in one image
        return FileContent(target, target.stat().st_size)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as sink:
            stream = Uncompressed(source.read, compression)
            tar, done = hashlib.sha256(), 0
            while data := stream.read():
                done += len(data)
                if done > limit:
                    raise _too_large(shown, limit)
                tar.update(data)
                sink.write(data)
        if layer.digest is not None:
            _compare(shown, "its digest", source.digest(), layer.digest)
        _compare(shown, "the digest of its tar", "sha256:" + tar.hexdigest(), layer.diff_id)
        temporary.replace(target)
    except DAMAGED as problem:
        raise VerificationError(f"{shown} cannot be uncompressed", str(problem), _HINT) from problem
    finally:
        temporary.unlink(missing_ok=True)
    return FileContent(target, done)


class _Source:
    """The bytes of a content as a stream, hashed as they are taken from the disk."""

    def __init__(self, content: FileContent) -> None:
        self._chunks = content.chunks()
        self._state = hashlib.sha256()
        self._chunk, self._place = b"", 0

    def peek(self, length: int) -> bytes:
        self._fill()
        return self._chunk[self._place : self._place + length]

    def read(self, length: int) -> bytes:
        self._fill()
        data = self._chunk[self._place : self._place + length]
        self._place += len(data)
        return data

    def _fill(self) -> None:
        if self._place == len(self._chunk):
            self._chunk, self._place = next(self._chunks, b""), 0
            self._state.update(self._chunk)

    def digest(self) -> str:
        return "sha256:" + self._state.hexdigest()


def _compare(shown: str, what: str, found: str, expected: str) -> None:
    if found != expected:
        raise VerificationError(f"{shown} is damaged", f"{what} is {found}, the image says {expected}", _HINT)


def _too_large(shown: str, limit: int) -> VerificationError:
    return VerificationError(f"{shown} is too large", f"the limit for the whole image is {limit} bytes uncompressed")
