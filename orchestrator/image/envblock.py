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
    """Return the variables of a block (or of its beginning), or None when it is not one.

    Stricter than GRUB: a foreign byte, a repeated or unknown-looking name, or anything after the filling refuses it.
    """
    if not data.startswith(_SIGNATURE):
        return None
    body = data[len(_SIGNATURE) :].rstrip(b"#")
    if body and not body.endswith(b"\n"):
        return None
    variables: dict[str, str] = {}
    for line in body.split(b"\n")[:-1]:
        name, equals, value = line.partition(b"=")
        if not equals or not _NAME.match(name) or not _VALUE.match(value) or b"\\" in value:
            return None
        if name.decode() in variables:
            return None
        variables[name.decode()] = value.decode()
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
