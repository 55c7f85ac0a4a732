# SPDX-License-Identifier: MIT
"""Product facts for the host: a second cpio segment behind the initramfs that BitBake built.

The host must know the product's public keys before it can trust anything, and BitBake must know neither keys nor
product; the kernel unpacks both segments into one root (Documentation/driver-api/early-userspace/buffer-format.rst).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from orchestrator.canonical import canonical_json
from orchestrator.errors import BuildError, TrustError
from orchestrator.oci.layout import Layout
from orchestrator.oci.strict import decode
from orchestrator.revision.parts import Name, Natural, Part

FACTS_PATH = "etc/pycontainer/product.json"
KEYS_LIMIT = 16
"""What the device reads (facts.h of pycontainer-device)."""
_DIRECTORY = 0o040755
_REGULAR = 0o100644
_SEGMENT_STARTS = (b"070701", b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"\xfd7zXZ")
"""newc cpio, zstd, gzip, xz: how the first segment may begin."""


def product_facts(
    product: str, machine: str, keys: Sequence[tuple[str, str]], *, threshold: int = 1, floor: int = 0
) -> bytes:
    """Return `product.json`: the public keys as (keyid, base64 of 32 bytes) and how many of them must sign."""
    if not 1 <= threshold <= len(keys):
        raise BuildError(
            "the host would trust nothing", f"{threshold} signatures of {len(keys)} keys", "correct trust.json"
        )
    if len(keys) > KEYS_LIMIT:
        raise BuildError("the product trusts too many keys", f"{len(keys)}, a device takes {KEYS_LIMIT}")
    listed = [{"keyid": keyid, "public": public} for keyid, public in sorted(keys)]
    return canonical_json(
        {
            "schemaVersion": 1,
            "product": product,
            "machine": machine,
            "floor": floor,
            "threshold": threshold,
            "keys": listed,
        }
    )


def newc(files: dict[str, bytes]) -> bytes:
    """Return an uncompressed newc archive of regular files and the folders above them; the same input, the same bytes.

    Times are 0, owners root, inode numbers count from 1. Paths are relative and plain.
    """
    folders = {str(parent) for path in files for parent in Path(path).parents if str(parent) != "."}
    archive = bytearray()
    for inode, name in enumerate(sorted(folders | set(files)), start=1):
        if Path(name).is_absolute() or ".." in Path(name).parts or str(Path(name)) != name:
            raise BuildError("not a plain relative path for the initramfs", name)
        folder = name in folders
        _member(archive, inode, _DIRECTORY if folder else _REGULAR, 2 if folder else 1, name, files.get(name, b""))
    _member(archive, 0, 0, 1, "TRAILER!!!", b"")
    return bytes(archive)


def _member(archive: bytearray, inode: int, mode: int, links: int, name: str, data: bytes) -> None:
    encoded = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    archive += b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    _align(archive)
    archive += data
    _align(archive)


def _align(archive: bytearray) -> None:
    archive += bytes(-len(archive) % 4)


def initramfs_with_facts(initramfs: Path, facts: bytes) -> bytes:
    """Return the initramfs blob of a product: the file that BitBake built, zeroes up to 4 bytes, the facts' segment."""
    try:
        data = bytearray(initramfs.read_bytes())
    except OSError as problem:
        raise BuildError(f"cannot read the initramfs {initramfs}", str(problem)) from problem
    if not data.startswith(_SEGMENT_STARTS):
        raise BuildError(f"{initramfs} is not an initramfs", "it is neither a newc cpio nor a compressed one")
    _align(data)
    return bytes(data) + newc({FACTS_PATH: facts})


class FactKey(Part, frozen=True, kw_only=True):
    """A trusted key: its id, and its 32 bytes in base64."""

    keyid: Annotated[str, msgspec.Meta(max_length=128)]
    public: Annotated[str, msgspec.Meta(max_length=64)]


class Facts(Part, frozen=True, kw_only=True):
    """What `product.json` in a host image says."""

    schema_version: Literal[1]
    product: Name
    machine: Name
    floor: Natural
    threshold: Annotated[int, msgspec.Meta(ge=1, le=KEYS_LIMIT)]
    keys: Annotated[list[FactKey], msgspec.Meta(min_length=1, max_length=KEYS_LIMIT)]


_TAIL = 64 * 1024
"""Bytes from the end of an initramfs in which the facts' segment lies, whole: keys are small, and few."""
_NAME_OF_FACTS = FACTS_PATH.encode() + b"\0"


def read_facts(layout: Layout, digest: str) -> Facts:
    """Return the facts behind an initramfs, which is the blob `digest`; its digest is not checked here.

    The blob must end with exactly the segment that `initramfs_with_facts` writes. Raises TrustError when it does not.
    """
    with layout.blobs.open(digest) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _TAIL))
        tail = stream.read(_TAIL)
    start = tail.rfind(_NAME_OF_FACTS)
    begin, end = tail.find(b"{", start), tail.rfind(b"}") + 1
    if start < 0 or not 0 <= begin < end or not tail.endswith(newc({FACTS_PATH: tail[begin:end]})):
        raise TrustError(
            "the host image names no keys",
            f"no facts of a product are at the end of blob {digest}",
            "name a key: --key",
        )
    return decode(tail[begin:end], Facts, "the facts of the host image", limit=_TAIL, canonical=True, error=TrustError)
