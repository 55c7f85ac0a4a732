# SPDX-License-Identifier: MIT
"""Reading a SquashFS image where it lies: names, owners, modes, extended attributes, and contents block by block.

Format: SquashFS 4.0 (Linux, fs/squashfs/squashfs_fs.h). The image may be anybody's: every number is checked before it
is used, nothing is unpacked to the disk, and what is read at once is a block, at most 1 MiB.
"""

from __future__ import annotations

import io
import lzma
import stat
import struct
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import BinaryIO

import zstandard

from orchestrator.errors import ConfigError, VerificationError
from orchestrator.layers.squashnode import Node

MAGIC = b"hsqs"
_SUPER = struct.Struct("<4sIIIIHHHHHHQQQQQQQQ")
_META = 8192
_UNCOMPRESSED_META = 0x8000
_UNCOMPRESSED = 1 << 24
_NO_FRAGMENT = 0xFFFFFFFF
_NO_XATTR = 0xFFFFFFFF
_NO_TABLE = 0xFFFFFFFFFFFFFFFF
_BLOCK_MAX = 1 << 20
_ENTRIES_MAX = 2_000_000
_DEPTH_MAX = 256
_NAMES_MAX = 1 << 20
_COMPRESSORS = {1: "gzip", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}
_XATTR_PREFIXES = (b"user.", b"trusted.", b"security.")
_KINDS = {1: stat.S_IFDIR, 2: stat.S_IFREG, 3: stat.S_IFLNK, 4: stat.S_IFBLK, 5: stat.S_IFCHR, 6: stat.S_IFIFO,
          7: stat.S_IFSOCK}  # fmt: skip


