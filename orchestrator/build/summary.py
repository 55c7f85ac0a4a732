# SPDX-License-Identifier: MIT
"""What a build came to, as plain values: the summary screen and `--json` are made of this."""

from __future__ import annotations

from typing import Any

import msgspec


class LayerSummary(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One layer: `size` is the sum of its blobs in bytes; counts come from its SPDX document."""

    name: str
    kind: str
    version: str
    size: int
    packages: int
    licences: int
    copyleft: int
    unknown: int
    spdx: str
    relaxations: list[str] = []
    ports: list[str] = []


class BuildSummary(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One build: `unchanged` when nothing had to be done, `seconds` the time it took, sizes in bytes.

    `relaxations` are those of the product as a whole, which no layer has; `emulated` is whether QEMU shows the machine.
    """

    product: str
    version: str
    machine: str
    revision: str
    layers: list[LayerSummary]
    relaxations: list[str] = []
    image: str
    image_size: int
    image_used: int
    bmap: str
    store: str
    sbom: str
    bitbake_tasks: int
    assembled: list[str]
    signed_by: list[str]
    emulated: bool
    unchanged: bool
    seconds: float

    def to_data(self) -> dict[str, Any]:
        """Return the summary as plain values for JSON."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data


def from_data(value: Any) -> BuildSummary | None:
    """Return the summary that a stamp kept, or None when it does not have the form of this release."""
    try:
        return msgspec.convert(value, BuildSummary)
    except msgspec.ValidationError:
        return None
