# SPDX-License-Identifier: MIT
"""Our readers of ext4 and of its journal against e2fsprogs: what debugfs wrote, and what e2fsck recovers."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest

from tests.powercut import jbd2
from tests.powercut.disk import BLOCK, Blocks
from tests.powercut.ext4 import Ext4, Inode
from tests.powercut.fsck import check_storage, reseal
from tests.powercut.partitions import Span, Unreadable

MIB = 2**20
SIZE = 64 * MIB
PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
FEATURES = (
    "has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize,verity,"
    "^orphan_file,^metadata_csum_seed"
)

pytestmark = pytest.mark.skipif(shutil.which("debugfs", path=PATH) is None, reason="needs e2fsprogs")


def tool(program: str, *arguments: str | Path, ok: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        [program, *map(str, arguments)], env=os.environ | {"PATH": PATH}, capture_output=True, text=True, check=False
    )
    assert done.returncode in ok, (program, arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file system as that of storage."""
    path = tmp_path / "storage.img"
    with path.open("wb") as stream:
        stream.truncate(SIZE)
    # metadata_csum_seed and orphan_file are not known to every mke2fs; what it does not know it does not make.
    known = FEATURES
    for feature in ("orphan_file", "metadata_csum_seed"):
        if "Invalid filesystem option" in tool("mke2fs", "-n", "-q", "-O", f"^{feature}", path, ok=(0, 1)):
            known = known.replace(f",^{feature}", "")
    tool("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-O", known, path)
    return path


def view(image: Path, *, strict: bool = True) -> Ext4:
    return Ext4(Blocks().load(image), Span(0, SIZE), strict=strict)


def inode_at(fs: Ext4, path: str) -> Inode:
    found = fs.find(path)
    assert found is not None, path
    return found


def debug(image: Path, *commands: str) -> str:
    script = image.with_suffix(".commands")
    script.write_text("".join(f"{command}\n" for command in commands))
    return tool("debugfs", "-w", "-f", script, image)


@pytest.mark.parametrize("strict", [True, False])
def test_files_folders_and_links_are_read_as_debugfs_wrote_them(image: Path, tmp_path: Path, strict: bool) -> None:
    chance = Random(7)
    sizes = {"empty": 0, "small": 17, "block": BLOCK, "large": 3 * MIB + 5}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(chance.randbytes(size))
    many = [f"a-rather-long-name-of-a-file-{number:04d}" for number in range(150)]
    target = "../" + "far/" * 20 + "away"
    debug(
        image,
        "mkdir folder",
        "mkdir folder/inner",
        *(f"write {tmp_path / name} {name}" for name in sizes),
        *(f"write {tmp_path / 'small'} {name}" for name in many),
        "symlink folder/short large",
        f"symlink folder/long {target}",
    )
    fs = view(image, strict=strict)
    for name, size in sizes.items():
        inode = inode_at(fs, name)
        assert inode.is_file and inode.size == size
        assert fs.read(inode) == (tmp_path / name).read_bytes()
    assert set(many) <= set(fs.entries(fs.inode(2)))
    assert fs.find("folder/none") is None
    assert set(fs.entries(inode_at(fs, "folder"))) == {".", "..", "inner", "short", "long"}
    assert fs.link_target(inode_at(fs, "folder/short")) == "large"
    assert fs.link_target(inode_at(fs, "folder/long")) == target


def test_a_file_in_many_pieces_has_extent_blocks(image: Path, tmp_path: Path) -> None:
    data = b"".join(bytes([number % 251]) * BLOCK + bytes(BLOCK) for number in range(400))
    source = tmp_path / "holes"
    with source.open("wb") as stream:
        for number in range(400):
            stream.seek(number * 2 * BLOCK)
            stream.write(data[number * 2 * BLOCK : (number * 2 + 1) * BLOCK])
        stream.truncate(len(data))
    debug(image, f"write {source} holes")
    fs = view(image)
    inode = inode_at(fs, "holes")
    assert len(fs.extents(inode)) > 4
    assert fs.read(inode) == data


@pytest.mark.parametrize("what", ["inode", "folder", "superblock"])
def test_a_wrong_checksum_is_seen_by_the_kernel_and_not_by_the_boot_loader(
    image: Path, tmp_path: Path, what: str
) -> None:
    (tmp_path / "file").write_bytes(b"x" * BLOCK)
    debug(image, f"write {tmp_path / 'file'} file")
    fs = view(image)
    root = fs.extents(fs.inode(2))[0][2]
    places = {"superblock": 1024 + 0x34, "folder": root * BLOCK + BLOCK - 20}
    where = debug(image, "imap file")
    if what == "inode":
        # "located at block N, offset 0xN": the access time, which nobody needs to read a file.
        block, offset = where.rsplit("located at block ", 1)[1].split(", offset ")
        places["inode"] = int(block) * BLOCK + int(offset.split()[0], 16) + 0x8
    with image.open("r+b") as stream:
        stream.seek(places[what])
        byte = stream.read(1)[0]
        stream.seek(places[what])
        stream.write(bytes([byte ^ 1]))
    careless = view(image, strict=False)
    assert careless.read(inode_at(careless, "file")) == b"x" * BLOCK
    with pytest.raises(Unreadable, match="checksum"):
        inode_at(view(image), "file")


