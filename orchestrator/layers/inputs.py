# SPDX-License-Identifier: MIT
"""What a layer can be made of: every kind of input gives a tree, an image configuration and a digest of itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from orchestrator.canonical import DIGEST, canonical_json, hash_file, sha256_digest
from orchestrator.deploy import Deploy, DeployLayer
from orchestrator.errors import BuildError, ConfigError, VerificationError
from orchestrator.layers.compression import DAMAGED, Uncompressed, sniff
from orchestrator.layers.directory import Owner, directory_digest, read_directory
from orchestrator.layers.layout import ImageIdentity
from orchestrator.layers.rootfolder import read_root, root_digest
from orchestrator.layers.tarread import read_tar
from orchestrator.layers.tree import Limits, Tree


@dataclass(frozen=True)
class Loaded:
    """A source's file system and the image configuration that came with it (OCI `config` object, may be empty).

    `removed` are the paths of what lay in a lower OCI layer of an image and was removed by a whiteout of a higher one,
    in byte order. `image` says which image it was, None for what was none. `packed` is the file system image that a
    published layer brings: it is taken as it is, and the tree has its entries without their contents.
    """

    tree: Tree
    config: Mapping[str, Any]
    removed: tuple[bytes, ...] = ()
    image: ImageIdentity | None = None
    packed: Path | None = None


class LayerSource(Protocol):
    """An input of a layer."""

    @property
    def own(self) -> bool:
        """Whether the product's own people make it, so that it changes while somebody waits; False: it came whole."""
        ...

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
    `remedy` what the user can do when it is gone or another one; `own`: a recipe of the product made it."""

    path: Path
    expected: str | None = None
    config: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    remedy: str = "check the path, or get it again"
    own: bool = False

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
        read_tar(uncompressed(self.path, workspace, limits.tar), tree, str(self.path))
        return Loaded(tree, self.config)


@dataclass(frozen=True)
class DirectorySource:
    """A folder of the product; every entry belongs to `owner`."""

    path: Path
    owner: Owner = field(default_factory=Owner)
    config: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    own = True

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


@dataclass(frozen=True)
class RootSource:
    """A folder with a distribution's root file system, taken as it lies."""

    path: Path
    config: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    own = False

    def describe(self) -> str:
        return f"directory {self.path}"

    def digest(self) -> str:
        return sha256_digest(canonical_json(["root", root_digest(self.path), dict(self.config)]))

    def load(self, workspace: Path, limits: Limits, mtime: int) -> Loaded:
        tree = Tree(limits)
        tree.root.mtime = mtime
        read_root(self.path, tree, latest=mtime)
        return Loaded(tree, self.config)


def folder_source(path: Path, kind: str) -> DirectorySource | RootSource:
    """Return a folder as a layer of a kind takes it: a rootfs as it lies, for an app the files of a working copy."""
    return RootSource(path) if kind == "rootfs" else DirectorySource(path)


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
    remedy = "build it anew: pycontainer build --force"
    return TarSource(deploy.resolve(file.path), file.digest, layer.config, remedy, own=True)


def uncompressed(path: Path, workspace: Path, limit: int) -> Path:
    """Return `path` itself, or the path of its uncompressed copy in `workspace` (made once, at most `limit` bytes).

    The compression is told from the first bytes. Raises VerificationError for truncated or malformed streams, garbage
    after them, and what would be larger than `limit`.
    """
    with path.open("rb") as probe:
        compression = sniff(probe.read(6))
    if compression == "none":
        return path
    workspace.mkdir(parents=True, exist_ok=True)
    target = workspace / f"{hash_file(path).partition(':')[2]}.tar"
    if target.exists():
        return target
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with path.open("rb") as raw, temporary.open("wb") as sink:
            source = Uncompressed(raw.read, compression)
            done = 0
            while data := source.read():
                done += len(data)
                if done > limit:
                    raise VerificationError(f"{path} is too large when uncompressed", f"the limit is {limit} bytes")
                sink.write(data)
        temporary.replace(target)
    except DAMAGED as problem:
        raise VerificationError(f"{path} cannot be uncompressed", str(problem), "get it again") from problem
    finally:
        temporary.unlink(missing_ok=True)
    return target
