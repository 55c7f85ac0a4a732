# SPDX-License-Identifier: MIT
"""Our reader of SquashFS beside unsquashfs, on what mksquashfs makes; and on images that are damaged."""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import PyContainerError, VerificationError
from orchestrator.layers.squashread import SquashImage

pytestmark = pytest.mark.skipif(shutil.which("mksquashfs") is None, reason="squashfs-tools are not installed")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree") / "root"
    root.mkdir()
    source = random.Random(7)
    (root / "empty").write_bytes(b"")
    (root / "small").write_bytes(b"a few bytes")
    (root / "blocks").write_bytes(source.randbytes(300_000))
    (root / "exact").write_bytes(b"z" * 131072 * 2)
    (root / "text").write_bytes(b"the same line\n" * 40_000)
    with (root / "hole").open("wb") as stream:
        stream.seek(1_000_000)
        stream.write(b"end")
    (root / "link").symlink_to("small")
    (root / "hard").hardlink_to(root / "small")
    os.mkfifo(root / "fifo")
    for number in range(700):
        (root / f"many-{number}").write_bytes(b"%d" % number)
    deep = root
    for number in range(30):
        deep = deep / f"d{number}"
        deep.mkdir()
    (deep / "leaf \u00e4\n").write_bytes(b"deep")
    (root / "small").chmod(0o4755)
    for number in range(300):
        (root / "dir" / f"sub{number}").mkdir(parents=True)
    try:
        os.setxattr(root / "text", "user.note", b"value")
        os.setxattr(root / "small", "user.note", b"value")
    except OSError:
        pass
    return root


def packed(tree: Path, place: Path, *options: str) -> Path:
    subprocess.run(["mksquashfs", tree, place, "-quiet", "-no-progress", *options], check=True, capture_output=True)
    return place


@pytest.mark.parametrize(
    "options",
    [("-comp", "zstd"), ("-comp", "gzip"), ("-comp", "xz"), ("-comp", "zstd", "-b", "4096"),
     ("-comp", "zstd", "-noI", "-noD", "-noF", "-noX"), ("-comp", "zstd", "-no-fragments"),
     ("-comp", "zstd", "-b", "1M", "-no-xattrs")],
    ids=" ".join,
)  # fmt: skip
def test_everything_is_read_as_it_was(tree: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    image = packed(tree, tmp_path / "image", *options)
    with image.open("rb") as stream:
        opened = SquashImage(stream)
        found = opened.tree()
        expected = {os.fsencode(path.relative_to(tree)): path for path in tree.rglob("*")}
        assert found.keys() == {b"", *expected.keys()}
        for name, path in expected.items():
            node, state = found[name], path.lstat()
            assert (node.mode, node.uid, node.gid) == (state.st_mode, state.st_uid, state.st_gid), name
            if stat.S_ISREG(state.st_mode):
                assert node.size == state.st_size
                content = hashlib.sha256(b"".join(opened.pieces(node))).digest()
                assert content == hashlib.sha256(path.read_bytes()).digest(), name
            elif stat.S_ISLNK(state.st_mode):
                assert node.target == os.fsencode(path.readlink())
            if "-no-xattrs" not in options:
                names = [each for each in os.listxattr(path, follow_symlinks=False) if each.startswith("user.")]
                wanted = tuple((each.encode(), os.getxattr(path, each)) for each in names)
                assert tuple(each for each in node.xattrs if each[0].startswith(b"user.")) == wanted


def read_all(data: bytes) -> int:
    """Read all of an image; returns the bytes of its files."""
    opened = SquashImage(io.BytesIO(data))
    total = 0
    for node in opened.tree().values():
        if stat.S_ISREG(node.mode):
            for piece in opened.pieces(node):
                total += len(piece)
                assert len(piece) <= 1 << 20
                if total > 64 << 20:
                    return total
    return total


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("small")
    (folder / "root" / "a").mkdir(parents=True)
    (folder / "root" / "a" / "file").write_bytes(b"content " * 1000)
    (folder / "root" / "b").symlink_to("a/file")
    return packed(folder / "root", folder / "image", "-comp", "zstd", "-noI").read_bytes()


def test_any_flipped_byte_gives_an_error_of_ours_or_other_content(small: bytes) -> None:
    random_ = random.Random(11)
    reached = 0
    for position in [*range(96), *(random_.randrange(96, len(small)) for _ in range(700))]:
        damaged = bytearray(small)
        damaged[position] ^= 1 << random_.randrange(8)
        try:
            read_all(bytes(damaged))
        except PyContainerError:
            reached += 1
    assert reached > 50


@pytest.mark.parametrize("length", [0, 3, 95, 96, 200])
def test_an_image_that_is_cut_short(small: bytes, length: int) -> None:
    with pytest.raises(VerificationError):
        read_all(small[:length])


def test_what_is_no_image() -> None:
    with pytest.raises(VerificationError):
        read_all(b"hsqs" + b"\0" * 200)
    with pytest.raises(VerificationError):
        read_all(b"\xff" * 4096)
