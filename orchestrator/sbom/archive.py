# SPDX-License-Identifier: MIT
"""Chosen files of a tar archive, read without extracting it; symbolic and hard links among them are followed."""

from __future__ import annotations

import contextlib
import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard

from orchestrator.errors import BuildError

_MAX_FILE = 32 * 1024 * 1024
_MAX_TOTAL = 512 * 1024 * 1024
_MAX_MEMBERS = 500_000
_MAX_LINKS = 16
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # RFC 8878, section 3.1.1
_ZSTD_WINDOW = 128 * 1024 * 1024
_DAMAGED = (
    tarfile.TarError,
    zstandard.ZstdError,
    lzma.LZMAError,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
)


class Files:
    """The wanted files of an archive by their path without a leading slash."""

    def __init__(self, regular: dict[str, bytes], links: dict[str, str]) -> None:
        self.regular = regular
        self.links = links

    def get(self, path: str) -> bytes | None:
        """Return a file's content, having followed links on the way and in folders above it; None when absent."""
        for _ in range(_MAX_LINKS):
            if path in self.regular:
                return self.regular[path]
            link = next((above for above in _self_and_parents(path) if above in self.links), None)
            if link is None:
                return None
            path = posixpath.normpath(self.links[link] + path[len(link) :])
        return None

    def paths(self) -> list[str]:
        """Return the paths of the regular files, sorted."""
        return sorted(self.regular)


def _self_and_parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    with path.open("rb") as stream:
        compressed = stream.read(4) == _ZSTD_MAGIC
        stream.seek(0)
        if not compressed:
            with tarfile.open(fileobj=stream, mode="r:*") as archive:
                yield archive
            return
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        with (
            decompressor.stream_reader(stream, read_across_frames=True) as plain,
            tarfile.open(fileobj=plain, mode="r|") as archive,
        ):
            yield archive


def regular_files(path: Path, *, largest: int, total: int) -> Iterator[tuple[str, bytes]]:
    """Yield the regular files of a tar archive (compressed as `read` takes it), name and content, in its order.

    `largest` bytes a file and `total` bytes in all are the limits. Raises BuildError for what is no tar archive, for an
    entry that is neither file nor folder, and when a limit is exceeded.
    """
    members = done = 0
    try:
        with _opened(path) as archive:
            for member in archive:
                members += 1
                done += member.size
                if members > _MAX_MEMBERS:
                    raise BuildError(f"{path} holds too many files", f"the limit is {_MAX_MEMBERS}")
                if member.size > largest or done > total:
                    why = f"the limits are {largest} bytes a file and {total} bytes in all"
                    raise BuildError(f"{path}: {member.name[:200]} is too large", why)
                if member.isreg() and (stream := archive.extractfile(member)) is not None:
                    yield member.name, stream.read()
                elif not member.isdir():
                    raise BuildError(f"{path}: {member.name[:200]} is no file")
    except _DAMAGED as problem:
        raise BuildError(f"cannot read the archive {path}", str(problem)) from problem


def read(path: Path, wanted: Callable[[str], bool]) -> Files:
    """Read the members of a tar archive (plain, gzip, bzip2, xz or zstd) for which `wanted(path)` holds.

    Links are kept when their own path is wanted or lies above a wanted one. Raises BuildError for what is no tar
    archive, and when a limit is exceeded.
    """
    regular: dict[str, bytes] = {}
    links: dict[str, str] = {}
    total = members = 0
    try:
        with _opened(path) as archive:
            for member in archive:
                members += 1
                if members > _MAX_MEMBERS:
                    raise BuildError(f"{path} holds too many files", f"the limit is {_MAX_MEMBERS}")
                name = posixpath.normpath("/" + member.name).lstrip("/")
                if member.issym():
                    target = posixpath.normpath(posixpath.join("/" + posixpath.dirname(name), member.linkname))
                    links[name] = target.lstrip("/")
                elif member.islnk() and wanted(name):
                    links[name] = posixpath.normpath("/" + member.linkname).lstrip("/")
                elif member.isreg() and wanted(name):
                    total += member.size
                    if member.size > _MAX_FILE or total > _MAX_TOTAL:
                        raise BuildError(
                            f"{path}: {name} is too large",
                            f"the limits are {_MAX_FILE} bytes a file and {_MAX_TOTAL} bytes in all",
                        )
                    stream = archive.extractfile(member)
                    regular[name] = stream.read() if stream else b""
    except _DAMAGED as problem:
        raise BuildError(f"cannot read the archive {path}", str(problem)) from problem
    return Files(regular, links)
