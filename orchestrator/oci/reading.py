# SPDX-License-Identifier: MIT
"""Reading blobs, wherever they lie: bounded, each compared with the digest that names it."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import BinaryIO

from orchestrator.canonical import hex_of, sha256_digest
from orchestrator.errors import ConfigError, VerificationError

_CHUNK = 1 << 20
_SMALL = 1 << 16


class BlobReader(ABC):
    """Blobs that can be read: those of a store, of a folder on a stick, of a tar."""

    hint = ""
    """What to do about a blob that is missing or damaged."""

    @abstractmethod
    def size(self, digest: str) -> int | None:
        """Return the number of bytes of a blob, or None when it is not here."""

    @abstractmethod
    def open(self, digest: str) -> BinaryIO:
        """Return a blob as a stream; raises VerificationError when it is not here."""

    def has(self, digest: str, size: int | None = None) -> bool:
        """True when the blob is here (and has `size` bytes, when given); its content is not read."""
        found = self.size(digest)
        return found is not None and size in (None, found)

    def read(self, digest: str, *, limit: int) -> bytes:
        """Return a blob of at most `limit` bytes, its digest checked; raises VerificationError when it is not right."""
        with self.open(digest) as stream:
            # Most are small: asked for megabytes at once, the stream would set them aside each time.
            data = stream.read(min(limit + 1, _SMALL))
            if len(data) == _SMALL:
                data += stream.read(limit + 1 - _SMALL)
        if len(data) > limit:
            raise VerificationError(f"blob {digest} is too large", f"the limit for what it is here is {limit} bytes")
        found = sha256_digest(data)
        if found != digest:
            raise self.damaged(digest, found)
        return data

    def verify(self, digest: str, size: int | None = None) -> None:
        """Read a blob through; raises VerificationError when it is missing, of another size, or of another digest."""
        with self.open(digest) as stream:
            found_size = self.size(digest)
            if size is not None and found_size != size:
                raise VerificationError(
                    f"blob {digest} has the wrong size", f"{found_size} bytes, {size} were announced", self.hint
                )
            found = hash_stream(stream)
        if found != digest:
            raise self.damaged(digest, found)

    def damaged(self, digest: str, found: str) -> VerificationError:
        """The error for a blob whose bytes are not what its name says."""
        return VerificationError(f"blob {digest} is damaged", f"its bytes have the digest {found}", self.hint)


def blob_hex(digest: str) -> str:
    """Return a digest's hex digits, which name its file; raises ConfigError when it is not a SHA-256 digest."""
    try:
        return hex_of(digest)
    except ValueError as problem:
        raise ConfigError(f"not a digest: {digest!r}", "the form is sha256:<64 lower-case hex digits>") from problem


def hash_stream(stream: BinaryIO) -> str:
    """Return the digest of what is left of a stream."""
    state = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        state.update(chunk)
    return "sha256:" + state.hexdigest()
