# SPDX-License-Identifier: MIT
"""Platforms of images (image-spec, image-index.md "platform"), in the words of Go's GOOS, GOARCH and their variants."""

from __future__ import annotations

import re
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
