# SPDX-License-Identifier: MIT
"""The kernel and its modules: the release in the image's header, and the tags of each module's section .modinfo.

Sources: Linux Documentation/arch/x86/boot.rst (kernel_version), include/linux/module.h and
Documentation/process/license-rules.rst (what MODULE_LICENSE may say).
"""

from __future__ import annotations

import lzma
import posixpath
import re
import zlib
from dataclasses import dataclass, field

import zstandard

from orchestrator.sbom.elf import ElfError, parse, section_data
from orchestrator.sbom.files import Bytes, ByteSource

_MODULE = re.compile(r"(?:.*/)?([^/]+)\.ko(?:\.(xz|zst|gz))?\Z")
_MAX_PACKED = 64 * 1024 * 1024
_MAX_PLAIN = 256 * 1024 * 1024
_MAX_INFO = 4 * 1024 * 1024
_BANNER = re.compile(rb"Linux version ([0-9][\x21-\x7e]{0,100}) ")
_BANNER_LIMIT = 64 * 1024 * 1024

LICENCES = {
    "GPL": "GPL-2.0-only",
    "GPL v2": "GPL-2.0-only",
    "GPL and additional rights": "GPL-2.0-only",
    "Dual BSD/GPL": "GPL-2.0-only",
    "Dual MIT/GPL": "GPL-2.0-only",
    "Dual MPL/GPL": "GPL-2.0-only",
}
"""What a module's tag means at least. "GPL" makes no difference between GPL-2.0-only and later; of the dual ones the
tag does not say which variant the other licence is, so that a choice needs the source."""


@dataclass(frozen=True, slots=True)
class Module:
    """A module's tags: the licence as it stands there (several: joined by " AND "), the firmware that it may ask for,
    the modules that it needs, its version and the kernel release that it was built for; each may be empty."""

    name: str
    licences: tuple[str, ...] = ()
    firmware: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    version: str = ""
    release: str = ""
    description: str = ""
    signer: bool = field(default=False)


def module_name(path: str) -> str | None:
    """Return the name of the module that a path is of ("_" for "-"), or None for any other file."""
    match = _MODULE.match(path)
    return match[1].replace("-", "_") if match else None


def read_module(path: str, source: ByteSource) -> Module:
    """Return a module's tags; raises ElfError when it cannot be unpacked or is no module."""
    name = module_name(path) or posixpath.basename(path)
    plain = _plain(path, source)
    info = section_data(plain, parse(plain), ".modinfo", _MAX_INFO)
    if info is None:
        raise ElfError("no section .modinfo")
    tags: dict[str, list[str]] = {}
    for entry in info.split(b"\0"):
        key, equals, value = entry.decode("utf-8", "replace").partition("=")
        if equals:
            tags.setdefault(key, []).append(value.strip())

    def first(key: str) -> str:
        return tags.get(key, [""])[0]

    return Module(
        name=name,
        licences=tuple(dict.fromkeys(tags.get("license", ()))),
        firmware=tuple(sorted(set(tags.get("firmware", ())))),
        depends=tuple(sorted({word.replace("-", "_") for word in first("depends").split(",") if word})),
        authors=tuple(dict.fromkeys(tags.get("author", ()))),
        version=first("version"),
        release=first("vermagic").partition(" ")[0],
        description=first("description"),
    )


def _plain(path: str, source: ByteSource) -> ByteSource:
    match = _MODULE.match(path)
    packing = match[2] if match else None
    if packing is None:
        return source
    if source.size > _MAX_PACKED:
        raise ElfError(f"a packed module of {source.size} bytes")
    data = source.at(0, source.size)
    try:
        if packing == "xz":
            unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_PLAIN)
            plain, whole = unpacker.decompress(data, _MAX_PLAIN), unpacker.eof
        elif packing == "gz":
            inflater = zlib.decompressobj(31)
            plain, whole = inflater.decompress(data, _MAX_PLAIN), inflater.eof
        else:
            reader = zstandard.ZstdDecompressor(max_window_size=_MAX_PLAIN // 2).stream_reader(data)
            plain = reader.read(_MAX_PLAIN)
            whole = not reader.read(1)
    except (lzma.LZMAError, zlib.error, zstandard.ZstdError) as problem:
        raise ElfError(f"the module cannot be unpacked: {problem}") from problem
    if not whole:
        raise ElfError("the module is cut short, or too large")
    return Bytes(plain)


def release(source: ByteSource) -> str:
    """Return the release of a kernel image, or an empty text when the image does not say: x86's header, or a banner."""
    head = source.at(0, 0x210)
    if head[0x202:0x206] == b"HdrS":
        text = source.at(int.from_bytes(head[0x20E:0x210], "little") + 0x200, 256)
        words = text.partition(b"\0")[0].decode("ascii", "replace").split()
        return words[0] if words else ""
    if source.size <= _BANNER_LIMIT and (match := _BANNER.search(source.at(0, source.size))):
        return match[1].decode("ascii")
    return ""
