# SPDX-License-Identifier: MIT
"""Recovery of ext4's journal, as the kernel and e2fsck do it; Linux Documentation/filesystems/ext4/journal.rst.

Of the journal's forms this knows the one that the kernel writes for storage: version 2, 64-bit block numbers, checksums
of version 3, revocations, no fast commits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.powercut.crc import crc32c
from tests.powercut.disk import BLOCK
from tests.powercut.ext4 import JOURNAL, Ext4
from tests.powercut.partitions import Unreadable

_MAGIC = 0xC03B3998
_DESCRIPTOR, _COMMIT, _SUPER_V2, _REVOKE = 1, 2, 4, 5
_INCOMPAT_REVOKE, _INCOMPAT_64BIT, _INCOMPAT_CSUM_V3 = 0x1, 0x2, 0x10
_ESCAPED, _SAME_UUID, _LAST = 1, 2, 8
_HEADER, _TAG = 12, 16


@dataclass
class Replay:
    """What recovery writes: block of the file system -> content. `doubt` tells why a real e2fsck has to say more."""

    blocks: dict[int, bytes] = field(default_factory=dict)
    transactions: int = 0
    doubt: str = ""


@dataclass(frozen=True)
class _Block:
    """A block of the log: its place, kind, transaction and content."""

    place: int
    kind: int
    sequence: int
    data: bytes


class _Log:
    """The journal's blocks in the order of the log."""

    def __init__(self, fs: Ext4) -> None:
        inode = fs.inode(JOURNAL)
        self._blocks = fs.content(inode)
        self._first: int
        self._end: int
        head = self._blocks[0] if self._blocks else b""
        if len(head) < 1024 or struct.unpack_from(">II", head) != (_MAGIC, _SUPER_V2):
            raise Unreadable("the journal has no superblock")
        size, self._end, self._first, self.sequence, self.start = struct.unpack_from(">IIIII", head, 0xC)
        _, incompat, _ = struct.unpack_from(">III", head, 0x24)
        if size != BLOCK or self._end > len(self._blocks) or not 0 < self._first < self._end:
            raise Unreadable("the journal's superblock does not fit")
        if incompat & ~(_INCOMPAT_REVOKE | _INCOMPAT_64BIT | _INCOMPAT_CSUM_V3):
            raise Unreadable(f"the journal has features {incompat:#x}")
        self.checked = bool(incompat & _INCOMPAT_CSUM_V3)
        (wanted,) = struct.unpack_from(">I", head, 0xFC)
        if self.checked and crc32c(0xFFFFFFFF, head[:0xFC] + bytes(4) + head[0x100:1024]) != wanted:
            raise Unreadable("the checksum of the journal's superblock is wrong")
        self.seed = crc32c(0xFFFFFFFF, head[0x30:0x40])
        if self.start and not self.checked:
            raise Unreadable("the journal is in use and has no checksums")

    def after(self, place: int, steps: int = 1) -> int:
        place += steps
        return place - (self._end - self._first) if place >= self._end else place

    def at(self, place: int) -> bytes:
        if not self._first <= place < self._end:
            raise Unreadable("the journal leads out of itself")
        return self._blocks[place]

    @property
    def room(self) -> int:
        return self._end - self._first

    def sound_tail(self, data: bytes) -> bool:
        """Whether the checksum at the end of a descriptor or a revocation is right."""
        return crc32c(self.seed, data[:-4] + bytes(4)) == int.from_bytes(data[-4:], "big")

    def sound_commit(self, data: bytes) -> bool:
        return crc32c(self.seed, data[:16] + bytes(4) + data[20:]) == int.from_bytes(data[16:20], "big")

    def sound_content(self, data: bytes, sequence: int, wanted: int) -> bool:
        return crc32c(crc32c(self.seed, struct.pack(">I", sequence)), data) == wanted


def _tags(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the block, the flags and the checksum of each tag of a descriptor."""
    at = _HEADER
    while at + _TAG <= BLOCK - 4:
        low, flags, high, checksum = struct.unpack_from(">IIII", data, at)
        yield high << 32 | low, flags, checksum
        at += _TAG + (0 if flags & _SAME_UUID else 16)
        if flags & _LAST:
            return


def recover(fs: Ext4) -> Replay:
    """Return what recovery would write; raises Unreadable when the journal cannot be recovered at all."""
    log = _Log(fs)
    replay = Replay()
    if log.start == 0:
        return replay
    transactions = _scan(log, replay)
    revoked: dict[int, int] = {}
    for transaction in transactions:
        for block in transaction:
            if block.kind == _REVOKE:
                if not log.sound_tail(block.data):
                    raise Unreadable("the checksum of a revocation in a committed transaction is wrong")
                (used,) = struct.unpack_from(">I", block.data, _HEADER)
                for (number,) in struct.iter_unpack(">Q", block.data[16 : 16 + (used - 16) // 8 * 8]):
                    revoked[number] = block.sequence
    for transaction in transactions:
        for block in transaction:
            if block.kind == _DESCRIPTOR:
                _write(log, block, revoked, replay)
    replay.transactions = len(transactions)
    return replay


def _scan(log: _Log, replay: Replay) -> list[list[_Block]]:
    """The blocks of the transactions that were committed."""
    found: list[list[_Block]] = []
    current: list[_Block] = []
    place, sequence, left, wrong = log.start, log.sequence, log.room, False
    while left > 0:
        data = log.at(place)
        magic, kind, number = struct.unpack_from(">III", data)
        if magic != _MAGIC or number != sequence or kind not in (_DESCRIPTOR, _COMMIT, _REVOKE):
            break
        steps = 1
        if kind == _DESCRIPTOR:
            # A descriptor of an earlier turn of the log looks like this one's: only the commit block can tell.
            wrong = wrong or not log.sound_tail(data)
            steps += sum(1 for _ in _tags(data))
        if kind == _COMMIT:
            if not log.sound_commit(data) or wrong:
                replay.doubt = f"transaction {sequence} has a commit block, and a checksum that is wrong"
                break
            found.append(current)
            current, sequence = [], sequence + 1
        else:
            current.append(_Block(place, kind, number, data))
        place = log.after(place, steps)
        left -= steps
    return found


def _write(log: _Log, descriptor: _Block, revoked: dict[int, int], replay: Replay) -> None:
    place = descriptor.place
    for number, flags, checksum in _tags(descriptor.data):
        place = log.after(place)
        if revoked.get(number, -1) >= descriptor.sequence:
            continue
        data = log.at(place)
        if not log.sound_content(data, descriptor.sequence, checksum):
            raise Unreadable(f"the journal's copy of block {number} is damaged, in a committed transaction")
        if flags & _ESCAPED:
            data = struct.pack(">I", _MAGIC) + data[4:]
        replay.blocks[number] = data
