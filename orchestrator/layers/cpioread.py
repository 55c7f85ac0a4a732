# SPDX-License-Identifier: MIT
"""Reading an initramfs into a tree: newc cpio segments one behind the other, each plain or compressed.

Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst. Foreign bytes: nothing is written to the
disk, and names cannot lead out of the tree.
"""

from __future__ import annotations

import gzip
import lzma
import stat
import zlib
from pathlib import Path

import zstandard

from orchestrator.errors import VerificationError
from orchestrator.layers.nodes import BytesContent, Device, Directory, Fifo, File, Node, Symlink
from orchestrator.layers.tree import Tree, show

_MAGICS = (b"070701", b"070702")
_HEADER = 110
_TRAILER = b"TRAILER!!!"
_NAME_MAX = 4096
_PLAIN_MAX = 1024 * 1024 * 1024
_WINDOW_MAX = 2**27
_FEED = 2048


def read_initramfs(path: Path, tree: Tree) -> None:
    """Add what an initramfs unpacks to; raises VerificationError for anything that the kernel would stumble over."""
    data = path.read_bytes()
    place = 0
    while place < len(data):
        if data[place] == 0:  # segments may be padded with zeros
            place += 1
        elif data[place : place + 6] in _MAGICS:
            place = _segment(data, place, tree, str(path))
        else:
            plain, used = _uncompressed(data[place:], str(path))
            _whole(plain, tree, str(path))
            place += used


def _whole(data: bytes, tree: Tree, what: str) -> None:
    place = 0
    while place < len(data):
        if data[place] == 0:
            place += 1
        else:
            place = _segment(data, place, tree, what)


def _uncompressed(data: bytes, what: str) -> tuple[bytes, int]:
    """Return the content of the compressed segment at the start of `data`, and how many bytes it took."""
    try:
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            plain, used, whole = _zstd(data)
            rest = data[used:]
        elif data.startswith(b"\x1f\x8b"):
            inflater = zlib.decompressobj(31)
            plain, rest, whole = inflater.decompress(data, _PLAIN_MAX), inflater.unused_data, inflater.eof
        elif data.startswith(b"\xfd7zXZ\0"):
            reader = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=2 * _WINDOW_MAX)
            plain, rest, whole = reader.decompress(data, _PLAIN_MAX), reader.unused_data, reader.eof
        else:
            raise VerificationError(f"{what} is no initramfs", "neither newc cpio nor zstd, gzip or xz")
    except (zstandard.ZstdError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as problem:
        raise VerificationError(f"{what} cannot be uncompressed", str(problem)) from problem
    if not whole or len(plain) > _PLAIN_MAX:
        raise VerificationError(f"{what} cannot be uncompressed", "it is cut short, or too large")
    return plain, len(data) - len(rest)


def _zstd(data: bytes) -> tuple[bytes, int, bool]:
    """Return a frame's content, how many bytes it took, and whether it was whole; little is fed at a time, because
    what is fed is uncompressed at once."""
    unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX).decompressobj()
    plain = bytearray()
    for start in range(0, len(data), _FEED):
        plain += unpacker.decompress(data[start : start + _FEED])
        if unpacker.eof:
            return bytes(plain), min(start + _FEED, len(data)) - len(unpacker.unused_data), True
        if len(plain) > _PLAIN_MAX:
            break
    return bytes(plain), len(data), False


def _segment(data: bytes, place: int, tree: Tree, what: str) -> int:
    """Add one cpio archive; returns where it ended."""
    links: dict[tuple[int, ...], File] = {}
    while True:
        header = data[place : place + _HEADER]
        if len(header) < _HEADER or header[:6] not in _MAGICS:
            raise VerificationError(f"{what} is damaged", f"no cpio header at byte {place}")
        try:
            fields = [int(header[start : start + 8], 16) for start in range(6, _HEADER, 8)]
        except ValueError as problem:
            raise VerificationError(f"{what} is damaged", f"the cpio header at byte {place}") from problem
        inode, mode, uid, gid, count, mtime, size, major, minor, rmajor, rminor, length, _check = fields
        if not 1 <= length <= _NAME_MAX:
            raise VerificationError(f"{what} is damaged", f"a name of {length} bytes")
        name = data[place + _HEADER : place + _HEADER + length]
        start = _aligned(place + _HEADER + length)
        content = data[start : start + size]
        if len(name) != length or len(content) != size or name[-1:] != b"\0":
            raise VerificationError(f"{what} is cut short", f"at the entry {show(name[:-1])}")
        place = _aligned(start + size)
        plain = name[:-1]
        if plain == _TRAILER:
            return place
        if plain.strip(b"/.") == b"":
            continue
        node = _node(mode, uid, gid, mtime, content, (rmajor, rminor))
        if isinstance(node, File) and count > 1:
            # In newc only the last name of a hard link group has the content.
            known = links.setdefault((major, minor, inode), node)
            if size:
                known.content = node.content
            node = known
        tree.add(plain, node)


def _node(mode: int, uid: int, gid: int, mtime: int, content: bytes, device: tuple[int, int]) -> Node:
    bits = stat.S_IMODE(mode)
    if stat.S_ISDIR(mode):
        return Directory(mode=bits, uid=uid, gid=gid, mtime=mtime)
    if stat.S_ISLNK(mode):
        return Symlink(mode=0o777, uid=uid, gid=gid, mtime=mtime, target=content)
    if stat.S_ISREG(mode):
        return File(mode=bits, uid=uid, gid=gid, mtime=mtime, content=BytesContent(content))
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return Device(
            mode=bits, uid=uid, gid=gid, mtime=mtime, block=stat.S_ISBLK(mode), major=device[0], minor=device[1]
        )
    if stat.S_ISFIFO(mode):
        return Fifo(mode=bits, uid=uid, gid=gid, mtime=mtime)
    raise VerificationError("an initramfs holds an entry of an unknown type", f"mode {mode:o}")


def _aligned(place: int) -> int:
    return place + -place % 4
