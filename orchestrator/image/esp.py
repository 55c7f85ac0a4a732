# SPDX-License-Identifier: MIT
"""The EFI system partition: FAT32 made by mkfs.fat and filled by mtools, in place in the image, without root.

FAT32 because the UEFI Specification 2.10 section 13.3.1 asks for it on system partitions; every firmware reads it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import BuildError
from orchestrator.image.gpt import SECTOR
from orchestrator.run import Tools, run

LABEL = "PYC-ESP"
_EPOCH_1980 = 315532800
"""FAT knows no earlier time."""


def make_esp(
    image: Path,
    *,
    start: int,
    size: int,
    volume_id: int,
    files: Mapping[str, Path | bytes],
    tools: Tools,
    scratch: Path,
    source_date_epoch: int,
    log: Path | None = None,
) -> None:
    """Make the FAT file system at byte `start` of `image` and copy `files` (path on the ESP -> content) into it.

    `scratch` is an empty folder for passing files. Nothing of the host enters: mtools reads its settings and the time
    from here. Raises BuildError when a program fails or a file does not fit.
    """
    epoch = max(source_date_epoch, _EPOCH_1980)
    clean = {"HOME": str(scratch), "MTOOLSRC": os.devnull, "MTOOLS_SKIP_CHECK": "1", "MTOOLS_NO_VFAT": "0"}

    def tool(program: str, *arguments: str | Path) -> None:
        run(tools.argv(program, *arguments), env=clean, source_date_epoch=epoch, log=log)

    tool("mkfs.fat", "--invariant", "-F", "32", "-s", "1", "-S", str(SECTOR), "-R", "32", "-f", "2",
         "-h", str(start // SECTOR), "-g", "255/63", "-i", f"{volume_id:08x}", "-n", LABEL,
         "--offset", str(start // SECTOR), image, str(size // 1024))  # fmt: skip
    target = f"{image}@@{start}"
    folders = sorted({str(parent) for path in files for parent in Path(path).parents} - {"."})
    if folders:
        tool("mmd", "-i", target, *(f"::/{folder}" for folder in folders))
    for number, (path, content) in enumerate(sorted(files.items())):
        passed = scratch / f"esp{number}"
        if isinstance(content, bytes):
            passed.write_bytes(content)
        else:
            shutil.copyfile(content, passed)
        os.utime(passed, (epoch, epoch))
        tool("mcopy", "-m", "-i", target, passed, f"::/{path}")
        passed.unlink()


def used_bytes(image: Path, *, start: int, size: int) -> int:
    """Return how much of the partition, from its start, holds anything: boot sectors, tables, and allocated clusters.

    mtools allocates from the front, so the rest is one free run. Raises BuildError when this is not a FAT32 of ours.
    """
    with image.open("rb") as stream:
        stream.seek(start)
        boot = stream.read(SECTOR)
        per_sector, per_cluster = int.from_bytes(boot[11:13], "little"), boot[13]
        reserved, copies = int.from_bytes(boot[14:16], "little"), boot[16]
        fat_sectors = int.from_bytes(boot[36:40], "little")
        if per_sector != SECTOR or boot[510:512] != b"\x55\xaa" or not per_cluster or not fat_sectors:
            raise BuildError("the EFI system partition cannot be read back", "its boot sector is not that of a FAT32")
        stream.seek(start + reserved * SECTOR)
        fat = stream.read(fat_sectors * SECTOR)
    last = len(fat) // 4 - 1
    while last >= 2 and fat[last * 4 : last * 4 + 4] == b"\0\0\0\0":
        last -= 1
    return min(size, (reserved + copies * fat_sectors + (last - 1) * per_cluster) * SECTOR)
