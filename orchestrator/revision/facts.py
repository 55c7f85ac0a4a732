# SPDX-License-Identifier: MIT
"""Product facts for the host: a second cpio segment behind the initramfs that BitBake built.

The host must know the product's public keys before it can trust anything, and BitBake must know neither keys nor
product; the kernel unpacks both segments into one root (Documentation/driver-api/early-userspace/buffer-format.rst).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.canonical import canonical_json
from orchestrator.errors import BuildError

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
