# SPDX-License-Identifier: MIT
"""Pack a tree into a deterministic read-only image: SquashFS by the native tools' mksquashfs, fed by a pipe.

Files are stored in path order, so that a change of one file moves little of the image. There is no export table (a
layer is never served by NFS; it costs memory at mount). Times are those of the tree, none later than SOURCE_DATE_EPOCH.

mksquashfs -tar and not sqfstar: that one, in version 4.5, refuses compressor options that have an argument.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.canonical import hash_file, sha256_digest, sync_folder
from orchestrator.errors import BuildError
from orchestrator.layers.tarwrite import write_tar
from orchestrator.layers.tree import Tree
from orchestrator.run import Tools, run

FAST = 9
"""zstd level for what changes while a developer waits. Level 15 costs 5 to 7 times the processor time for 6 % less
space (bench/squashfs.py)."""

SMALL = 15
"""zstd level for what is packed once and cached."""


class ImageFormat(Protocol):
    """How a tree becomes one file that a kernel can mount."""

    @property
    def suffix(self) -> str:
        """The file name's ending, with the dot."""
        ...

    def identity(self, tools: Tools) -> str:
        """Return a text that changes whenever the same tree might give other bytes: options and tool."""
        ...

    def pack(
        self, tree: Tree, destination: Path, tools: Tools, source_date_epoch: int, log: Path | None = None
    ) -> None:
        """Write the image of `tree` to `destination`, whole or not at all; raises BuildError."""
        ...


@dataclass(frozen=True)
class SquashFS:
    """SquashFS with zstd at `level` (1-22) in blocks of `block_size` bytes.

    Smaller blocks make the image larger by more than they make its deltas smaller (docs/deltas.md; bench/delta.py).
    """

    level: int = SMALL
    block_size: int = 128 * 1024
    suffix: str = ".squashfs"

    def identity(self, tools: Tools) -> str:
        program = Path(tools.path("mksquashfs"))
        version = sha256_digest(run([program, "-version"]))
        return f"squashfs zstd {self.level} {self.block_size} {hash_file(program)} {version}"

    def pack(
        self, tree: Tree, destination: Path, tools: Tools, source_date_epoch: int, log: Path | None = None
    ) -> None:
        if source_date_epoch > time.time():
            raise BuildError(
                "the machine's clock is wrong", f"it is before SOURCE_DATE_EPOCH, {source_date_epoch}", "set the clock"
            )
        root = tree.root
        destination.parent.mkdir(parents=True, exist_ok=True)
        temporary = destination.with_name(f".{destination.name}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)
        argv = tools.argv(
            "mksquashfs",
            "-",
            temporary,
            "-tar",
            "-comp",
            "zstd",
            "-Xcompression-level",
            str(self.level),
            "-b",
            str(self.block_size),
            "-root-mode",
            f"{root.mode:o}",
            "-root-uid",
            str(root.uid),
            "-root-gid",
            str(root.gid),
            "-no-exports",
            "-reproducible",
            "-exit-on-error",
            "-no-progress",
            "-quiet",
            "-mem",
            "128M",
        )
        try:
            _feed(tree, argv, source_date_epoch, log)
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
            temporary.replace(destination)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(destination.parent)


def _feed(tree: Tree, argv: list[str], source_date_epoch: int, log: Path | None) -> None:
    """Run `argv` with the tree's tar stream on its standard input; the first failure of either side is raised."""
    read_end, write_end = os.pipe()
    failure: list[Exception] = []

    def produce() -> None:
        try:
            with os.fdopen(write_end, "wb", buffering=256 * 1024) as sink:
                write_tar(tree, sink.write)
        except BrokenPipeError:
            pass  # the reader gave up; its own message says why
        except Exception as problem:
            failure.append(problem)

    producer = threading.Thread(target=produce, name="tar stream")
    with os.fdopen(read_end, "rb", buffering=0) as source:
        producer.start()
        try:
            run(argv, stdin=source, log=log, source_date_epoch=source_date_epoch)
        except Exception:
            source.close()  # so that the producer sees a broken pipe and ends
            producer.join()
            if failure:
                raise failure[0] from None
            raise
        except BaseException:
            with suppress(OSError):
                source.close()
            producer.join()
            raise
    producer.join()
    if failure:
        raise failure[0]
