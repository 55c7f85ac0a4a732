# SPDX-License-Identifier: MIT
"""Capabilities that a program has in its file: capabilities(7), and vfs_cap_data of linux/capability.h."""

from __future__ import annotations

import struct
from collections.abc import Collection

from orchestrator.errors import ConfigError
from orchestrator.layers.defaults import CAPABILITIES
from orchestrator.layers.nodes import File

ATTRIBUTE = b"security.capability"

_EFFECTIVE = 1
_SIZES = {1: 12, 2: 20, 3: 24}


def needed(file: File) -> frozenset[str]:
    """Return the capabilities without which the kernel refuses to start a program: those permitted by its file, when
    that has the effective bit. Without that bit it starts with what it gets.

    An attribute that the kernel would not take says nothing, nor does one for a namespace of other users.
    """
    data = file.xattrs.get(ATTRIBUTE, b"")
    if len(data) < 4:
        return frozenset()
    (magic,) = struct.unpack_from("<I", data)
    revision = magic >> 24
    if _SIZES.get(revision) != len(data) or not magic & _EFFECTIVE:
        return frozenset()
    if revision == 3 and struct.unpack_from("<I", data, 20) != (0,):
        return frozenset()
    permitted: int = struct.unpack_from("<I", data, 4)[0]
    if revision > 1:
        permitted |= struct.unpack_from("<I", data, 12)[0] << 32
    return frozenset(name.removeprefix("CAP_") for number, name in enumerate(CAPABILITIES) if permitted >> number & 1)


def check(file: File, program: str, layer: str, capabilities: Collection[str]) -> None:
    """Refuse a program of a layer that could not be started with the `capabilities` of its container; ConfigError."""
    kept = {name.upper().removeprefix("CAP_") for name in capabilities}
    if lacking := sorted(needed(file) - kept):
        names = ", ".join(lacking)
        raise ConfigError(
            f"the layer {layer} cannot run {program!r}",
            f"its file has {names}, which the container has not: the kernel refuses to start it",
            f"grant it (relax: [{{capabilities: [{names}], reason: ...}}]), or make the image without (setcap -r)",
        )
