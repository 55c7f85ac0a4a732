# SPDX-License-Identifier: MIT
"""Read an uncompressed tar file into a tree: strictly, without extracting; content stays in the tar, by offset."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote_to_bytes

from orchestrator.errors import BuildError, VerificationError
from orchestrator.layers import tarheader
from orchestrator.layers.nodes import (
    CHUNK,
    NO_XATTRS,
    Content,
    Device,
    Directory,
    Fifo,
    File,
    FileContent,
    Node,
    SparseContent,
    Symlink,
)
from orchestrator.layers.tarheader import BLOCK, EXTENDED_MAX, SPARSE_EXTENTS_MAX, Header, malformed
from orchestrator.layers.tree import PATH_MAX, show

_U32 = 2**32 - 1
_KEPT_XATTRS = (b"user.", b"security.")
_XATTR_MAX = 65536
_ANEW = "make it anew from inside its root: tar -C ROOT -cf FILE ."
_SCHILY, _LIBARCHIVE, _SPARSE = b"SCHILY.xattr.", b"LIBARCHIVE.xattr.", b"GNU.sparse."


@dataclass(slots=True)
class _Extended:
    """What extended headers said about the next entry."""

    values: dict[bytes, bytes] = field(default_factory=dict)
    xattrs: dict[bytes, bytes] = field(default_factory=dict)
    sparse: list[tuple[bytes, bytes]] = field(default_factory=list)


class Sink(Protocol):
    """What takes the entries of a tar in their order: a tree, or whoever has to look at them first.

    `notes` takes remarks for the user.
    """

    notes: list[str]

    def add(self, path: bytes, node: Node) -> None:
        """Take an entry; `path` is b"" for the root, never absolute and without `.` and `..`."""
        ...

    def link(self, path: bytes, target: bytes) -> None:
        """Take a hard link."""
        ...


def read_tar(path: Path, sink: Sink, shown: str = "", *, start: int = 0, length: int | None = None) -> None:
    """Hand every entry of the uncompressed tar at `path` to `sink`; messages name it as `shown`.

    The tar may be a part of the file: `length` bytes from `start` (default: to the file's end).

    Refused with VerificationError: absolute names, `..`, hard links to what is not there, unknown entry types, wrong
    checksums, truncation, anything but zeros after the end mark, and what passes the tree's limits. Names and link
    targets are kept byte for byte. Extended attributes of the classes user and security are kept; others are noted.
    """
    try:
        with path.open("rb") as stream:
            end = os.fstat(stream.fileno()).st_size if length is None else start + length
            stream.seek(start)
            _Reader(stream, path, sink, start, end).run()
    except OSError as problem:
        raise BuildError(
            f"{path} cannot be read", str(problem), "check that the file is there and readable"
        ) from problem
    except VerificationError as problem:
        raise VerificationError(f"{shown or path} is refused: {problem.what}", problem.why, problem.hint) from problem


def entry_name(raw: bytes) -> bytes:
    """Return a tar name without `./` and trailing slashes; b"" is the root. Absolute names and `..` are refused."""
    if raw.startswith(b"/"):
        raise VerificationError(f"the name {show(raw)} is absolute", "names in a tar are relative to its root", _ANEW)
    parts = [part for part in raw.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise VerificationError(f"the name {show(raw)} has '..' in it", "it could lead out of the layer", _ANEW)
    if b"\0" in raw or len(raw) > PATH_MAX:
        raise VerificationError(f"the name {show(raw)} is too long or has a NUL")
    return b"/".join(parts)


class _Reader:
    def __init__(self, stream: BinaryIO, path: Path, sink: Sink, start: int, end: int) -> None:
        self.stream, self.path, self.sink = stream, path, sink
        self.place, self.end = start, end
        self.dropped: set[bytes] = set()

    def run(self) -> None:
        extended = _Extended()
        while (header := tarheader.parse_header(self.take(BLOCK))) is not None:
            kind = header.type
            if kind in (b"x", b"L", b"K", b"g"):
                if header.size > EXTENDED_MAX:
                    raise malformed(f"an extended header has {header.size} bytes, the limit is {EXTENDED_MAX}")
                data = self.take(tarheader.padded(header.size))[: header.size]
                self.extend(extended, kind, data)
                continue
            if kind == b"V":  # GNU volume label: a remark, no entry
                self.skip(tarheader.padded(header.size))
            else:
                self.entry(header, extended)
            extended = _Extended()
        if extended.values or extended.xattrs:
            raise malformed("it ends after an extended header")
        while self.place < self.end:
            if self.take(min(CHUNK, self.end - self.place)).strip(b"\0"):
                raise malformed("there is something after the end mark")
        for name in sorted(self.dropped):
            self.sink.notes.append(f"extended attributes {show(name)} are dropped: the image cannot carry them")

    def take(self, length: int) -> bytes:
        data = self.stream.read(min(length, self.end - self.place))
        if len(data) != length:
            raise malformed("it is truncated")
        self.place += length
        return data

    def skip(self, length: int) -> None:
        if length > self.end - self.place:
            raise malformed("it is truncated")
        if length:
            self.stream.seek(length - 1, 1)
            self.place += length - 1
            self.take(1)

    def extend(self, extended: _Extended, kind: bytes, data: bytes) -> None:
        if kind in (b"L", b"K"):
            extended.values[b"path" if kind == b"L" else b"linkpath"] = data.split(b"\0", 1)[0]
            return
        for key, value in tarheader.parse_pax(data):
            if kind == b"g":
                if key in (b"path", b"linkpath", b"size", b"uid", b"gid", b"mtime") or key.startswith(
                    (_SCHILY, _LIBARCHIVE, _SPARSE)
                ):
                    raise malformed(f"a global header sets {show(key)}")
            elif key.startswith(_SPARSE):
                extended.sparse.append((key[len(_SPARSE) :], value))
                if len(extended.sparse) > 2 * SPARSE_EXTENTS_MAX:
                    raise malformed("a sparse file has too many extents")
            elif key.startswith(_SCHILY):
                self.xattr(extended, key[len(_SCHILY) :], value)
            elif key.startswith(_LIBARCHIVE):
                name = unquote_to_bytes(key[len(_LIBARCHIVE) :])
                if name not in extended.xattrs:  # bsdtar writes both forms
                    self.xattr(extended, name, _base64(value))
            else:
                if key.startswith(b"SCHILY.acl."):
                    self.dropped.add(b"system.posix_acl_*")
                extended.values[key] = value

    def xattr(self, extended: _Extended, name: bytes, value: bytes) -> None:
        if len(name) > 255 or len(value) > _XATTR_MAX or b"\0" in name:
            raise malformed("an extended attribute is too large")
        if name.startswith(_KEPT_XATTRS):
            extended.xattrs[name] = value
        else:
            self.dropped.add(name)

    def entry(self, header: Header, extended: _Extended) -> None:
        values = extended.values
        name = header.name
        sparse = dict(extended.sparse)
        raw = sparse.get(b"name") or values.get(b"path") or name
        kind = header.type
        if kind in (b"\0", b"0") and raw.endswith(b"/"):  # before ustar, a slash meant a directory
            kind = b"5"
        path = entry_name(raw)
        link = values.get(b"linkpath") or header.link
        if kind == b"1":
            self.sink.link(path, entry_name(link))
            return
        uid = tarheader.decimal(values[b"uid"], "a user") if b"uid" in values else header.uid
        gid = tarheader.decimal(values[b"gid"], "a group") if b"gid" in values else header.gid
        if not (0 <= uid < _U32 and 0 <= gid < _U32):
            raise malformed(f"the owner of {show(path)} is out of range")
        common = Node(
            mode=header.mode, uid=uid, gid=gid, mtime=_time(values, header), xattrs=extended.xattrs or NO_XATTRS
        )
        self.sink.add(path, self.node(header, kind, link, common, extended))

    def node(self, header: Header, kind: bytes, link: bytes, common: Node, extended: _Extended) -> Node:
        mode, uid, gid, mtime, xattrs = common.mode, common.uid, common.gid, common.mtime, common.xattrs
        if kind in (b"\0", b"0", b"7", b"S"):
            content = self.content(header, extended)
            return File(mode=mode, uid=uid, gid=gid, mtime=mtime, xattrs=xattrs, content=content)
        if kind == b"5":
            return Directory(mode=mode, uid=uid, gid=gid, mtime=mtime, xattrs=xattrs)
        if kind == b"2":
            if not link or b"\0" in link or len(link) >= PATH_MAX:
                raise malformed("a symbolic link has no usable target")
            return Symlink(mode=0o777, uid=uid, gid=gid, mtime=mtime, xattrs=xattrs, target=link)
        if kind in (b"3", b"4"):
            if not (0 <= header.major < 2**12 and 0 <= header.minor < 2**20):
                raise malformed("a device number is out of range")
            return Device(
                mode=mode,
                uid=uid,
                gid=gid,
                mtime=mtime,
                xattrs=xattrs,
                block=kind == b"4",
                major=header.major,
                minor=header.minor,
            )
        if kind == b"6":
            return Fifo(mode=mode, uid=uid, gid=gid, mtime=mtime, xattrs=xattrs)
        raise malformed(f"an entry has the unknown type {kind!r}")

    def content(self, header: Header, extended: _Extended) -> Content:
        stored = header.size
        if b"size" in extended.values:
            stored = tarheader.decimal(extended.values[b"size"], "a size")
        if header.type == b"S":
            extents, more = tarheader.gnu_extents(header.block, first=True)
            while more:
                found, more = tarheader.gnu_extents(self.take(BLOCK), first=False)
                extents += found
                if len(extents) > SPARSE_EXTENTS_MAX:
                    raise malformed("a sparse file has too many extents")
            return self.sparse(extents, tarheader.number(header.block[483:495], "a sparse size"), stored)
        if extended.sparse:
            return self.pax_sparse(extended.sparse, stored)
        content = FileContent(self.path, stored, self.place)
        self.skip(tarheader.padded(stored))
        return content

    def pax_sparse(self, records: list[tuple[bytes, bytes]], stored: int) -> Content:
        fields = dict(records)
        size = tarheader.decimal(fields.get(b"realsize", fields.get(b"size", b"")), "a sparse size")
        if fields.get(b"major") == b"1" and fields.get(b"minor") == b"0":
            begin = self.place
            numbers = self.map_in_data(stored)
            stored -= self.place - begin
        elif b"map" in fields:
            numbers = [tarheader.decimal(word, "a sparse map") for word in fields[b"map"].split(b",") if word]
        else:
            numbers = [
                tarheader.decimal(value, "a sparse map") for key, value in records if key in (b"offset", b"numbytes")
            ]
        if len(numbers) % 2:
            raise malformed("the map of a sparse file is incomplete")
        return self.sparse(list(zip(numbers[::2], numbers[1::2], strict=True)), size, stored)

    def map_in_data(self, stored: int) -> list[int]:
        """Format 1.0: a decimal a line, the number of extents first, in whole blocks before the data."""
        text = b""
        numbers: list[int] = []
        wanted = 1
        while len(numbers) < wanted:
            if len(text) + BLOCK > stored or len(text) > EXTENDED_MAX:
                raise malformed("the map of a sparse file has no end")
            text += self.take(BLOCK)
            if text.count(b"\n") < wanted:
                continue
            numbers = [tarheader.decimal(line, "a sparse map") for line in text.split(b"\n", wanted)[:wanted]]
            if wanted == 1:
                if numbers[0] > SPARSE_EXTENTS_MAX:
                    raise malformed("a sparse file has too many extents")
                wanted = 1 + 2 * numbers[0]
                if text.count(b"\n") >= wanted:
                    numbers = [tarheader.decimal(line, "a sparse map") for line in text.split(b"\n", wanted)[:wanted]]
        return numbers[1:]

    def sparse(self, extents: list[tuple[int, int]], size: int, stored: int) -> Content:
        checked = tarheader.checked_extents(extents, size, stored)
        offset = self.place
        pieces = []
        for start, length in checked:
            pieces.append((start, offset, length))
            offset += length
        self.skip(tarheader.padded(stored))
        return SparseContent(self.path, size, tuple(pieces))


def _time(values: dict[bytes, bytes], header: Header) -> int:
    if b"mtime" not in values:
        return max(0, min(_U32, header.mtime))
    text = values[b"mtime"]
    if text.startswith(b"-"):
        return 0
    return min(_U32, tarheader.decimal(text.split(b".", 1)[0], "a time"))


def _base64(value: bytes) -> bytes:
    try:
        return base64.b64decode(value + b"=" * (-len(value) % 4), validate=True)
    except binascii.Error as problem:
        raise malformed("an extended attribute is no base64") from problem
