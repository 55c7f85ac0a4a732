# SPDX-License-Identifier: MIT
"""How long packing a tar takes, and how large it becomes, by zstd level: the reason for the levels in use.

    python bench/squashfs.py ROOTFS.tar [NATIVE_TOOLS_BIN]

One run a level on an otherwise idle machine; prints seconds of wall and processor time, size and ratio to level 15.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from orchestrator.layers.squashfs import SquashFS
from orchestrator.layers.tarread import read_tar
from orchestrator.layers.tree import Tree
from orchestrator.layers.verity import fsverity_digest
from orchestrator.run import Tools


def main() -> None:
    """Measure and print."""
    source = Path(sys.argv[1])
    tools = Tools(Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    began = time.monotonic()
    tree = Tree()
    read_tar(source, tree)
    print(f"read {source.name}: {sum(1 for _ in tree.walk())} entries in {time.monotonic() - began:.2f} s")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image"
        for level in (3, 6, 9, 12, 15):
            before, began = sum(os.times()[2:4]), time.monotonic()
            SquashFS(level=level).pack(tree, image, tools, 1_700_000_000)
            results.append((level, time.monotonic() - began, sum(os.times()[2:4]) - before, image.stat().st_size))
        began = time.monotonic()
        fsverity_digest(image)
        print(f"fs-verity of {image.stat().st_size / 1e6:.1f} MB: {time.monotonic() - began:.2f} s")
    _, wall, _, size = results[-1]
    print("level   wall s    cpu s      MB   time  size (of level 15)")
    for level, seconds, busy, length in results:
        print(f"{level:5} {seconds:8.2f} {busy:8.2f} {length / 1e6:7.1f} {seconds / wall:6.2f} {length / size:5.2f}")
    own, children = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(f"peak memory: this process {own:.0f} MiB, packer {children:.0f} MiB")


if __name__ == "__main__":
    main()
