# SPDX-License-Identifier: MIT
"""The image writer: from the blobs of a revision to a sparse, flashable disk image with its block map.

Needs neither root nor loop devices nor a staging copy: every program writes straight into its part of the image.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.canonical import hex_of, remove_leftovers, sync_folder, write_atomically
from orchestrator.errors import BuildError, ConfigError, TryAgainError
from orchestrator.image import bmap, esp, gpt, record, storage
from orchestrator.image.board import Board
from orchestrator.run import Tools

ESP_SIZE = 64 * storage.MIB
_SIGNATURE = "signature"


@dataclass(frozen=True)
class ImageRequest:
    """What goes into an image.

    `revision` is the revision id (`sha256:<hex>`); `blobs` maps every digest of it to a file; `links` maps the names
    in the revision's folder (signature, kernel, initramfs, boot-env, dtb) to digests; `efi` is the boot loader,
    `efi_name` its name under EFI/BOOT; `storage_size` is the storage partition's size in bytes; `board` is what the
    machine needs before that, if it has no firmware of its own.
    """

    product: str
    machine: str
    revision: str
    blobs: Mapping[str, Path]
    links: Mapping[str, str]
    efi: Path
    storage_size: int
    efi_name: str
    board: Board = field(default_factory=Board)


@dataclass(frozen=True)
class ImageResult:
    """A written image: `size` in bytes as a disk sees it, `used` what flashing writes of it."""

    image: Path
    block_map: Path
    size: int
    used: int


def write_image(
    request: ImageRequest, out: Path, tools: Tools, source_date_epoch: int, log: Path | None = None
) -> ImageResult:
    """Write the image to `out` and its block map beside it; equal requests give equal bytes.

    Raises ConfigError when the storage size is too small, TryAgainError when the build machine's disk is full,
    BuildError when a program fails; then `out` is as it was before.
    """
    out = out.absolute()
    if out.is_dir():
        raise ConfigError(f"{out} is a folder", "an image is one file", f"name the file: {out / 'product.img'}")
    out.parent.mkdir(parents=True, exist_ok=True)
    _check_room(request, out.parent)
    remove_leftovers(out.parent, re.escape(f".{out.name}.") + r"(\d+)(?:\.\w+)?\.tmp(?:\.bmap)?")
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)  # in a container a killed process often had our number
    try:
        # Beside the image and not in TMPDIR: one place has to have room, and an error names it.
        with (
            _full_disk_is_named(out.parent),
            tempfile.TemporaryDirectory(prefix=f".{out.name}.{os.getpid()}.", suffix=".tmp", dir=out.parent) as scratch,
        ):
            block_map = _write(request, temporary, tools, Path(scratch), source_date_epoch, log)
            write_atomically(bmap.path_for(temporary), bmap.encode(block_map))
            bmap.path_for(out).unlink(
                missing_ok=True
            )  # a map beside another image than its own would be worse than none
            temporary.replace(out)
            bmap.path_for(temporary).replace(bmap.path_for(out))
            sync_folder(out.parent)
    finally:
        temporary.unlink(missing_ok=True)
        bmap.path_for(temporary).unlink(missing_ok=True)
    return ImageResult(out, bmap.path_for(out), block_map.image_size, block_map.mapped_bytes)


def layout(
    product: str, machine: str, storage_size: int, board: Board | None = None
) -> tuple[int, list[gpt.Partition]]:
    """Return an image's size and partitions for a storage partition of at least `storage_size` bytes.

    The first two are ours, whatever the board has before them: GRUB and the device know them by their numbers.
    """
    board = board or Board()
    storage_size = -(-storage_size // gpt.ALIGNMENT) * gpt.ALIGNMENT
    start = board.end + ESP_SIZE
    partitions = [
        gpt.Partition("pycontainer-esp", gpt.ESP_TYPE, gpt.stable_uuid(product, machine, "esp"), board.end, ESP_SIZE),
        gpt.Partition(
            "pycontainer-storage", gpt.LINUX_TYPE, gpt.stable_uuid(product, machine, "storage"), start, storage_size
        ),
        *board.partitions(product, machine),
    ]
    return start + storage_size + gpt.ALIGNMENT, partitions


def storage_tree(request: ImageRequest) -> storage.Tree:
    """Return what the storage partition holds for this request.

    Raises BuildError when a link names a digest that is not among the blobs.
    """
    missing = sorted(digest for digest in request.links.values() if digest not in request.blobs)
    if missing:
        raise BuildError("the revision names blobs that the store does not have", ", ".join(missing))
    folder = f"revisions/{hex_of(request.revision)}"
    target = {name: f"blobs/sha256/{hex_of(digest)}" for name, digest in request.links.items()}
    return storage.Tree(
        folders={
            "blobs": 0o755,
            "blobs/sha256": 0o755,
            "revisions": 0o755,
            "installing": 0o755,
            "removing": 0o755,
            folder: 0o755,
            "volumes": 0o755,
            "logs": 0o755,
            "state": 0o700,
        },
        files={f"blobs/sha256/{hex_of(digest)}": path for digest, path in request.blobs.items()},
        # What the boot loader reads are other names of the blobs themselves: it does not replay the journal, and the
        # folder of blobs, where names come and go, may be torn. The signature's text tells the device which blob it is.
        links={f"{folder}/{name}": f"../../{path}" for name, path in target.items() if name == _SIGNATURE},
        names={f"{folder}/{name}": path for name, path in target.items() if name != _SIGNATURE},
    )


def _write(
    request: ImageRequest, image: Path, tools: Tools, scratch: Path, source_date_epoch: int, log: Path | None
) -> bmap.BlockMap:
    size, partitions = layout(request.product, request.machine, request.storage_size, request.board)
    esp_partition, storage_partition = partitions[:2]
    first = record.encode(record.Record(1, hex_of(request.revision)))
    fs_uuid = gpt.stable_uuid(request.product, request.machine, "storage file system")
    descriptor = os.open(image, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        os.ftruncate(descriptor, size)
        gpt.write(
            descriptor,
            gpt.stable_uuid(request.product, request.machine, "disk"),
            size,
            partitions,
        )
        for area in request.board.areas:
            if os.pwrite(descriptor, area.data, area.offset) != len(area.data):
                raise OSError(f"short write of {area.name}")
        esp.make_esp(
            image,
            start=esp_partition.start,
            size=esp_partition.size,
            volume_id=gpt.stable_uuid(request.product, request.machine, "esp volume").fields[0],
            files={
                f"EFI/BOOT/{request.efi_name}": request.efi,
                "pycontainer/record.0": first,
                "pycontainer/record.1": first,
                **request.board.files,
            },
            tools=tools,
            scratch=scratch,
            source_date_epoch=source_date_epoch,
            log=log,
        )
        storage.make_storage(
            image,
            storage_tree(request),
            start=storage_partition.start,
            size=storage_partition.size,
            fs_uuid=fs_uuid,
            tools=tools,
            scratch=scratch,
            source_date_epoch=source_date_epoch,
            log=log,
        )
        with ThreadPoolExecutor(max_workers=1) as pool:
            synced = pool.submit(os.fsync, descriptor)
            block_map = bmap.map_image(descriptor, size, _spans(image, size, partitions, request.board))
            synced.result()
    finally:
        os.close(descriptor)
    return block_map


def _spans(image: Path, size: int, partitions: list[gpt.Partition], board: Board) -> Iterator[tuple[int, int]]:
    """Yield `used_spans` with the board's areas, in the order of the disk."""
    spans = used_spans(image, size, partitions[0], partitions[1])
    areas = [(a.offset // bmap.BLOCK, (a.offset + max(len(a.data), 1) - 1) // bmap.BLOCK) for a in board.areas]
    yield from (*areas, *spans)


def used_spans(
    image: Path, size: int, esp_partition: gpt.Partition, storage_partition: gpt.Partition
) -> Iterator[tuple[int, int]]:
    """Yield the (first, last) block spans of the image that matter: both tables, the FAT's beginning, ext4's blocks."""
    table_bytes = 34 * gpt.SECTOR
    yield 0, table_bytes // bmap.BLOCK
    yield (size - table_bytes) // bmap.BLOCK, (size - 1) // bmap.BLOCK
    esp_start = esp_partition.start // bmap.BLOCK
    esp_used = esp.used_bytes(image, start=esp_partition.start, size=esp_partition.size)
    yield esp_start, esp_start + (esp_used - 1) // bmap.BLOCK
    used = storage.used_blocks(image, storage_partition.start)
    origin = storage_partition.start // bmap.BLOCK
    begin = used.find(1)
    while begin >= 0:
        end = used.find(0, begin)
        end = len(used) if end < 0 else end
        yield origin + begin, origin + end - 1
        begin = used.find(1, end)


def _check_room(request: ImageRequest, folder: Path) -> None:
    # A block is left for each file's end, and the first mebibyte for FAT's own tables.
    files = [request.efi.stat().st_size, *map(len, request.board.files.values())]
    if (needed := sum(files) + len(files) * bmap.BLOCK) > ESP_SIZE - storage.MIB:
        raise BuildError(
            "the boot loader and the board's firmware do not fit on the EFI system partition",
            f"they need {needed // storage.MIB + 1} MiB, it has {ESP_SIZE // storage.MIB}",
            "leave files out of 'firmware' in the machine's data file",
        )
    need = sum(path.stat().st_size for path in request.blobs.values()) + 32 * storage.MIB
    free = os.statvfs(folder)
    available = free.f_bavail * free.f_frsize
    if available < need:
        raise _disk_full(folder, f"the image needs {need // storage.MIB} MiB, {available // storage.MIB} MiB are free")


@contextmanager
def _full_disk_is_named(folder: Path) -> Iterator[None]:
    """Turn "no space left", from the kernel or in a program's words, into the one error that says so."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _disk_full(folder, problem.strerror or str(problem)) from problem
    except BuildError as problem:
        if not any(word in problem.why for word in ("No space left", "Disk quota", "ENOSPC", "isk full")):
            raise
        raise _disk_full(folder, problem.why) from problem


def _disk_full(folder: Path, why: str) -> TryAgainError:
    return TryAgainError(f"the disk is full: {folder}", why, "free some space and run the same command again")
