# SPDX-License-Identifier: MIT
"""Debian version order, Debian Policy 5.6.12, as a sort key."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
_OPERATORS = ("<<", "<=", "=", ">=", ">>")

Key = tuple[int, tuple[Any, ...], tuple[Any, ...]]


def _order(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


def _part_key(text: str) -> tuple[Any, ...]:
    key: list[Any] = []
    for letters, digits in _PARTS.findall(text):
        if letters or digits:
            # The 0 ends the run: after "~" (-1) and before every letter, as Policy wants the end of a part to sort.
            key.append((*map(_order, letters), 0))
            key.append(int(digits or 0))
    key.append((0,))
    return tuple(key)


@lru_cache(maxsize=65536)
def version_key(version: str) -> Key:
    """Return a key that sorts versions as dpkg does; raises ValueError for an epoch that is no number."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    if not epoch.isdigit():
        raise ValueError(f"the epoch of version {version!r} is not a number")
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return int(epoch), _part_key(upstream), _part_key(revision)


def satisfies(version: str, operator: str, wanted: str) -> bool:
    """Say whether `version` fulfils a relation such as (">=", "1.2"); raises ValueError for an unknown operator."""
    if operator not in _OPERATORS:
        raise ValueError(f"unknown relation operator {operator!r}")
    one, two = version_key(version), version_key(wanted)
    if operator == "=":
        return one == two
    if operator[0] == "<":
        return one < two or (operator == "<=" and one == two)
    return one > two or (operator == ">=" and one == two)
