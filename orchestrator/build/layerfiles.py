# SPDX-License-Identifier: MIT
"""A layer's tree in the words that `orchestrator.sbom` reads files in."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from orchestrator.errors import BuildError, VerificationError
from orchestrator.layers.nodes import Content, Directory, File, FileContent
from orchestrator.layers.tree import Tree
from orchestrator.sbom.files import Bytes, ByteSource, FileEntry

_OPEN = 16


class LayerFiles:
    """The files of a tree; a context manager, because files that the content lies in are kept open meanwhile."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._names: dict[int, str] = {}
        self._nodes: dict[str, File] = {}
        self._open = _OpenFiles()
        for path, node in tree.walk():
            if isinstance(node, File) and id(node) not in self._names:
                name = os.fsdecode(path)
                self._names[id(node)] = name
                self._nodes[name] = node

    def __enter__(self) -> LayerFiles:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def files(self) -> Iterator[FileEntry]:
        for name in sorted(self._nodes):
            node = self._nodes[name]
            yield FileEntry(name, node.content.size, bool(node.mode & 0o111))

    def canonical(self, path: str) -> str | None:
        node = self._get(path, follow=False)
        return self._names.get(id(node)) if isinstance(node, File) else None

    def open(self, path: str) -> ByteSource | None:
        node = self._nodes.get(path) or self._get(path, follow=True)
        return self._source(node.content) if isinstance(node, File) else None

    def names(self, folder: str) -> list[str]:
        node = self._get(folder, follow=True)
        return sorted(map(os.fsdecode, node.children)) if isinstance(node, Directory) else []

    def _get(self, path: str, *, follow: bool) -> object:
        try:
            return self._tree.get(os.fsencode(path), follow=follow)
        except VerificationError:  # a loop of links leads to no file
            return None

    def _source(self, content: Content) -> ByteSource:
        if isinstance(content, FileContent):
            return _Part(self._open, content)
        return Bytes(b"".join(content.chunks()))


class _OpenFiles:
    """Files opened for reading, the last used ones kept."""

    def __init__(self) -> None:
        self._descriptors: OrderedDict[Path, int] = OrderedDict()

    def get(self, path: Path) -> int:
        descriptor = self._descriptors.get(path)
        if descriptor is None:
            while len(self._descriptors) >= _OPEN:
                os.close(self._descriptors.popitem(last=False)[1])
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as problem:
                raise BuildError(f"{path} cannot be read", str(problem), "build again") from problem
        self._descriptors[path] = descriptor
        self._descriptors.move_to_end(path)
        return descriptor

    def close(self) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()


class _Part:
    """A file, or a part of one, as a source of bytes."""

    def __init__(self, files: _OpenFiles, content: FileContent) -> None:
        self._files = files
        self._content = content

    @property
    def size(self) -> int:
        return self._content.size

    def at(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self._content.size - offset))
        if not length:
            return b""
        parts = []
        descriptor = self._files.get(self._content.path)
        place = self._content.offset + offset
        while length:
            data = os.pread(descriptor, length, place)
            if not data:
                raise BuildError(f"{self._content.path} became shorter while it was read", "", "build again")
            parts.append(data)
            place += len(data)
            length -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)
