# SPDX-License-Identifier: MIT
"""Images as the real programs make and check them; a machine without mkfs.fat, mtools and e2fsprogs skips these."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from orchestrator.canonical import hash_file, sha256_digest
from orchestrator.errors import BuildError, ConfigError, TryAgainError
from orchestrator.image import bmap, gpt, record, storage, writer
from orchestrator.image.writer import ESP_SIZE, ImageRequest, layout, storage_tree, write_image
from orchestrator.run import Tools

EPOCH = 1_700_000_000
REVISION = "sha256:" + "ab" * 32
SEARCH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
needs_tools = pytest.mark.skipif(
    any(shutil.which(name, path=SEARCH) is None for name in ("mkfs.fat", "mcopy", "mke2fs", "debugfs", "e2fsck")),
    reason="dosfstools, mtools or e2fsprogs are not installed",
)


@pytest.fixture
def request_(tmp_path: Path) -> ImageRequest:
    folder = tmp_path / 'a folder, "quoted"'
    folder.mkdir()
    blobs: dict[str, Path] = {}
    for name, data in (("kernel", b"k" * 300_000), ("initramfs", os.urandom(9000)), ("manifest", b"{}")):
        blobs[sha256_digest(data)] = folder / name
        (folder / name).write_bytes(data)
    efi = folder / "boot.efi"
    efi.write_bytes(b"MZ" + bytes(100_000))
    links = {path.name: digest for digest, path in blobs.items()}
    return ImageRequest("demo", "qemu-amd64", REVISION, blobs, links, efi, 32 * storage.MIB, "BOOTX64.EFI")


def partition(image: Path, folder: Path) -> Path:
    """The storage partition as a file of its own."""
    out = folder / "storage.ext4"
    with image.open("rb") as stream, out.open("wb") as copy:
        stream.seek(gpt.ALIGNMENT + ESP_SIZE)
        copy.write(stream.read(32 * storage.MIB))
    return out


def debugfs(file: Path, command: str) -> str:
    argv = Tools().argv("debugfs", "-R", command, file)
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def inode(file: Path, path: str) -> str:
    return debugfs(file, f"stat {path}").split()[1]


@needs_tools
def test_an_image_holds_boot_loader_records_and_revision(request_: ImageRequest, tmp_path: Path) -> None:
    result = write_image(request_, tmp_path / "out.img", Tools(), EPOCH)
    assert result.size == (1 + 64 + 32 + 1) * storage.MIB == result.image.stat().st_size
    esp = f"{result.image}@@{gpt.ALIGNMENT}"
    for name, expected in (
        ("EFI/BOOT/BOOTX64.EFI", request_.efi.read_bytes()),
        ("pycontainer/record.0", record.encode(record.Record(1, "ab" * 32))),
        ("pycontainer/record.1", record.encode(record.Record(1, "ab" * 32))),
    ):
        argv = Tools().argv("mtype", "-i", esp, f"::/{name}")
        assert subprocess.run(argv, check=True, capture_output=True).stdout == expected
    ext4 = partition(result.image, tmp_path)
    subprocess.run(Tools().argv("e2fsck", "-fn", ext4), check=True, capture_output=True)
    for name, digest in request_.links.items():
        blob, path = f"blobs/sha256/{digest.removeprefix('sha256:')}", f"revisions/{'ab' * 32}/{name}"
        if name == "signature":
            assert debugfs(ext4, f"cat {path}") == f"../../{blob}"
        else:
            # The very blob: the boot loader, which does not replay the journal, need not look into the folder of blobs.
            assert inode(ext4, path) == inode(ext4, blob)
        out = tmp_path / "blob"
        debugfs(ext4, f"dump {blob} {out}")
        assert hash_file(out) == digest
    listing = debugfs(ext4, "ls -p /")
    assert "/040700/0/0/state/" in listing
    assert "/040755/0/0/volumes/" in listing
    features = next(line for line in debugfs(ext4, "stats -h").splitlines() if "features" in line)
    assert "verity" in features
    assert "metadata_csum_seed" not in features and "dir_index" not in features


@needs_tools
def test_equal_requests_give_equal_bytes_whatever_the_clock_and_the_host_say(
    request_: ImageRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write_image(request_, tmp_path / "a" / "out.img", Tools(), EPOCH)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".mtoolsrc").write_text("MTOOLS_LOWER_CASE=1\n")
    (home / "mke2fs.conf").write_text("[fs_types]\n ext4 = { features = has_journal }\n")
    for name, value in (("HOME", home), ("MTOOLSRC", home / ".mtoolsrc"), ("MKE2FS_CONFIG", home / "mke2fs.conf")):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    for path in request_.blobs.values():
        os.utime(path, (1, 1))
    shuffled = dataclasses.replace(request_, blobs=dict(reversed(request_.blobs.items())))
    second = write_image(shuffled, tmp_path / "b" / "out.img", Tools(), EPOCH)
    assert hash_file(first.image) == hash_file(second.image)
    assert first.block_map.read_bytes() == second.block_map.read_bytes()


@needs_tools
def test_the_block_map_names_all_that_a_used_disk_must_be_given(request_: ImageRequest, tmp_path: Path) -> None:
    """Copied by the map onto a disk full of old data, both file systems are clean and the journal is empty."""
    result = write_image(request_, tmp_path / "out.img", Tools(), EPOCH)
    disk = bytearray(b"\xa5" * result.size)
    image = result.image.read_bytes()
    block_map = bmap.decode(result.block_map.read_bytes())
    for each in block_map.ranges:
        end = each.offset() + each.length(result.size)
        disk[each.offset() : end] = image[each.offset() : end]
    assert result.used == block_map.mapped_bytes < result.size / 2
    copy = tmp_path / "disk.img"
    copy.write_bytes(disk)
    ext4 = partition(copy, tmp_path)
    subprocess.run(Tools().argv("e2fsck", "-fn", ext4), check=True, capture_output=True)
    journal = tmp_path / "journal"
    debugfs(ext4, f"dump <8> {journal}")
    assert not any(journal.read_bytes()[storage.BLOCK :])
    argv = Tools().argv("mtype", "-i", f"{copy}@@{gpt.ALIGNMENT}", "::/EFI/BOOT/BOOTX64.EFI")
    assert subprocess.run(argv, check=True, capture_output=True).stdout == request_.efi.read_bytes()
    esp = tmp_path / "esp"
    esp.write_bytes(disk[gpt.ALIGNMENT : gpt.ALIGNMENT + ESP_SIZE])
    subprocess.run(Tools().argv("fsck.fat", "-n", esp), check=True, capture_output=True)


@needs_tools
@pytest.mark.parametrize("size", [4 * storage.MIB, 20 * storage.MIB, 33 * storage.MIB])
def test_a_storage_that_is_too_small_is_an_error_that_names_the_size_needed(
    request_: ImageRequest, tmp_path: Path, size: int
) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(30 * storage.MIB))
    blobs = {**request_.blobs, hash_file(large): large}
    out = tmp_path / "out.img"
    out.write_bytes(b"before")
    with pytest.raises(ConfigError, match="too small") as caught:
        write_image(dataclasses.replace(request_, blobs=blobs, storage_size=size), out, Tools(), EPOCH)
    assert f"gives {size // storage.MIB} MiB" in caught.value.why
    assert out.read_bytes() == b"before"
    needed = int(caught.value.why.split("at least ")[1].split(" ")[0])
    write_image(dataclasses.replace(request_, blobs=blobs, storage_size=needed * storage.MIB), out, Tools(), EPOCH)


def test_a_full_disk_is_said_before_anything_is_written(
    request_: ImageRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs(tmp_path)
    full = os.statvfs_result((real.f_bsize, real.f_frsize, real.f_blocks, 0, 0, *tuple(real)[5:]))
    monkeypatch.setattr(os, "statvfs", lambda _path: full)
    with pytest.raises(TryAgainError, match="disk is full"):
        write_image(request_, tmp_path / "out" / "x.img", Tools(), EPOCH)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    "problem", [OSError(28, "No space left on device"), BuildError("mcopy failed", "x / Disk full")]
)
def test_a_disk_that_fills_up_on_the_way_leaves_nothing_behind(
    request_: ImageRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise problem

    monkeypatch.setattr(writer.esp, "make_esp", fail)
    with pytest.raises(TryAgainError, match="disk is full"):
        write_image(request_, tmp_path / "out" / "x.img", Tools(), EPOCH)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_that_is_full_only_for_the_block_map_leaves_the_image_as_it_was(
    request_: ImageRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    out = tmp_path / "out" / "x.img"
    out.parent.mkdir()
    out.write_bytes(b"before")
    bmap.path_for(out).write_bytes(b"its map")
    monkeypatch.setattr(writer, "_write", lambda image_request, image, *_rest: bmap.BlockMap(0, ()))
    monkeypatch.setattr(writer, "write_atomically", fail)
    with pytest.raises(TryAgainError, match="disk is full"):
        write_image(request_, out, Tools(), EPOCH)
    assert (out.read_bytes(), bmap.path_for(out).read_bytes()) == (b"before", b"its map")
    assert len(list(out.parent.iterdir())) == 2


def test_what_a_killed_writer_left_is_removed_and_what_a_living_one_makes_stays(
    request_: ImageRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    for name in (f".x.img.{dead.pid}.tmp", f".x.img.{dead.pid}.tmp.bmap", f".x.img.{os.getppid()}.tmp", ".x.img.tmp"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.setattr(writer, "_write", lambda *_arguments: (_ for _ in ()).throw(BuildError("no")))
    with pytest.raises(BuildError):
        write_image(request_, tmp_path / "x.img", Tools(), EPOCH)
    left = sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("."))
    assert left == sorted([f".x.img.{os.getppid()}.tmp", ".x.img.tmp"])


def test_a_revision_with_a_missing_blob_is_refused(request_: ImageRequest) -> None:
    with pytest.raises(BuildError, match="does not have"):
        storage_tree(dataclasses.replace(request_, links={"kernel": "sha256:" + "0" * 64}))


def test_partitions_start_at_whole_mebibytes_whatever_the_size_asked_for() -> None:
    size, partitions = layout("demo", "qemu-amd64", 100 * storage.MIB + 1)
    assert size % storage.MIB == 0
    assert all(each.start % storage.MIB == 0 and each.size % storage.MIB == 0 for each in partitions)
    assert partitions[1].size == 101 * storage.MIB


@needs_tools
def test_used_blocks_are_those_that_the_file_system_says(request_: ImageRequest, tmp_path: Path) -> None:
    """Our reading of ext4's bitmaps against the program that keeps them, in a file system of several groups."""
    size = 600 * storage.MIB
    result = write_image(dataclasses.replace(request_, storage_size=size), tmp_path / "out.img", Tools(), EPOCH)
    start = gpt.ALIGNMENT + ESP_SIZE
    used = storage.used_blocks(result.image, start)
    superblock = storage.Superblock.read(result.image, start)
    assert superblock.groups == 5
    assert sum(used) == superblock.blocks - superblock.free_blocks
    script = tmp_path / "script"
    samples = [
        *range(1, len(used), 997),
        *(number for number in range(1, len(used)) if used[number] != used[number - 1]),
    ]
    script.write_text("".join(f"testb {number}\n" for number in samples))
    argv = Tools().argv("debugfs", "-f", script, f"{result.image}?offset={start}")
    answers = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    marked = [line for line in answers.splitlines() if line.startswith("Block ")]
    assert [("marked in use" in line) for line in marked] == [bool(used[number]) for number in samples]


def test_a_folder_is_not_written_over(request_: ImageRequest, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder") as caught:
        write_image(request_, tmp_path, Tools(), EPOCH)
    assert str(tmp_path / "product.img") in caught.value.hint


@needs_tools
def test_an_image_needs_no_room_elsewhere(
    request_: ImageRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    out = tmp_path / "out" / "x.img"
    write_image(request_, out, Tools(), EPOCH)
    assert sorted(path.name for path in out.parent.iterdir()) == ["x.img", "x.img.bmap"]
