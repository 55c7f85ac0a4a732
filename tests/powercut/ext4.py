# SPDX-License-Identifier: MIT
"""Files of an ext4 file system in blocks, as they lie on the disk; Linux Documentation/filesystems/ext4.

Two readers differ in one thing: GRUB looks at no checksum, and the kernel refuses what has a wrong one. Neither replays
the journal here; for the kernel's view `jbd2` does that before.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

from tests.powercut.crc import crc32c
from tests.powercut.disk import BLOCK
from tests.powercut.partitions import Span, Unreadable

_MAGIC, _EXTENTS_MAGIC = 0xEF53, 0xF30A
_INCOMPAT_64BIT, _INCOMPAT_KNOWN = 0x80, 0x2C6
"""filetype, needs recovery, extents, 64bit, flex_bg: what the storage partition is made with."""
_RO_METADATA_CSUM = 0x400
_FLAG_EXTENTS, _FLAG_VERITY, _FLAG_INLINE = 0x80000, 0x100000, 0x10000000
_S_IFMT, _S_IFDIR, _S_IFREG, _S_IFLNK = 0o170000, 0o040000, 0o100000, 0o120000
_UNWRITTEN = 32768
ROOT, JOURNAL = 2, 8


@dataclass(frozen=True)
class Inode:
    """An inode: its number, the parts that are needed, and its 60 bytes of block map."""

    number: int
    mode: int
    size: int
    links: int
    flags: int
    blocks: int
    generation: int
    map: bytes

    @property
    def is_file(self) -> bool:
        return self.mode & _S_IFMT == _S_IFREG

    @property
    def is_folder(self) -> bool:
        return self.mode & _S_IFMT == _S_IFDIR

    @property
    def is_link(self) -> bool:
        return self.mode & _S_IFMT == _S_IFLNK

    @property
    def is_sealed(self) -> bool:
        return bool(self.flags & _FLAG_VERITY)


class Ext4:
    """The file system of a partition; `strict` refuses wrong checksums. Raises Unreadable."""

    def __init__(self, disk: list[bytes], span: Span, *, strict: bool) -> None:
        self._disk, self._origin, self._strict = disk, span.start // BLOCK, strict
        self._folders: dict[int, dict[str, int]] = {}
        self.superblock = super_ = self.block(0)[1024:2048]
        (magic,) = struct.unpack_from("<H", super_, 0x38)
        (log_size,) = struct.unpack_from("<I", super_, 0x18)
        _, self.incompat, ro_compat = struct.unpack_from("<III", super_, 0x5C)
        if magic != _MAGIC or 1024 << log_size != BLOCK or span.start % BLOCK:
            raise Unreadable("storage has no superblock")
        if self.incompat & ~_INCOMPAT_KNOWN or not self.incompat & _INCOMPAT_64BIT or not ro_compat & _RO_METADATA_CSUM:
            raise Unreadable(f"storage has features {self.incompat:#x}, {ro_compat:#x}")
        if strict and not self.superblock_is_sound:
            raise Unreadable("storage: the superblock's checksum is wrong")
        (self._inodes,) = struct.unpack_from("<I", super_, 0x0)
        (self._inodes_per_group,) = struct.unpack_from("<I", super_, 0x28)
        (self._inode_size,) = struct.unpack_from("<H", super_, 0x58)
        (self._descriptor_size,) = struct.unpack_from("<H", super_, 0xFE)
        low, high = struct.unpack_from("<I", super_, 0x4)[0], struct.unpack_from("<I", super_, 0x150)[0]
        self.blocks = low | high << 32
        if not self._inodes_per_group or self._inode_size < 160 or self._descriptor_size < 64:
            raise Unreadable("storage has a superblock of another form")

    @property
    def superblock_is_sound(self) -> bool:
        """Whether its checksum is right, which e2fsck wants as well."""
        (wanted,) = struct.unpack_from("<I", self.superblock, 0x3FC)
        return crc32c(0xFFFFFFFF, self.superblock[:0x3FC]) == int(wanted)

    @cached_property
    def _seed(self) -> int:
        return crc32c(0xFFFFFFFF, self.superblock[0x68:0x78])

    def block(self, number: int) -> bytes:
        """A block of the file system."""
        place = self._origin + number
        if number < 0 or place >= len(self._disk):
            raise Unreadable(f"storage: block {number} is behind the end")
        return self._disk[place]

    def run(self, first: int, count: int) -> list[bytes]:
        """Blocks side by side."""
        return self._disk[self._origin + first : self._origin + first + count]

    def inode(self, number: int) -> Inode:
        """An inode by its number."""
        if not 1 <= number <= self._inodes:
            raise Unreadable(f"storage: there is no inode {number}")
        group, index = divmod(number - 1, self._inodes_per_group)
        block, inside = divmod(group * self._descriptor_size, BLOCK)
        descriptor = self.block(1 + block)[inside : inside + self._descriptor_size]
        table = struct.unpack_from("<I", descriptor, 0x8)[0] | struct.unpack_from("<I", descriptor, 0x28)[0] << 32
        block, inside = divmod(index * self._inode_size, BLOCK)
        raw = self.block(table + block)[inside : inside + self._inode_size]
        (generation,) = struct.unpack_from("<I", raw, 0x64)
        if self._strict:
            self._check_inode(raw, number, generation)
        (mode,) = struct.unpack_from("<H", raw, 0)
        (links,) = struct.unpack_from("<H", raw, 0x1A)
        (blocks,) = struct.unpack_from("<I", raw, 0x1C)
        (flags,) = struct.unpack_from("<I", raw, 0x20)
        size = struct.unpack_from("<I", raw, 0x4)[0] | struct.unpack_from("<I", raw, 0x6C)[0] << 32
        return Inode(number, mode, size, links, flags, blocks, generation, raw[0x28:0x64])

    def _inode_seed(self, number: int, generation: int) -> int:
        return crc32c(self._seed, struct.pack("<II", number, generation))

    def _check_inode(self, raw: bytes, number: int, generation: int) -> None:
        low, high = struct.unpack_from("<H", raw, 0x7C)[0], struct.unpack_from("<H", raw, 0x82)[0]
        blank = raw[:0x7C] + b"\0\0" + raw[0x7E:0x82] + b"\0\0" + raw[0x84:]
        if crc32c(self._inode_seed(number, generation), blank) != low | high << 16:
            raise Unreadable(f"storage: the checksum of inode {number} is wrong")

    def extents(self, inode: Inode) -> list[tuple[int, int, int]]:
        """The extents of a file as (block of the file, count, block of the file system); unwritten ones left out."""
        if not inode.flags & _FLAG_EXTENTS or inode.flags & _FLAG_INLINE:
            raise Unreadable(f"storage: inode {inode.number} has no extents")
        return self._node(inode, inode.map, 5)

    def _node(self, inode: Inode, node: bytes, most_depth: int) -> list[tuple[int, int, int]]:
        magic, count, most, depth = struct.unpack_from("<HHHH", node)
        if magic != _EXTENTS_MAGIC or count > most or 12 + 12 * count > len(node) or depth > most_depth:
            raise Unreadable(f"storage: inode {inode.number} has a broken tree of extents")
        found: list[tuple[int, int, int]] = []
        for at in range(12, 12 + 12 * count, 12):
            if depth == 0:
                logical, length, high, low = struct.unpack_from("<IHHI", node, at)
                if length <= _UNWRITTEN:
                    found.append((logical, length, high << 32 | low))
                continue
            _, low, high = struct.unpack_from("<IIH", node, at)
            child = self.block(high << 32 | low)
            if self._strict:
                self._check_node(inode, child)
            if struct.unpack_from("<H", child, 6)[0] != depth - 1:
                raise Unreadable(f"storage: inode {inode.number} has a broken tree of extents")
            found += self._node(inode, child, depth - 1)
        return found

    def _check_node(self, inode: Inode, node: bytes) -> None:
        end = 12 + 12 * int(struct.unpack_from("<H", node, 4)[0])
        if end + 4 > BLOCK:
            raise Unreadable(f"storage: inode {inode.number} has a broken tree of extents")
        seed = self._inode_seed(inode.number, inode.generation)
        if crc32c(seed, node[:end]) != struct.unpack_from("<I", node, end)[0]:
            raise Unreadable(f"storage: the checksum of an extent block of inode {inode.number} is wrong")

    def content(self, inode: Inode) -> list[bytes]:
        """The blocks of a file up to its size; holes are zeros. The last one is as it lies there."""
        return self.blocks_of(inode, 0, -(-inode.size // BLOCK))

    def blocks_of(self, inode: Inode, first: int, count: int) -> list[bytes]:
        """Blocks of a file, also behind its size."""
        extents = self.extents(inode)
        if len(extents) == 1 and extents[0][0] <= first and first + count <= extents[0][0] + extents[0][1]:
            return self.run(extents[0][2] + first - extents[0][0], count)
        found = [bytes(BLOCK)] * count
        for logical, length, physical in extents:
            begin, end = max(logical, first), min(logical + length, first + count)
            if begin < end:
                found[begin - first : end - first] = self.run(physical + begin - logical, end - begin)
        return found

    def read(self, inode: Inode) -> bytes:
        """All bytes of a file."""
        return b"".join(self.content(inode))[: inode.size]

    def link_target(self, inode: Inode) -> str:
        """Where a symbolic link leads."""
        if inode.size < 60 and not inode.flags & _FLAG_EXTENTS:
            return inode.map[: inode.size].decode("utf-8", "replace")
        return self.read(inode).decode("utf-8", "replace")

    def entries(self, folder: Inode) -> dict[str, int]:
        """The names in a folder, each with its inode's number; read once."""
        found = self._folders.get(folder.number)
        if found is None:
            found = self._entries(folder) if self._strict else self._entries_for_grub(folder)
            self._folders[folder.number] = found
        return found

    def _entries(self, folder: Inode) -> dict[str, int]:
        found: dict[str, int] = {}
        for block in self.content(folder):
            at = 0
            while at < BLOCK:
                number, length, name_length, kind = struct.unpack_from("<IHBB", block, at)
                if length < 8 or at + length > BLOCK or name_length > length - 8:
                    raise Unreadable(f"storage: folder {folder.number} is broken")
                if number == 0 and kind == 0xDE and length == 12:
                    self._check_folder(folder, block)
                if number and name_length:
                    found[block[at + 8 : at + 8 + name_length].decode("utf-8", "replace")] = number
                at += length
        return found

    def _entries_for_grub(self, folder: Inode) -> dict[str, int]:
        """The same as the boot loader has it: from entry to entry, whatever is there, up to one without a length.

        Of equal names it takes the first.
        """
        raw = b"".join(self.content(folder))[: folder.size]
        found: dict[str, int] = {}
        at = 0
        while at + 8 <= len(raw):
            number, length, name_length, _ = struct.unpack_from("<IHBB", raw, at)
            if length == 0:
                break
            if number and name_length:
                found.setdefault(raw[at + 8 : at + 8 + name_length].decode("utf-8", "replace"), number)
            at += length
        return found

    def _check_folder(self, folder: Inode, block: bytes) -> None:
        seed = self._inode_seed(folder.number, folder.generation)
        if crc32c(seed, block[: BLOCK - 12]) != int.from_bytes(block[BLOCK - 4 :], "little"):
            raise Unreadable(f"storage: the checksum of a block of folder {folder.number} is wrong")

    def find(self, path: str) -> Inode | None:
        """What is at a path, without following a link at its end; None when a name of it is not there."""
        inode = self.inode(ROOT)
        for name in path.split("/"):
            if not inode.is_folder:
                raise Unreadable(f"storage: {path}: not a folder on the way")
            number = self.entries(inode).get(name)
            if number is None:
                return None
            inode = self.inode(number)
        return inode
