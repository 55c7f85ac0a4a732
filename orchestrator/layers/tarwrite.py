# SPDX-License-Identifier: MIT
"""Write a tree as a tar stream: sorted by path, numeric owners only, the same tree the same bytes.

The stream is made for mksquashfs -tar, whose reader sets the rules: user and group names stay empty (it would look them
up on this host), times go into the header (it wants a fraction in a PAX time), long link targets are GNU ones (version
4.5 takes leading dots and slashes off a PAX linkpath), holes are written out as zeros (its sparse reader handles only
extents of whole blocks; blocks of zeros become holes again in the image).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.errors import BuildError
from orchestrator.layers.nodes import Device, Directory, Fifo, File, Node, Symlink
from orchestrator.layers.tarheader import BLOCK, padded
from orchestrator.layers.tree import Tree, show


def write_tar(tree: Tree, write: Callable[[bytes], Any]) -> None:
    """Hand all of `tree` but its root to `write`, piece by piece, in memory of about one chunk.

    Raises BuildError when content cannot be read or is not as long as it was.
    """
    names: dict[int, bytes] = {}
    for path, node in tree.walk():
        if id(node) in names:
            write(_header(path, node, b"1", link=names[id(node)]))
            continue
        if not isinstance(node, Directory):
            names[id(node)] = path
        if isinstance(node, File):
            write(_header(path, node, b"0", size=node.content.size))
            done = 0
            for chunk in node.content.chunks():
                done += len(chunk)
                write(chunk)
            if done != node.content.size:
                raise BuildError(f"{show(path)} changed while it was read", "", "leave inputs alone during a build")
            write(bytes(padded(done) - done))
        elif isinstance(node, Symlink):
            write(_header(path, node, b"2", link=node.target))
        elif isinstance(node, Directory):
            write(_header(path, node, b"5"))
        elif isinstance(node, Device):
            write(_header(path, node, b"4" if node.block else b"3", device=(node.major, node.minor)))
        elif isinstance(node, Fifo):
            write(_header(path, node, b"6"))
    write(bytes(2 * BLOCK))


def _number(value: int, width: int) -> bytes:
    text = b"%0*o" % (width - 1, value)
    if len(text) < width:
        return text + b"\0"
    return b"\x80" + value.to_bytes(width - 1, "big")


def _record(key: bytes, value: bytes) -> bytes:
    body = b" " + key + b"=" + value + b"\n"
    length = len(body)
    while length != (total := len(body) + len(str(length))):  # the length counts its own digits
        length = total
    return str(length).encode() + body


def _header(
    path: bytes, node: Node, kind: bytes, *, size: int = 0, link: bytes = b"", device: tuple[int, int] = (0, 0)
) -> bytes:
    records = b""
    if len(path) > 100:
        records += _record(b"path", path)
    if kind != b"1":  # a further name of an entry brings no attributes
        for name in sorted(node.xattrs):
            records += _record(b"SCHILY.xattr." + name, node.xattrs[name])
    block = _block(path[:100], node, kind, size, link[:100], device)
    if len(link) > 100:
        long = link + b"\0"
        front = _block(b"././@LongLink", node, b"K", len(long), b"", (0, 0))
        block = front + long.ljust(padded(len(long)), b"\0") + block
    if not records:
        return block
    extra = _block(b"pax", node, b"x", len(records), b"", (0, 0))
    return extra + records + bytes(padded(len(records)) - len(records)) + block


def _block(name: bytes, node: Node, kind: bytes, size: int, link: bytes, device: tuple[int, int]) -> bytes:
    front = b"".join(
        (
            name.ljust(100, b"\0"),
            _number(node.mode, 8),
            _number(node.uid, 8),
            _number(node.gid, 8),
            _number(size, 12),
            _number(node.mtime, 12),
        )
    )
    back = b"".join(
        (
            kind,
            link.ljust(100, b"\0"),
            b"ustar\x0000",
            bytes(64),
            _number(device[0], 8),
            _number(device[1], 8),
            bytes(167),
        )
    )
    checksum = sum(front) + sum(back) + 8 * 32
    return front + b"%06o\0 " % checksum + back