class SquashImage:
    """An image in an open file. `tree` gives its names, `pieces` a file's content."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._end = stream.seek(0, io.SEEK_END)
        head = self._at(0, _SUPER.size)
        values = _SUPER.unpack(head)
        if values[0] != MAGIC or values[9:11] != (4, 0):
            raise VerificationError("not a SquashFS 4.0 image", repr(head[:4]))
        self.block_size = values[3]
        self._compressor = values[5]
        (self._root, _, self._ids_at, self._xattrs_at, self._inodes, self._listings, self._fragments_at, _) = values[
            11:
        ]
        self._fragment_count, self._id_count = values[4], values[8]
        if not 4096 <= self.block_size <= _BLOCK_MAX or self.block_size & (self.block_size - 1):
            raise VerificationError("the SquashFS image is damaged", f"its blocks have {self.block_size} bytes")
        if self._compressor not in (1, 4, 6):
            word = _COMPRESSORS.get(self._compressor, f"number {self._compressor}")
            raise ConfigError(f"files compressed by {word} cannot be compared", "gzip, xz and zstd can", "")
        self._metadata: OrderedDict[int, tuple[bytes, int]] = OrderedDict()
        self._packed: OrderedDict[int, bytes] = OrderedDict()
        self._ids = self._table(self._ids_at, self._id_count, 4)

    def tree(self) -> dict[bytes, Node]:
        """Return every name below the root, with its path (no leading slash), the root itself as an empty path."""
        root = self._node(self._root)
        if root.listing is None:
            raise VerificationError("the SquashFS image is damaged", "its root is no directory")
        found = {b"": root}
        waiting = [(b"", root, 0)]
        seen: set[tuple[int, int, int]] = set()
        while waiting:
            prefix, node, depth = waiting.pop()
            assert node.listing is not None
            if depth > _DEPTH_MAX or (node.listing in seen and node.listing[2] > 3):
                raise VerificationError("the SquashFS image is damaged", "a directory is in itself, or too deep")
            seen.add(node.listing)
            for name, reference in self._names(node.listing):
                path = prefix + b"/" + name if prefix else name
                child = self._node(reference)
                if path in found or len(found) >= _ENTRIES_MAX:
                    raise VerificationError(
                        "the SquashFS image is damaged", f"{path[:80]!r} is there twice, or too many"
                    )
                found[path] = child
                if child.listing is not None:
                    waiting.append((path, child, depth + 1))
        return found

    def pieces(self, node: Node) -> Iterator[bytes]:
        """Yield a file's content, a block at a time."""
        place, left = node.start, node.size
        for size in node.blocks:
            wanted = min(left, self.block_size)
            if size & ~_UNCOMPRESSED:
                data = self._block(place, size, wanted)
                place += size & ~_UNCOMPRESSED
            else:
                data = bytes(wanted)  # a hole
            yield data
            left -= wanted
        if node.fragment is not None and left:
            index, offset = node.fragment
            data = self._fragment(index)[offset : offset + left]
            if len(data) != left:
                raise VerificationError("the SquashFS image is damaged", "a file's end is outside of its fragment")
            yield data

    def _at(self, place: int, size: int) -> bytes:
        if not 0 <= place <= self._end:
            raise VerificationError("the SquashFS image is damaged", f"it leads to byte {place} of {self._end}")
        self._stream.seek(place)
        data = self._stream.read(size)
        if len(data) != size:
            raise VerificationError("the SquashFS image is cut short", f"at byte {place + len(data)}")
        return data

    def _inflate(self, data: bytes, limit: int) -> bytes:
        try:
            if self._compressor == 6:
                with zstandard.ZstdDecompressor(max_window_size=8 << 20).stream_reader(data) as reader:
                    found = reader.read(limit + 1)
            elif self._compressor == 1:
                found = zlib.decompressobj().decompress(data, limit + 1)
            else:
                found = lzma.LZMADecompressor(memlimit=64 << 20).decompress(data, limit + 1)
        except (zstandard.ZstdError, zlib.error, lzma.LZMAError, MemoryError) as problem:
            raise VerificationError("the SquashFS image is damaged", f"a block does not unpack: {problem}") from problem
        if len(found) > limit:
            raise VerificationError("the SquashFS image is damaged", "a block is larger than it may be")
        return found

    def _block(self, place: int, size: int, wanted: int) -> bytes:
        data = self._at(place, min(size & ~_UNCOMPRESSED, _BLOCK_MAX))
        found = data if size & _UNCOMPRESSED else self._inflate(data, self.block_size)
        if len(found) != wanted:
            raise VerificationError("the SquashFS image is damaged", f"a block of {len(found)} bytes, not {wanted}")
        return found

    def _meta(self, place: int) -> tuple[bytes, int]:
        """Return the metadata block at a place, and where the next begins."""
        if place in self._metadata:
            self._metadata.move_to_end(place)
            return self._metadata[place]
        (header,) = struct.unpack("<H", self._at(place, 2))
        size = header & ~_UNCOMPRESSED_META
        data = self._at(place + 2, size)
        found = data if header & _UNCOMPRESSED_META else self._inflate(data, _META)
        self._metadata[place] = (found, place + 2 + size)
        if len(self._metadata) > 512:
            self._metadata.popitem(last=False)
        return self._metadata[place]

    def _read(self, place: int, offset: int, size: int) -> bytes:
        """Return bytes of metadata that begin at an offset of a block and may go on in the next ones."""
        found = b""
        while True:
            data, following = self._meta(place)
            found += data[offset : offset + size - len(found)]
            if len(found) == size:
                return found
            if not data:
                raise VerificationError("the SquashFS image is damaged", "its metadata ends early")
            place, offset = following, max(0, offset - len(data))

    def _table(self, at: int, count: int, size: int) -> list[bytes]:
        """Return the entries of a lookup table: pointers to metadata blocks full of entries of one size."""
        blocks = -(-count * size // _META)
        pointers = struct.unpack(f"<{blocks}Q", self._at(at, 8 * blocks))
        data = b"".join(self._meta(place)[0] for place in pointers)
        if len(data) < count * size:
            raise VerificationError("the SquashFS image is damaged", "a table is too short")
        return [data[position * size : (position + 1) * size] for position in range(count)]

    def _id(self, index: int) -> int:
        if index >= len(self._ids):
            raise VerificationError("the SquashFS image is damaged", f"there is no owner {index}")
        return int.from_bytes(self._ids[index], "little")

    def _node(self, reference: int) -> Node:
        place, offset = self._inodes + (reference >> 16), reference & 0xFFFF
        kind, mode, uid, gid = struct.unpack("<HHHH", self._read(place, offset, 8))
        body = _Body(self, place, offset + 16)
        extended = kind > 7
        basic = kind - 7 if extended else kind
        if basic not in _KINDS:
            raise VerificationError("the SquashFS image is damaged", f"an inode of kind {kind}")
        common = {"mode": _KINDS[basic] | (mode & 0o7777), "uid": self._id(uid), "gid": self._id(gid)}
        xattr = _NO_XATTR
        more: dict[str, object] = {}
        if basic == 1:
            if extended:
                _, size, start, _, _, block, xattr = body.take("<IIIIHHI")
            else:
                start, _, size, block, _ = body.take("<IIHHI")
            more["listing"] = (start, block, size)
        elif basic == 2:
            if extended:
                start, size, _, _, index, at, xattr = body.take("<QQQIIII")
            else:
                start, index, at, size = body.take("<IIII")
            count = size // self.block_size if index != _NO_FRAGMENT else -(-size // self.block_size)
            if count * 4 > self._end:
                raise VerificationError("the SquashFS image is damaged", f"a file of {size} bytes")
            more = {"size": size, "start": start, "blocks": body.take(f"<{count}I")}
            more["fragment"] = None if index == _NO_FRAGMENT else (index, at)
        elif basic == 3:
            _, length = body.take("<II")
            if length > 65536:
                raise VerificationError("the SquashFS image is damaged", f"a link of {length} bytes")
            more = {"target": body.bytes(length), "size": length}
            xattr = body.take("<I")[0] if extended else xattr
        elif basic in (4, 5):
            more["device"] = body.take("<II")[1]
            xattr = body.take("<I")[0] if extended else xattr
        elif extended:
            xattr = body.take("<II")[1]
        if xattr != _NO_XATTR:
            more["xattrs"] = self._xattrs(xattr)
        return Node(**common, **more)  # type: ignore[arg-type]

    def _names(self, listing: tuple[int, int, int]) -> Iterator[tuple[bytes, int]]:
        start, offset, size = listing
        left = size - 3
        if left > 64 * _NAMES_MAX:
            raise VerificationError("the SquashFS image is damaged", f"a directory of {size} bytes")
        body = _Body(self, self._listings + start, offset)
        while left > 0:
            count, block, _ = body.take("<III")
            if count >= 256:
                raise VerificationError("the SquashFS image is damaged", f"{count + 1} names in a row")
            left -= 12
            for _ in range(count + 1):
                at, _, _, length = body.take("<HhHH")
                name = body.bytes(length + 1)
                left -= 9 + length
                if length >= 256 or b"/" in name or name in (b".", b"..") or b"\0" in name:
                    raise VerificationError("the SquashFS image is damaged", f"the name {name[:80]!r}")
                yield name, block << 16 | at

    def _fragment(self, index: int) -> bytes:
        if index in self._packed:
            self._packed.move_to_end(index)
            return self._packed[index]
        if index >= self._fragment_count:
            raise VerificationError("the SquashFS image is damaged", f"there is no fragment {index}")
        (place,) = struct.unpack("<Q", self._at(self._fragments_at + 8 * (index // 512), 8))
        start, size, _ = struct.unpack("<QII", self._read(place, index % 512 * 16, 16))
        data = self._at(start, min(size & ~_UNCOMPRESSED, _BLOCK_MAX))
        self._packed[index] = data if size & _UNCOMPRESSED else self._inflate(data, self.block_size)
        if len(self._packed) > 16:
            self._packed.popitem(last=False)
        return self._packed[index]

    def _xattrs(self, index: int) -> tuple[tuple[bytes, bytes], ...]:
        if self._xattrs_at == _NO_TABLE:
            raise VerificationError("the SquashFS image is damaged", "it has no extended attributes")
        values_at, count, _ = struct.unpack("<QII", self._at(self._xattrs_at, 16))
        if index >= count:
            raise VerificationError("the SquashFS image is damaged", f"there are no attributes {index}")
        (place,) = struct.unpack("<Q", self._at(self._xattrs_at + 16 + 8 * (index // 512), 8))
        reference, number, _ = struct.unpack("<QII", self._read(place, index % 512 * 16, 16))
        body = _Body(self, values_at + (reference >> 16), reference & 0xFFFF)
        found = []
        for _ in range(min(number, 1024)):
            kind, length = body.take("<HH")
            name = body.bytes(length)
            (size,) = body.take("<I")
            value = body.bytes(min(size, 65536))
            if kind & 0x100:  # the value lies elsewhere
                (other,) = struct.unpack("<Q", value[:8].ljust(8, b"\0"))
                far = _Body(self, values_at + (other >> 16), other & 0xFFFF)
                value = far.bytes(min(far.take("<I")[0], 65536))
            prefix = _XATTR_PREFIXES[kind & 0xFF] if kind & 0xFF < len(_XATTR_PREFIXES) else b"?."
            found.append((prefix + name, value))
        return tuple(sorted(found))


class _Body:
    """Reads on in metadata, from block to block."""

    def __init__(self, image: SquashImage, place: int, offset: int) -> None:
        self._image = image
        self._place, self._offset = place, offset

    def bytes(self, size: int) -> bytes:
        """Return the next bytes."""
        found = self._image._read(self._place, self._offset, size)
        self._offset += size
        while self._offset >= _META:
            self._offset -= _META
            self._place = self._image._meta(self._place)[1]
        return found

    def take(self, form: str) -> tuple[int, ...]:
        """Return the next numbers, by a struct's form."""
        return struct.unpack(form, self.bytes(struct.calcsize(form)))
