# SPDX-License-Identifier: MIT
"""Writers with one possible output a tree: POSIX tar with PAX extended attributes, and the kernel's newc cpio."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .tree import Content, Entry, Tree

_TYPES = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


class _Blocks(io.RawIOBase):
    """A content as the readable object that tarfile wants."""

    def __init__(self, content: Content) -> None:
        self._blocks = content.blocks()
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            block = next(self._blocks, None)
            if block is None:
                break
            self._rest += block
        data, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return data


def write_tar(tree: Tree, path: Path) -> None:
    """Write a tree as an uncompressed tar: sorted, numeric owners, extended attributes as SCHILY.xattr records."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as stream:
        seen: dict[int, str] = {}
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:
            for name, entry in tree.items():
                info = _info(name, entry)
                if id(entry) in seen:
                    info.type, info.linkname, info.size = tarfile.LNKTYPE, seen[id(entry)], 0
                    info.pax_headers = {}
                    tar.addfile(info)
                    continue
                if not entry.is_dir:
                    seen[id(entry)] = name
                tar.addfile(info, _Blocks(entry.content) if entry.is_file else None)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def _info(name: str, entry: Entry) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode = stat.S_IMODE(entry.mode)
    info.uid, info.gid, info.mtime = entry.uid, entry.gid, entry.mtime
    info.type = _TYPES[stat.S_IFMT(entry.mode)]
    info.linkname = entry.target
    info.size = entry.content.size if entry.is_file else 0
    info.devmajor, info.devminor = entry.device
    info.pax_headers = {
        f"SCHILY.xattr.{key}": value.decode("utf-8", "surrogateescape") for key, value in sorted(entry.xattrs.items())
    }
    return info


def read_tar(path: Path, prefix: str = "") -> Tree:
    """Read an uncompressed tar that `write_tar` wrote; contents stay in the tar file. Only names under `prefix`."""
    tree = Tree()
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            if not member.name.startswith(prefix):
                continue
            if member.islnk():
                tree.entries[member.name] = tree.entries[member.linkname]
                continue
            kind = next(bits for bits, code in _TYPES.items() if code == member.type)
            entry = Entry(kind | member.mode, member.uid, member.gid, int(member.mtime), member.linkname)
            if member.isreg():
                entry.content = Content(member.size, path, member.offset_data)
            entry.device = (member.devmajor, member.devminor)
            tree.entries[member.name] = entry
    return tree


def write_cpio(tree: Tree, stream: IO[bytes]) -> None:
    """Write a tree as newc cpio (Linux Documentation/driver-api/early-userspace/buffer-format.rst), owner 0:0.

    Inode numbers count from 1 and hard links are written as separate files: the kernel needs neither.
    """
    for number, (name, entry) in enumerate(tree.items(), start=1):
        size = len(entry.target.encode()) if entry.is_link else entry.content.size if entry.is_file else 0
        _cpio_header(stream, name, number, entry, size)
        for block in _cpio_data(entry):
            stream.write(block)
        stream.write(bytes(-size % 4))
    _cpio_header(stream, "TRAILER!!!", 0, Entry(0), 0)


def _cpio_data(entry: Entry) -> Iterator[bytes]:
    if entry.is_link:
        yield entry.target.encode()
    elif entry.is_file:
        yield from entry.content.blocks()


def _cpio_header(stream: IO[bytes], name: str, number: int, entry: Entry, size: int) -> None:
    text = name.encode() + b"\0"
    links = 2 if entry.is_dir else 1
    fields = (number, entry.mode, 0, 0, links, entry.mtime, size, 0, 0, *entry.device, len(text), 0)
    header = b"070701" + b"".join(b"%08X" % value for value in fields) + text
    stream.write(header + bytes(-len(header) % 4))
