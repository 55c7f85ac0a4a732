# SPDX-License-Identifier: MIT
"""Sizes and durations as people write them: `512MiB`, `10s`."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(\d{1,12})(?:\.(\d{1,3}))? ?([kKMGT]i?)?B?\Z", re.ASCII)
_SIZE_UNIT = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip
_DURATION = re.compile(r"(\d{1,9})(?:\.(\d{1,3}))?(ms|s|m|h)\Z", re.ASCII)
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def parse_size(text: str) -> int:
    """Return a size in bytes from `64MiB`, `1.5 GB`, `4096`; raises ValueError with an example for anything else."""
    match = _SIZE.match(text.strip())
    unit = (match.group(3) or "") if match else ""
    unit = {"K": "k", "ki": "Ki"}.get(unit, unit)
    if match is None or unit not in _SIZE_UNIT:
        raise ValueError(f"not a size: {text!r} (write for example 64MiB or 2GB)")
    fraction = match.group(2) or ""
    scale: int = 10 ** len(fraction)
    whole = int(match.group(1)) * scale + int(fraction or 0)
    return whole * _SIZE_UNIT[unit] // scale


def parse_duration(text: str) -> int:
    """Return a duration in milliseconds from `500ms`, `10s`, `1.5m`, `2h`; raises ValueError otherwise."""
    match = _DURATION.match(text.strip())
    if match is None:
        raise ValueError(f"not a duration: {text!r} (write for example 500ms or 10s)")
    fraction = match.group(2) or ""
    scale: int = 10 ** len(fraction)
    whole = int(match.group(1)) * scale + int(fraction or 0)
    return whole * _MILLISECONDS[match.group(3)] // scale


def format_size(size: int) -> str:
    """Return a byte count as people read it, decimal units: 1234567 -> `1.2 MB`."""
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95 or unit == "TB":
            break
    return f"{value:.1f} {unit}"
