# SPDX-License-Identifier: MIT
"""ScanCode's keys for what the SPDX list has no identifier for, where a name says just that.

Source: the ScanCode LicenseDB (the index that license-expression carries). A key names a kind of licence, not a text:
the id that `resolver` mints adds the text's digest to it.
"""

from __future__ import annotations

import re

_KINDS = (
    (re.compile(r"(?:pd|public[ -]?domain)(?:[ -](?:dedication|notice))?"), "public-domain"),
    (
        re.compile(r"(?:proprietary|unlicensed|all[ -]rights[ -]reserved|closed)(?:[ -]licen[cs]e)?"),
        "proprietary-license",
    ),
    (re.compile(r"permissive"), "other-permissive"),
    (re.compile(r"copyleft"), "other-copyleft"),
)
_KEY = re.compile(r"LicenseRef-scancode-([a-z0-9.-]{1,80}?)-*\Z")


def key(name: str) -> str:
    """Return the part of a LicenseRef that ScanCode's key makes (`scancode-public-domain`), or an empty text."""
    if own := _KEY.match(name):
        return f"scancode-{own[1]}"
    folded = " ".join(name.lower().split())
    return next((f"scancode-{known}" for pattern, known in _KINDS if pattern.fullmatch(folded)), "")
