# SPDX-License-Identifier: MIT
"""What a layer can be made of: every kind of input gives a tree, an image configuration and a digest of itself."""

from __future__ import annotations

import gzip
import lzma
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Protocol

import zstandard

from orchestrator.canonical import DIGEST, canonical_json, hash_file, sha256_digest
from orchestrator.deploy import Deploy, DeployLayer
from orchestrator.errors import BuildError, ConfigError, VerificationError
from orchestrator.layers.directory import Owner, directory_digest, read_directory
from orchestrator.layers.tarread import read_tar
from orchestrator.layers.tree import Limits, Tree

_CHUNK = 1024 * 1024
_SPARE = 64 * 1024 * 1024  # a tar is larger than its content by its headers and padding
_FEED = 2048
_WINDOW_MAX = 2**27  # bytes that a foreign zstd stream may ask for


@dataclass(frozen=True)
class Loaded:
    """A source's file system and the image configuration that came with it (OCI `config` object, may be empty)."""

    tree: Tree
    config: Mapping[str, Any]


class LayerSource(Protocol):
    """An input of a layer."""

    def describe(self) -> str:
        """Return the source in the user's words, for messages."""
        ...

    def digest(self) -> str:
        """Return a digest of everything that `load` gives; cheap beside packing."""
        ...

    def load(self, workspace: Path, limits: Limits, mtime: int) -> Loaded:
        """Read the source. `workspace` is a folder for temporary files, which must last while the tree is used;
        `mtime` is the time of entries that have none of their own."""
        ...


@dataclass(frozen=True)
class TarSource:
    """A root file system tar, plain or compressed by gzip, xz or zstd. `expected` is its digest, when known, and
    `remedy` what the user can do when it is gone or another one."""

    path: Path
    expected: str | None = None
    config: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    remedy: str = "check the path, or get it again"

    def describe(self) -> str:
        return f"tar {self.path}"

    def digest(self) -> str:
        try:
            found = hash_file(self.path)
        except OSError as problem:
            raise ConfigError(f"{self.path} cannot be read", problem.strerror or "", self.remedy) from problem
        if self.expected is not None and found != self.expected:
            raise VerificationError(
                f"{self.path} has the wrong digest", f"it is {found}, expected {self.expected}", self.remedy
            )
        return sha256_digest(canonical_json(["tar", found, dict(self.config)]))

    def load(self, workspace: Path, limits: Limits, mtime: int) -> Loaded:
        tree = Tree(limits)
        tree.root.mtime = mtime
        read_tar(uncompressed(self.path, workspace, limits.size + _SPARE), tree, str(self.path))
        return Loaded(tree, self.config)


@dataclass(frozen=True)
class DirectorySource:
    """A folder of the product; every entry belongs to `owner`."""

    path: Path
    owner: Owner = field(default_factory=Owner)
    config: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def describe(self) -> str:
        return f"directory {self.path}"

    def digest(self) -> str:
        parts = ["directory", directory_digest(self.path), self.owner.uid, self.owner.gid, self.owner.mode]
        return sha256_digest(canonical_json([*parts, dict(self.config)]))

    def load(self, workspace: Path, limits: Limits, mtime: int) -> Loaded:
        tree = Tree(limits)
        tree.root.mtime = mtime
        read_directory(self.path, tree, mtime=mtime, owner=self.owner)
        return Loaded(tree, self.config)


def bitbake_source(deploy: Deploy, layer: DeployLayer, role: str = "rootfs") -> TarSource:
    """Return the tar that a BitBake recipe deployed for a layer; raises BuildError when it deployed none."""
    file = layer.files.get(role)
    if file is None:
        raise BuildError(
            f"the recipe {layer.recipe} deploys no {role}",
            f"it has: {', '.join(sorted(layer.files)) or 'nothing'}",
            "name a recipe of the right kind in 'from: {bitbake: ...}'",
        )
    if not DIGEST.match(file.digest):
        raise VerificationError(f"the digest of {file.path} in the deploy manifest is malformed")
    return TarSource(deploy.resolve(file.path), file.digest, layer.config, "build it anew: pycontainer build --force")


def uncompressed(path: Path, workspace: Path, limit: int) -> Path:
    """Return `path` itself, or the path of its uncompressed copy in `workspace` (made once, at most `limit` bytes).

    The compression is told from the first bytes. Raises VerificationError for truncated or malformed streams, garbage
    after them, and what would be larger than `limit`.
    """
    with path.open("rb") as probe:
        magic = probe.read(6)
    if not (
        magic.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")) or magic == b"\xfd7zXZ\0" or magic[1:4] == b"\x2a\x4d\x18"
    ):
        return path
    workspace.mkdir(parents=True, exist_ok=True)
    target = workspace / f"{hash_file(path).partition(':')[2]}.tar"
    if target.exists():
        return target
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with _decompressor(path, magic) as source, temporary.open("wb") as sink:
            done = 0
            while data := source.read(_CHUNK):
                done += len(data)
                if done > limit:
                    raise VerificationError(f"{path} is too large when uncompressed", f"the limit is {limit} bytes")
                sink.write(data)
        temporary.replace(target)
    except (EOFError, lzma.LZMAError, zlib.error, zstandard.ZstdError, gzip.BadGzipFile) as problem:
        raise VerificationError(f"{path} cannot be uncompressed", str(problem), "get it again") from problem
    finally:
        temporary.unlink(missing_ok=True)
    return target


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@contextmanager
def _decompressor(path: Path, magic: bytes) -> Iterator[_Readable]:
    with path.open("rb") as raw:
        if magic.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=raw) as stream:
                yield stream
        elif magic.startswith(b"\xfd7z"):
            yield _Frames(raw, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=2 * _WINDOW_MAX), padding=4)
        else:
            yield _Frames(raw, lambda: zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX).decompressobj())


class _Frames:
    """xz streams or zstd frames (skippable ones too) to the very end of a file.

    A stream that ends inside a frame is refused, and so is anything else behind one but `padding` (xz: zeros, in a
    multiple of four). Little is fed at a time, because what is fed is uncompressed at once: four bytes of zstd may
    become 128 KiB.
    """

    def __init__(self, raw: IO[bytes], start: Callable[[], Any], padding: int = 0) -> None:
        self._raw, self._start, self._padding = raw, start, padding
        self._frame: Any = None
        self._rest = b""
        self._zeros = 0

    def read(self, size: int, /) -> bytes:
        while True:
            data = self._rest or self._raw.read(min(size, _FEED))
            self._rest = b""
            if self._frame is None:
                data = self._without_padding(data)
            if not data:
                if self._frame is not None:
                    raise EOFError("the stream is truncated")
                return b""
            if self._frame is None:
                self._frame = self._start()
            output: bytes = self._frame.decompress(data)
            if self._frame.eof:
                self._rest = self._frame.unused_data
                self._frame = None
            if output:
                return output

    def _without_padding(self, data: bytes) -> bytes:
        while self._padding and data and not data.strip(b"\0"):
            self._zeros += len(data)
            data = self._raw.read(_FEED)
        if self._padding:
            found = data.lstrip(b"\0")
            self._zeros += len(data) - len(found)
            if self._zeros % self._padding:
                raise EOFError("the padding of the stream has an odd length")
            self._zeros = 0
            data = found
        return data
