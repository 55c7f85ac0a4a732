# SPDX-License-Identifier: MIT
"""Block maps, format 2.0 of bmap-tools: which blocks of an image matter, with a SHA-256 for each range of them.

The map says what the file systems use, not where the image file happens to have holes: those depend on the file system
that the image was built on, and blocks that must be zero would be left out.
"""

from __future__ import annotations

import hashlib
import os
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ConfigError, VerificationError

BLOCK = 4096
RANGE_LIMIT = 4096
"""Blocks in one range at most (16 MiB): ranges are hashed side by side, and a bad block is found early."""

_NO_CHECKSUM = "0" * 64
LIMIT = 32 * 1024 * 1024
"""Bytes of a block map at most."""
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Range:
    """Blocks `first` to `last`, both included, with the SHA-256 of their bytes in hex.

    The image's last block may be short; its bytes end with the image.
    """

    first: int
    last: int
    sha256: str

    def offset(self) -> int:
        """Where the range starts, in bytes."""
        return self.first * BLOCK

    def length(self, image_size: int) -> int:
        """How many bytes the range has in an image of `image_size` bytes."""
        return min((self.last + 1) * BLOCK, image_size) - self.offset()


@dataclass(frozen=True)
class BlockMap:
    """The block map of an image of `image_size` bytes; ranges ascend and do not overlap."""

    image_size: int
    ranges: tuple[Range, ...]

    @property
    def mapped_blocks(self) -> int:
        """How many blocks are to be written."""
        return sum(each.last - each.first + 1 for each in self.ranges)

    @property
    def mapped_bytes(self) -> int:
        """How many bytes are to be written."""
        return sum(each.length(self.image_size) for each in self.ranges)


def spans(used: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return sorted, merged (first, last) block spans, cut at multiples of RANGE_LIMIT."""
    merged: list[list[int]] = []
    for first, last in sorted(used):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    cut: list[tuple[int, int]] = []
    for first, last in merged:
        while first <= last:
            end = min(last, first // RANGE_LIMIT * RANGE_LIMIT + RANGE_LIMIT - 1)
            cut.append((first, end))
            first = end + 1
    return cut


def hash_range(descriptor: int, offset: int, length: int) -> str:
    """Return the SHA-256 in hex of `length` bytes from `offset`; raises OSError when the file ends before."""
    digest = hashlib.sha256()
    while length:
        data = os.pread(descriptor, min(_CHUNK, length), offset)
        if not data:
            raise OSError(f"the file ends at byte {offset}")
        digest.update(data)
        offset += len(data)
        length -= len(data)
    return digest.hexdigest()


def map_image(descriptor: int, image_size: int, used: Iterable[tuple[int, int]]) -> BlockMap:
    """Return the block map of an open image, given the (first, last) block spans that matter."""

    def hashed(span: tuple[int, int]) -> Range:
        plain = Range(*span, "")
        return Range(*span, hash_range(descriptor, plain.offset(), plain.length(image_size)))

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        return BlockMap(image_size, tuple(pool.map(hashed, spans(used))))


def encode(block_map: BlockMap) -> bytes:
    """Return the XML file; the checksum over itself that the format asks for is computed with zeros in its place."""
    lines = [
        '<?xml version="1.0" ?>',
        '<bmap version="2.0">',
        f"    <ImageSize> {block_map.image_size} </ImageSize>",
        f"    <BlockSize> {BLOCK} </BlockSize>",
        f"    <BlocksCount> {-(-block_map.image_size // BLOCK)} </BlocksCount>",
        f"    <MappedBlocksCount> {block_map.mapped_blocks} </MappedBlocksCount>",
        "    <ChecksumType> sha256 </ChecksumType>",
        f"    <BmapFileChecksum> {_NO_CHECKSUM} </BmapFileChecksum>",
        "    <BlockMap>",
    ]
    for each in block_map.ranges:
        blocks = str(each.first) if each.first == each.last else f"{each.first}-{each.last}"
        lines.append(f'        <Range chksum="{each.sha256}"> {blocks} </Range>')
    lines += ["    </BlockMap>", "</bmap>", ""]
    text = "\n".join(lines)
    return text.replace(_NO_CHECKSUM, hashlib.sha256(text.encode()).hexdigest(), 1).encode()


def decode(data: bytes, name: str = "the block map") -> BlockMap:
    """Parse a block map of format 2.x with SHA-256 checksums and 4-KiB blocks, as bmap-tools and we write it.

    Raises VerificationError when its own checksum does not match, ConfigError when it is no such file.
    """

    def refuse(why: str) -> ConfigError:
        return ConfigError(f"{name} cannot be used", why, "build the image again; it comes with its block map")

    # No document type: nothing of entities, so that a map cannot grow while it is parsed.
    if len(data) > LIMIT or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise refuse("it is too large or declares a document type")
    try:
        root = ElementTree.fromstring(data)
        if root.tag != "bmap" or not root.get("version", "").startswith("2."):
            raise refuse("it is not a block map of format 2")
        fields = {child.tag: (child.text or "").strip() for child in root}
        checksum = fields["BmapFileChecksum"]
        size, blocks, mapped = (int(fields[key]) for key in ("ImageSize", "BlocksCount", "MappedBlocksCount"))
        if fields["ChecksumType"] != "sha256" or int(fields["BlockSize"]) != BLOCK or not _HEX.match(checksum):
            raise refuse("only SHA-256 checksums and blocks of 4096 bytes are supported")
        ranges = tuple(_range(element) for element in root.iterfind("BlockMap/Range"))
    except (ElementTree.ParseError, KeyError, ValueError) as problem:
        raise refuse(f"it does not follow the format: {problem}") from problem
    if hashlib.sha256(data.replace(checksum.encode(), _NO_CHECKSUM.encode(), 1)).hexdigest() != checksum:
        raise VerificationError(f"{name} is damaged", "its checksum does not match", "build or copy the image again")
    end = -1
    for each in ranges:
        if each.first <= end or each.last < each.first:
            raise refuse("its ranges are not in order")
        end = each.last
    block_map = BlockMap(size, ranges)
    if not ranges or size <= 0 or blocks != -(-size // BLOCK) or end >= blocks or block_map.mapped_blocks != mapped:
        raise refuse("its sizes contradict each other")
    return block_map


def _range(element: ElementTree.Element) -> Range:
    first, _, last = (element.text or "").strip().partition("-")
    checksum = element.get("chksum", "")
    if not _HEX.match(checksum):
        raise ValueError("a range without a SHA-256")
    return Range(int(first), int(last or first), checksum)


def path_for(image: Path) -> Path:
    """Where an image's block map lies: beside it, the name extended by `.bmap` (bmap-tools finds it there)."""
    return image.with_name(image.name + ".bmap")
