# SPDX-License-Identifier: MIT
"""A name in a SquashFS image, as `squashread` tells it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """A name in the image: `mode` as stat(2) has it, `size` in bytes, the target of a link, the number of a device.

    `start`, `blocks` and `fragment` say where a file's content lies, `listing` where the names of a directory do.
    """

    mode: int
    uid: int
    gid: int
    size: int = 0
    target: bytes = b""
    device: int = 0
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    start: int = 0
    blocks: tuple[int, ...] = ()
    fragment: tuple[int, int] | None = None
    listing: tuple[int, int, int] | None = None
