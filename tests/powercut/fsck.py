# SPDX-License-Identifier: MIT
"""The second opinion on a disk after a cut: e2fsck as the device calls it, and the kernel's view of what it leaves."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from orchestrator.run import Tools
from tests.powercut.crc import crc32c
from tests.powercut.disk import BLOCK, ZERO

_CORRECTED, _FAILED = 1, 8


def host_tools(program: str, *arguments: str | Path) -> list[str]:
    """A program of this machine, from where Debian puts those of the administrator, too."""
    return [program, *map(str, arguments)]


def write_image(disk: Sequence[bytes], path: Path) -> None:
    """Write a disk to a sparse file."""
    with path.open("wb") as stream:
        stream.truncate(len(disk) * BLOCK)
        first = 0
        while first < len(disk):
            if disk[first] is ZERO:
                first += 1
                continue
            end = first
            while end < len(disk) and disk[end] is not ZERO and end - first < 512:
                end += 1
            stream.seek(first * BLOCK)
            stream.write(b"".join(disk[first:end]))
            first = end


def check_storage(image: Path, tools: Tools | None = None) -> str:
    """Let e2fsck recover and repair a file system as the device does at its start, and look once more.

    Returns what is wrong. It is an image of the partition alone: after a recovery e2fsck opens its file anew, and has
    then forgotten an offset. `tools` are those that BitBake deployed; without them, this machine's e2fsck does it.
    """
    where = str(image)
    done = _run(["-p", where], tools)
    # A torn superblock; meta-pycontainer/recipes-core/pycontainer-device/files/src/storage.c
    if done.returncode == _FAILED and reseal(image):
        done = _run(["-p", where], tools)
    if done.returncode == _FAILED:
        done = _run(["-p", "-b", "32768", "-B", str(BLOCK), where], tools)
    if done.returncode & ~_CORRECTED:
        return f"e2fsck -p ends with {done.returncode}: {_last_line(done)}"
    done = _run(["-f", "-n", where], tools)
    return f"after e2fsck -p, e2fsck -f -n ends with {done.returncode}: {_last_line(done)}" if done.returncode else ""


def reseal(image: Path) -> bool:
    """Put the right checksum into the superblock of a file system of ours; False when it is there already."""
    with image.open("r+b") as stream:
        stream.seek(1024)
        content, found = struct.unpack("<1020sI", stream.read(1024))
        if (right := crc32c(0xFFFFFFFF, content)) == found:
            return False
        stream.seek(1024 + 1020)
        stream.write(struct.pack("<I", right))
    return True


def _run(arguments: list[str], tools: Tools | None) -> subprocess.CompletedProcess[str]:
    argv = host_tools("e2fsck", *arguments) if tools is None else list(map(str, tools.argv("e2fsck", *arguments)))
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    return subprocess.run(
        argv, env=os.environ | {"PATH": path, "LC_ALL": "C"}, capture_output=True, text=True, check=False
    )


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return " / ".join(lines[-2:])
