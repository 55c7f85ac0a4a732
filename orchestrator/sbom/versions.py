# SPDX-License-Identifier: MIT
"""The order of versions: Debian's exactly, and one for everything else that agrees with it on plain numbers.

Source: Debian Policy 5.6.12 ("Version"): epoch, upstream version, revision; digits compare as numbers, `~` sorts before
everything, even the end; letters sort before all other characters.
"""

from __future__ import annotations

import functools
import re

_LIMIT = 512
_PARTS = re.compile(r"(\D*)(\d*)")
_DEBIAN = re.compile(r"(?:(\d{1,18}):)?(.+?)(?:-([^-]*))?\Z", re.DOTALL)

Key = tuple[tuple[tuple[int, ...], int], ...]


def debian_key(version: str) -> tuple[int, Key, Key]:
    """Return what sorts as Debian sorts versions; raises ValueError for a version of more than 512 characters."""
    if len(version) > _LIMIT:
        raise ValueError(f"a version of more than {_LIMIT} characters")
    match = _DEBIAN.match(version)
    if match is None:
        return (0, _pieces(""), _pieces(""))
    return (int(match[1] or 0), _pieces(match[2]), _pieces(match[3] or "0"))


@functools.cache
def _weight(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isascii() and character.isalpha() else ord(character) + 256


def _pieces(text: str) -> Key:
    """Text and number in turn; the end of a text weighs nothing, so that `~` sorts before it."""
    found = []
    for text_part, number in _PARTS.findall(text):
        if not text_part and not number:
            continue
        found.append(((*map(_weight, text_part), 0), int(number or 0)))
    found.append(((0,), 0))
    return tuple(found)


def compare_debian(one: str, other: str) -> int:
    """Return -1, 0 or 1 as `one` is earlier than, the same as, or later than `other` in Debian's order."""
    left, right = debian_key(one), debian_key(other)
    if left[0] != right[0]:
        return -1 if left[0] < right[0] else 1
    for mine, theirs in zip(left[1:], right[1:], strict=True):
        if outcome := _compare(mine, theirs):
            return outcome
    return 0


def _compare(mine: Key, theirs: Key) -> int:
    nothing = ((0,), 0)
    for position in range(max(len(mine), len(theirs))):
        left = mine[position] if position < len(mine) else nothing
        right = theirs[position] if position < len(theirs) else nothing
        if left != right:
            return -1 if left < right else 1
    return 0


_SEMVER = re.compile(r"[vV]?(\d{1,18}(?:\.\d{1,18})*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?\Z")


def compare_semantic(one: str, other: str) -> int:
    """Return -1, 0 or 1 in the order of Semantic Versioning 2.0.0, section 11; Debian's order for other forms."""
    left, right = _SEMVER.match(one), _SEMVER.match(other)
    if left is None or right is None:
        return compare_debian(one, other)
    mine, theirs = _numbers(left[1]), _numbers(right[1])
    length = max(len(mine), len(theirs))
    mine, theirs = mine + (0,) * (length - len(mine)), theirs + (0,) * (length - len(theirs))
    if mine != theirs:
        return -1 if mine < theirs else 1
    if (left[2] or "") == (right[2] or ""):
        return 0
    if not left[2] or not right[2]:
        return 1 if not left[2] else -1
    before, after = (
        [(0, int(part), "") if part.isdecimal() and len(part) < 19 else (1, 0, part) for part in text.split(".")]
        for text in (left[2], right[2])
    )
    return 0 if before == after else -1 if before < after else 1


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
