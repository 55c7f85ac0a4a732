# SPDX-License-Identifier: MIT
"""What a product is built from, as it lies in its folder: the product file, what it names, and the pins in force.

What is in the folder but not named stays out: nobody means to publish it. So does what lies outside of the folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from orchestrator.build.imagelock import image_lock, pins_of, read_lock, with_pins
from orchestrator.build.stamp import files_below
from orchestrator.build.workspace import LOCK_NAME, Workspace
from orchestrator.canonical import sha256_digest
from orchestrator.errors import ConfigError
from orchestrator.history.source import (
    FILE_LIMIT,
    FILES_LIMIT,
    LOCK_LIMIT,
    TOTAL_LIMIT,
    SourceFile,
    SourceList,
    link_stays,
    plain_path,
)
from orchestrator.product.files import CURATION_FILE, POLICY_FILE, SOURCES_FILE
from orchestrator.product.model import Product

_BESIDE = (CURATION_FILE, SOURCES_FILE, POLICY_FILE)
"""Files that count by their names alone, when they are there."""


def layer_paths(product: Product) -> list[str]:
    """Return the paths that a product's layers name, relative to its folder, in the file's order."""
    found: list[str | None] = []
    for layer in product.layers.values():
        given, reference = layer.source, layer.source.reference
        found.append(reference.place if reference and reference.transport != "docker" else None)
        found += [given.tar, given.directory, given.spdx, layer.apparmor, layer.lxc_template]
        found += [each.source for each in layer.files]
    return [path for path in found if path]


def product_source(product: Product, place: Workspace) -> tuple[SourceList, dict[str, bytes]]:
    """Return the list of a product's files as they are now, and the contents of those that are kept, by path.

    The same files give the same list: no times, no owners. Raises ConfigError for a file that cannot be read.
    """
    collected = _Collected(place.root)
    collected.add(place.product_file)
    lock = _lock(place)
    if lock is not None:
        collected.put(LOCK_NAME, lock, resolved=not (place.root / LOCK_NAME).exists())
    folders = []
    for name in (*layer_paths(product), *product.components, *product.bitbake_layers, *_BESIDE):
        path = place.root / name
        if path.is_dir() and not path.is_symlink():
            relative = os.path.normpath(name)
            if relative == "." or plain_path(relative):
                folders.append(relative)
        for file in files_below(path) if path.exists() or path.is_symlink() else ():
            collected.add(file)
    return collected.listed(folders), collected.contents


def _lock(place: Workspace) -> bytes | None:
    """Return the pins in force as one lock file: the product's own, or what the build resolved."""
    own = place.root / LOCK_NAME
    if own.exists():
        return own.read_bytes()
    images = image_lock(place)
    packages = read_lock(place.package_lock)
    pins = pins_of(read_lock(images), images)
    return with_pins(packages, pins) if packages or pins else None


class _Collected:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, SourceFile] = {}
        self.contents: dict[str, bytes] = {}
        self.left_out = 0
        self._total = 0

    def listed(self, folders: list[str]) -> SourceList:
        files = [self.files[path] for path in sorted(self.files)]
        return SourceList(schema_version=1, files=files, folders=sorted(set(folders)), left_out=self.left_out)

    def add(self, path: Path) -> None:
        """Take a file or symbolic link as it is; what is something else, or lies elsewhere, is only counted."""
        name = self._name(path)
        if name is None or len(self.files) >= FILES_LIMIT:
            self.left_out += 1
            return
        if name in self.files:
            return
        try:
            state = path.lstat()
            if stat.S_ISLNK(state.st_mode):
                self._link(name, path)
            elif stat.S_ISREG(state.st_mode):
                self._file(name, path, state)
            else:
                self.left_out += 1
        except OSError as problem:
            raise ConfigError(
                f"cannot read {problem.filename or path}", problem.strerror or str(problem), "the product file names it"
            ) from problem

    def put(self, name: str, data: bytes, *, resolved: bool) -> None:
        """Take bytes as the content of a file."""
        kept = len(data) <= LOCK_LIMIT
        self.files[name] = SourceFile(name, sha256_digest(data), len(data), kept=kept, resolved=resolved)
        if kept:
            self.contents[name] = data
            self._total += len(data)

    def _name(self, path: Path) -> str | None:
        """The path below the product's folder, as its folders really lie; None for what is not below it."""
        real = Path(os.path.realpath(path.parent)) / path.name
        if not real.is_relative_to(self.root):
            return None
        try:
            name = real.relative_to(self.root).as_posix().encode().decode()
        except UnicodeError:
            return None
        return name if plain_path(name) and len(name) <= 1024 else None

    def _link(self, name: str, path: Path) -> None:
        target = str(path.readlink())
        if not link_stays(name, target) or not target.isprintable():
            self.left_out += 1
            return
        self.files[name] = SourceFile(name, target=target)

    def _file(self, name: str, path: Path, state: os.stat_result) -> None:
        executable = bool(state.st_mode & 0o100)
        if state.st_size <= FILE_LIMIT and self._total + state.st_size <= TOTAL_LIMIT:
            data = path.read_bytes()
            self.contents[name] = data
            self._total += len(data)
            self.files[name] = SourceFile(name, sha256_digest(data), len(data), executable)
            return
        with path.open("rb") as stream:
            digest = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
        self.files[name] = SourceFile(name, digest, state.st_size, executable, kept=False)
