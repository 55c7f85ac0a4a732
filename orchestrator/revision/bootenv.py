# SPDX-License-Identifier: MIT
"""GRUB environment blocks: 1024 bytes of NAME=VALUE lines, padded with '#' (GRUB manual, "Environment block")."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orchestrator.errors import ConfigError, VerificationError

BLOCK_SIZE = 1024
_HEADER = b"# GRUB Environment Block\n"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_VALUE = re.compile(r"[\x20-\x7e]*\Z")


def encode(variables: Mapping[str, str], *, within: int = BLOCK_SIZE) -> bytes:
    """Return the 1024 bytes of a block that holds `variables`, sorted, all in the first `within` bytes.

    GRUB escapes a backslash by another. Raises ConfigError for a name that is no identifier, for a value that is not
    printable ASCII (a line end above all), and when they do not fit.
    """
    lines = [_HEADER]
    for name, value in sorted(variables.items()):
        if not _NAME.match(name):
            raise ConfigError(f"not a GRUB variable name: {name!r}", "letters, digits and _ only")
        if not _VALUE.match(value):
            raise ConfigError(
                f"GRUB variable {name} cannot hold this value", f"{value[:80]!r} is not printable ASCII on one line"
            )
        escaped = value.replace("\\", "\\\\")
        lines.append(f"{name}={escaped}\n".encode("ascii"))
    data = b"".join(lines)
    if len(data) > within:
        raise ConfigError(
            "the variables do not fit into the GRUB environment block",
            f"they need {len(data)} bytes, {within} are available",
            "shorten the kernel arguments",
        )
    return data.ljust(BLOCK_SIZE, b"#")


def decode(block: bytes) -> dict[str, str]:
    """Return the variables of a block as GRUB reads them; raises VerificationError for anything that is no block."""
    if len(block) != BLOCK_SIZE or not block.startswith(_HEADER):
        raise VerificationError("not a GRUB environment block", f"{len(block)} bytes, or without its first line")
    variables: dict[str, str] = {}
    position = len(_HEADER)
    while position < BLOCK_SIZE:
        if block[position] == ord("#"):
            end = block.find(b"\n", position)
            if end < 0:
                break
            position = end + 1
            continue
        line = re.compile(rb"([^=\n]+)=((?:\\[\x00-\xff]|[^\\\n])*)\n").match(block, position)
        if line is None:
            raise VerificationError("a GRUB environment block is damaged", f"at byte {position}")
        try:
            name, value = line[1].decode("ascii"), re.sub(rb"\\([\x00-\xff])", rb"\1", line[2]).decode("ascii")
        except UnicodeDecodeError as problem:
            raise VerificationError("a GRUB environment block is damaged", f"at byte {position}") from problem
        if not _NAME.match(name) or not _VALUE.match(value) or name in variables:
            raise VerificationError("a GRUB environment block is damaged", f"the variable at byte {position}")
        variables[name] = value
        position = line.end()
    return variables


def boot_env(kernel_arguments: Sequence[str]) -> bytes:
    """Return the boot-env blob of a revision: a block with `kernel_args`, the arguments joined by spaces."""
    for argument in kernel_arguments:
        if not argument or " " in argument.split('"')[0] or argument.count('"') % 2:
            raise ConfigError(f"not one kernel argument: {argument!r}", "each is one word; spaces only within quotes")
    return encode({"kernel_args": " ".join(kernel_arguments)})
