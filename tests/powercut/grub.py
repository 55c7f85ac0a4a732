# SPDX-License-Identifier: MIT
"""What the boot loader does with a disk: its own reading of the boot record, and of what it loads.

It follows meta-pycontainer/recipes-bsp/pycontainer-bootloader/files/grub.cfg: both copies of the record on the first
partition, the revision's folder on the second one, links followed, the journal not replayed.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.image import record
from tests.powercut.disk import BLOCK
from tests.powercut.expect import Content
from tests.powercut.ext4 import Ext4, Inode
from tests.powercut.partitions import Fat, Span, Unreadable
from tests.powercut.recording import RevisionFacts

LOADER = "EFI/BOOT/BOOTX64.EFI"
LOADED = ("kernel", "initramfs", "boot-env")
_MOST_LINKS = 8


@dataclass(frozen=True)
class Choice:
    """The revision that is started first, and the one that is left when that cannot be loaded; the loader's digest."""

    first: str
    confirmed: str
    loader: str


def choose(disk: list[bytes], esp: Span) -> Choice:
    """Read the ESP; raises Unreadable when neither copy of the record counts, or the boot loader is not readable."""
    fat = Fat(disk, esp)
    loader = hashlib.sha256(fat.read(LOADER)).hexdigest()
    copies = _copy(fat, 0), _copy(fat, 1)
    which = record.choose(copies)
    found = None if which is None else copies[which]
    if found is None:
        raise Unreadable("both boot records are damaged")
    return Choice(record.next_boot(found)[0], found.rev, loader)


def _copy(fat: Fat, number: int) -> record.Record | None:
    try:
        return record.decode(fat.read(f"pycontainer/record.{number}"))
    except Unreadable:
        return None


def resolve(fs: Ext4, path: str) -> tuple[str, Inode]:
    """Follow symbolic links from a path to what is no link."""
    for _ in range(_MOST_LINKS):
        inode = fs.find(path)
        if inode is None:
            raise Unreadable(f"storage: {path} is not there")
        if not inode.is_link:
            return path, inode
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), fs.link_target(inode)))
    raise Unreadable(f"storage: {path}: too many links")


def holds(fs: Ext4, inode: Inode, content: Content) -> bool:
    """Whether a file has this content, byte for byte."""
    if not inode.is_file or inode.size != content.size:
        return False
    found = fs.content(inode)
    if found == content.blocks:
        return True
    # What is behind the end in the last block is nobody's.
    rest = content.size % BLOCK
    return bool(rest) and found[:-1] == content.blocks[:-1] and found[-1][:rest] == content.blocks[-1][:rest]


def check_loadable(fs: Ext4, revision: RevisionFacts, contents: Mapping[str, Content]) -> None:
    """Raise Unreadable unless kernel, initramfs and their arguments are read and are the right ones."""
    for name in LOADED:
        path, inode = resolve(fs, f"revisions/{revision.id}/{name}")
        digest = revision.links[name]
        if not holds(fs, inode, contents[digest]):
            raise Unreadable(f"{name} of revision {revision.id[:12]}: {path} has other bytes for the boot loader")