def journal(image: Path, tmp_path: Path, writes: dict[int, bytes], revoked: tuple[int, ...] = ()) -> None:
    """Put one transaction in the journal that nobody has written back."""
    source = tmp_path / "transaction"
    source.write_bytes(b"".join(writes.values()))
    revoke = f" -r {','.join(map(str, revoked))}" if revoked else ""
    debug(image, "jo -c", f"jw -b {','.join(map(str, writes))}{revoke} {source}", "jc")


def blocks_with(text: bytes, numbers: range) -> dict[int, bytes]:
    return {number: (text + b" %d " % number).ljust(BLOCK, b"~") for number in numbers}


def recovered_by_e2fsck(image: Path) -> list[bytes]:
    other = image.with_suffix(".recovered")
    shutil.copyfile(image, other)
    tool("e2fsck", "-y", "-E", "journal_only", other, ok=(0, 1))
    return Blocks().load(other)


@pytest.mark.parametrize("count", [1, 300])
def test_recovery_writes_what_e2fsck_writes(image: Path, tmp_path: Path, count: int) -> None:
    first = 9000
    journal(image, tmp_path, blocks_with(b"new", range(first, first + count)))
    replay = jbd2.recover(view(image))
    assert (replay.transactions, replay.doubt) == (1, "")
    real = recovered_by_e2fsck(image)
    assert set(replay.blocks) == set(range(first, first + count))
    assert all(real[number] == data for number, data in replay.blocks.items())


def test_a_block_that_looks_like_the_journals_own_is_restored(image: Path, tmp_path: Path) -> None:
    magic = bytes.fromhex("c03b3998") + b"and more".ljust(BLOCK - 4, b"!")
    journal(image, tmp_path, {9000: magic})
    replay = jbd2.recover(view(image))
    assert replay.blocks == {9000: magic}
    assert recovered_by_e2fsck(image)[9000] == magic


def test_what_was_revoked_later_is_not_written(image: Path, tmp_path: Path) -> None:
    journal(image, tmp_path, blocks_with(b"old", range(9000, 9002)))
    journal(image, tmp_path, blocks_with(b"new", range(9002, 9003)), revoked=(9001,))
    replay = jbd2.recover(view(image))
    real = recovered_by_e2fsck(image)
    assert 9001 not in replay.blocks
    assert {number for number in range(9000, 9003) if real[number][:3] in (b"old", b"new")} == set(replay.blocks)


def test_a_damaged_journal_is_no_silent_loss(image: Path, tmp_path: Path) -> None:
    journal(image, tmp_path, blocks_with(b"new", range(9000, 9003)))
    blocks = Blocks().load(image)
    (place,) = [number for number, block in enumerate(blocks) if block.startswith(b"new 9001")]
    with image.open("r+b") as stream:
        stream.seek(place * BLOCK + 100)
        stream.write(b"damage")
    with pytest.raises(Unreadable, match="block 9001"):
        jbd2.recover(view(image))


def test_a_commit_block_with_a_wrong_checksum_ends_recovery_with_a_doubt(image: Path, tmp_path: Path) -> None:
    journal(image, tmp_path, blocks_with(b"new", range(9000, 9001)))
    commit = bytes.fromhex("c03b399800000002")
    blocks = Blocks().load(image)
    (place,) = [number for number, block in enumerate(blocks) if block.startswith(commit)]
    with image.open("r+b") as stream:
        stream.seek(place * BLOCK + 200)
        stream.write(b"damage")
    replay = jbd2.recover(view(image))
    assert replay.blocks == {} and "commit block" in replay.doubt


def test_a_torn_superblock_is_opened_again(image: Path) -> None:
    """As the device does at its start: its sectors are of two moments, and its checksum of neither."""
    whole = image.read_bytes()[1024:2048]
    with image.open("r+b") as stream:
        stream.seek(1024 + 0x2C)
        stream.write(b"\1\0\0\0")  # when it was mounted
    assert not view(image, strict=False).superblock_is_sound
    assert "checksum" in tool("e2fsck", "-p", image, ok=(8,))
    assert reseal(image) and not reseal(image)
    assert view(image).superblock_is_sound
    assert image.read_bytes()[1024:2048] != whole
    assert check_storage(image) == ""
    assert image.read_bytes()[1024 + 0x2C : 1024 + 0x30] == b"\1\0\0\0", "the backup came back in its place"
