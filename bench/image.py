# SPDX-License-Identifier: MIT
"""How long an image takes to write and to flash into a file: python bench/image.py [MIB] [TOOLS_BIN_DIR]."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from orchestrator.canonical import hash_file
from orchestrator.image.flash import flash
from orchestrator.image.writer import ImageRequest, write_image
from orchestrator.run import Tools

MIB = 1024 * 1024


def main() -> None:
    """Print seconds and sizes for a revision of MIB (100) incompressible mebibytes in ten blobs."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    tools = Tools(Path(sys.argv[2])) if len(sys.argv) > 2 else Tools()
    with tempfile.TemporaryDirectory(prefix="pycontainer-bench-") as name:
        folder = Path(name)
        blobs = {}
        for number in range(10):
            path = folder / f"blob{number}"
            path.write_bytes(random.Random(number).randbytes(size * MIB // 10))
            blobs[hash_file(path)] = path
        efi = folder / "efi"
        efi.write_bytes(bytes(MIB))
        request = ImageRequest(
            "bench",
            "bench",
            "sha256:" + "0" * 64,
            blobs,
            {"kernel": next(iter(blobs))},
            efi,
            4 * size * MIB,
            "BOOTX64.EFI",
        )
        digests = set()
        for _ in range(3):
            begin = time.monotonic()
            result = write_image(request, folder / "out.img", tools, 1_700_000_000)
            print(f"image written in {time.monotonic() - begin:.2f} s: {result.size:,} bytes, {result.used:,} used")
            digests.add((hash_file(result.image), hash_file(result.block_map)))
        print(f"equal bytes: {'yes' if len(digests) == 1 else 'NO'}")
        disk = folder / "disk"
        with disk.open("wb") as stream:
            stream.truncate(result.size)
        begin = time.monotonic()
        written = flash(result.image, disk, confirm=lambda _target: True, allow_file=True).written
        print(f"flashed and read back in {time.monotonic() - begin:.2f} s: {written:,} bytes")


if __name__ == "__main__":
    main()
