# SPDX-License-Identifier: MIT
"""GRUB environment blocks (GRUB manual, "The GRUB environment block"): 1024 bytes of NAME=VALUE lines, filled by '#'.

Each revision's boot-env is one, and so is the boot record (`orchestrator.image.record`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orchestrator.errors import ConfigError

BLOCK_SIZE = 1024
_HEADER = b"# GRUB Environment Block\n"
_NAME = re.compile(r"[a-z_]+\Z")
_VALUE = re.compile(r"[ -~]*\Z")
_ARGUMENT = re.compile(r"[A-Za-z0-9_.,:;=+/@%^~!-]+\Z")


def encode(variables: Mapping[str, str], *, within: int = BLOCK_SIZE) -> bytes:
    """Return the 1024 bytes of a block that sets `variables`, in the given order, all in the first `within` bytes.

    The order is the caller's because it can matter: see the boot record. A backslash is escaped by another, as GRUB
    does. Raises ConfigError for a name of other than small letters and _, for a value that is not printable ASCII (a
    line end above all), and when they do not fit.
    """
    block = _HEADER
    for name, value in variables.items():
        if not _NAME.match(name):
            raise ConfigError(f"not a GRUB variable name: {name!r}", "small letters and _ only")
        if not _VALUE.match(value):
            raise ConfigError(
                f"GRUB variable {name} cannot hold this value", f"{value[:80]!r} is not printable ASCII on one line"
            )
        escaped = value.replace("\\", "\\\\")
        block += f"{name}={escaped}\n".encode("ascii")
    if len(block) > within:
        raise ConfigError(
            "the variables do not fit into the GRUB environment block",
            f"they need {len(block)} bytes, {within} are available",
            "shorten kernel: {args: [...]} in the product file",
        )
    return block.ljust(BLOCK_SIZE, b"#")


def decode(block: bytes) -> dict[str, str] | None:
    """Return the variables of a block exactly as GRUB reads them, or None when it is not a block.

    As lenient as GRUB (grub-core/lib/envblk.c): what both read must not differ. Bytes that are not UTF-8 are replaced.
    """
    if len(block) != BLOCK_SIZE or not block.startswith(_HEADER):
        return None
    variables: dict[str, str] = {}
    position = len(_HEADER)
    while position < BLOCK_SIZE:
        if block[position] != ord("#"):
            equals = block.find(b"=", position)
            if equals < 0:
                break
            end = equals + 1
            while end < BLOCK_SIZE and block[end] != ord("\n"):
                end += 2 if block[end] == ord("\\") else 1
            if end >= BLOCK_SIZE:
                break
            name, value = block[position:equals], re.sub(rb"(?s)\\(.)", rb"\1", block[equals + 1 : end])
            variables[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
            position = end
        newline = block.find(b"\n", position)
        position = BLOCK_SIZE if newline < 0 else newline + 1
    return variables


def boot_env(kernel_arguments: Sequence[str]) -> bytes:
    """Return the boot-env blob of a revision: the block that gives GRUB the kernel's command line, `kernel_args`.

    Raises ConfigError for an argument that GRUB would split, expand or escape, and when they do not fit.
    """
    for argument in kernel_arguments:
        if not _ARGUMENT.match(argument):
            raise ConfigError(
                f"the kernel argument {argument!r} cannot be passed by the boot loader",
                "blanks, quotes, backslashes, wildcards and '$' have a meaning of their own there",
                "write the argument without them; lists can use commas",
            )
    return encode({"kernel_args": " ".join(kernel_arguments)})
