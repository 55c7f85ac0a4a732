# SPDX-License-Identifier: MIT
"""Reading an initramfs: segments, compression, hard links, and what is damaged."""

import gzip
import lzma
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import PyContainerError, VerificationError
from orchestrator.layers.cpioread import read_initramfs
from orchestrator.layers.nodes import Device, Directory, File, Symlink
from orchestrator.layers.tree import Tree
from orchestrator.revision.facts import newc


def member(
    name: str, mode: int, data: bytes = b"", inode: int = 1, links: int = 1, device: tuple[int, int] = (0, 0)
) -> bytes:
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, links, 7, len(data), 0, 0, *device, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % each for each in fields) + encoded
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


TRAILER = member("TRAILER!!!", 0)
PLAIN = (
    member("bin", 0o120777, b"usr/bin")
    + member("usr/bin", 0o040755)
    + member("usr/bin/a", 0o100755, b"", inode=5, links=2)
    + member("usr/bin/b", 0o100755, b"code", inode=5, links=2)
    + member("dev/console", 0o020600, device=(5, 1))
    + TRAILER
)


def read(path: Path, data: bytes) -> Tree:
    path.write_bytes(data)
    tree = Tree()
    read_initramfs(path, tree)
    return tree


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, zstandard.ZstdCompressor().compress])
def test_segments_are_read_one_behind_the_other_however_they_are_packed(tmp_path: Path, pack):
    packed = pack(PLAIN)
    tree = read(tmp_path / "initramfs", packed + bytes(-len(packed) % 4) + newc({"etc/product.json": b"{}"}))
    assert isinstance(tree.get(b"bin", follow=False), Symlink)
    assert isinstance(tree.get(b"usr/bin"), Directory)
    first, second = tree.get(b"bin/a"), tree.get(b"usr/bin/b")
    assert isinstance(first, File)
    assert first is second
    assert b"".join(first.content.chunks()) == b"code"
    console = tree.get(b"dev/console")
    assert isinstance(console, Device)
    assert (console.major, console.minor) == (5, 1)
    assert isinstance(tree.get(b"etc/product.json"), File)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN[:-8],
        b"no archive at all",
        zstandard.ZstdCompressor().compress(PLAIN)[:-3],
        gzip.compress(PLAIN)[:-9],
        member("x", 0o140000) + TRAILER,
        PLAIN.replace(b"070701", b"070707"),
        member("../../x", 0o100644) [:60],
    ],
)  # fmt: skip
def test_a_damaged_one_is_refused(tmp_path: Path, data: bytes):
    with pytest.raises(VerificationError):
        read(tmp_path / "initramfs", data)


@given(place=st.integers(0, len(PLAIN) - 1), noise=st.binary(min_size=1, max_size=8))
def test_damage_anywhere_is_an_error_of_ours_or_none(tmp_path_factory, place: int, noise: bytes):
    data = bytearray(PLAIN)
    data[place : place + len(noise)] = noise
    try:
        read(tmp_path_factory.mktemp("cpio") / "initramfs", bytes(data))
    except PyContainerError:
        return
