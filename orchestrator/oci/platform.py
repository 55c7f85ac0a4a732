# SPDX-License-Identifier: MIT
"""Platforms of images (image-spec, image-index.md "platform"), in the words of Go's GOOS, GOARCH and their variants."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_FORM = re.compile(r"([a-z0-9]+)/([a-z0-9]+)(?:/([a-z0-9.]+))?")


@dataclass(frozen=True)
class Platform:
    """What an image runs on; `variant` is empty where the architecture has only one."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.architecture, self.variant)))


def parse_platform(text: str) -> Platform:
    """Return the platform that os/architecture[/variant] names; raises ValueError for anything else."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:60]!r} is no platform: write for example linux/amd64 or linux/arm64/v8")
    return Platform(match[1], match[2], match[3] or "")


_BASELINES = {"amd64": "v1", "arm64": "v8", "arm": "v7"}
"""What an architecture without a variant means; containerd's platform normalisation has the same."""

_VERSION = re.compile(r"v(\d{1,3})(?:\.(\d{1,3}))?\Z")


def suitability(wanted: Platform, offered: Platform) -> tuple[int, int] | None:
    """Return how well an offered platform suits the wanted one, greater is better; None when it does not run there.

    A processor runs what was made for the earlier variants of its architecture, and best what was made for its own.
    """
    if (wanted.os, wanted.architecture) != (offered.os, offered.architecture):
        return None
    baseline = _BASELINES.get(wanted.architecture, "")
    mine, theirs = wanted.variant or baseline, offered.variant or baseline
    own, other = _VERSION.match(mine), _VERSION.match(theirs)
    if own is None or other is None:
        return (0, 0) if mine == theirs else None
    version = (int(other[1]), int(other[2] or 0))
    return version if version <= (int(own[1]), int(own[2] or 0)) else None


def best(wanted: Platform, offered: Sequence[Platform]) -> int | None:
    """Return the place of what suits best, the first among equals; None when nothing does."""
    found = [(suitability(wanted, platform), -place) for place, platform in enumerate(offered)]
    suitable = [(rank, place) for rank, place in found if rank is not None]
    return -max(suitable)[1] if suitable else None
