# SPDX-License-Identifier: MIT
"""GRUB environment blocks (GRUB manual, "The GRUB environment block"): 1024 bytes of NAME=VALUE lines, filled by '#'.

Used for the boot record and for each revision's boot-env. Values are kept to what GRUB's script language passes on
unchanged, so nothing is ever escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orchestrator.errors import ConfigError

SIZE = 1024
_SIGNATURE = b"# GRUB Environment Block\n"
_NAME = re.compile(rb"[a-z_]+\Z")
_VALUE = re.compile(rb"[ -~]*\Z")
_ARGUMENT = re.compile(r"[A-Za-z0-9_.,:;=+/@%^~!-]+\Z")


def encode(variables: Mapping[str, str]) -> bytes:
    """Return the block that sets `variables`, in order; raises ValueError when they do not fit or need escapes."""
    block = _SIGNATURE
    for name, value in variables.items():
        raw = value.encode()
        if not _NAME.match(name.encode()) or not _VALUE.match(raw) or b"\\" in raw:
            raise ValueError(f"not a GRUB variable: {name}={value!r}")
        block += name.encode() + b"=" + raw + b"\n"
    if len(block) > SIZE:
        raise ValueError(f"the GRUB environment block is full: {len(block)} of {SIZE} bytes")
    return block.ljust(SIZE, b"#")


def decode(data: bytes) -> dict[str, str] | None:
    """Return the variables of a block exactly as GRUB reads them, or None when it is not a block.

    As lenient as GRUB (grub-core/lib/envblk.c): what both read must not differ. Bytes that are not UTF-8 are replaced.
    """
    if len(data) != SIZE or not data.startswith(_SIGNATURE):
        return None
    variables: dict[str, str] = {}
    position = len(_SIGNATURE)
    while position < SIZE:
        if data[position : position + 1] != b"#":
            equals = data.find(b"=", position)
            if equals < 0:
                break
            end = equals + 1
            while end < SIZE and data[end] != 0x0A:
                end += 2 if data[end] == 0x5C else 1
            if end >= SIZE:
                break
            name, value = data[position:equals], re.sub(rb"(?s)\\(.)", rb"\1", data[equals + 1 : end])
            variables[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
            position = end
        newline = data.find(b"\n", position)
        position = SIZE if newline < 0 else newline + 1
    return variables


def boot_env(kernel_args: Sequence[str]) -> bytes:
    """Return a revision's boot-env: the block that gives GRUB the kernel's command line.

    Raises ConfigError for an argument that GRUB would split, expand or escape, and for a line that does not fit.
    """
    for argument in kernel_args:
        if not _ARGUMENT.match(argument):
            raise ConfigError(
                f"the kernel argument {argument!r} cannot be passed by the boot loader",
                "blanks, quotes, backslashes, wildcards and '$' have a meaning of their own there",
                "write the argument without them; lists can use commas",
            )
    try:
        return encode({"kernel_args": " ".join(kernel_args)})
    except ValueError as problem:
        raise ConfigError(
            "the kernel command line is too long", str(problem), "shorten kernel: {args: [...]} in the product file"
        ) from problem
