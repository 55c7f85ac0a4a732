# SPDX-License-Identifier: MIT
"""Reading JSON from strangers: bounded, valid UTF-8, no member named twice, then checked against a type."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

import msgspec

from orchestrator.canonical import canonical_json
from orchestrator.errors import PyContainerError, VerificationError

T = TypeVar("T")

DEPTH_LIMIT = 32
"""Brackets within brackets at most: nothing that we read has half of it, and no parser's stack is at stake."""

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # the closing quote is optional, or a cut text costs n^2


def _depth(data: bytes) -> int:
    deepest = depth = 0
    for bracket in re.findall(rb"[\[\]{}]", _STRING.sub(b"", data)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {twice[:80]!r} is given twice")
    return result


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def load_json(
    data: bytes, what: str, *, limit: int, canonical: bool = False, error: type[PyContainerError] = VerificationError
) -> Any:
    """Return the value of a JSON text of at most `limit` bytes; raises `error`, naming `what`, when it is not one.

    Members given twice are refused: two parsers would read two meanings out of one signed text. With `canonical`, the
    bytes must also be exactly those that `canonical_json` gives for their value.
    """
    if len(data) > limit:
        raise error(f"{what} is too large", f"{len(data)} bytes, the limit is {limit}")
    if _depth(data) > DEPTH_LIMIT:
        raise error(f"{what} is not acceptable JSON", f"it is nested deeper than {DEPTH_LIMIT} levels")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        # Encoding also refuses half of a surrogate pair, which JSON can spell and UTF-8 cannot.
        same = canonical_json(value) == data or not canonical
    except ValueError as problem:
        raise error(f"{what} is not acceptable JSON", str(problem)[:200]) from problem
    if not same:
        raise error(f"{what} is not in its canonical form", "keys must be sorted, with no spaces between")
    return value


def decode(
    data: bytes,
    type: type[T],
    what: str,
    *,
    limit: int,
    canonical: bool = False,
    error: type[PyContainerError] = VerificationError,
) -> T:
    """Return `data` as a value of a msgspec `type`; raises `error`, naming `what` and the place, when it is none."""
    return convert(load_json(data, what, limit=limit, canonical=canonical, error=error), type, what, error=error)


def convert(value: Any, type: type[T], what: str, *, error: type[PyContainerError] = VerificationError) -> T:
    """Return plain JSON values as a value of a msgspec `type`; raises `error` when they do not fit."""
    try:
        return msgspec.convert(value, type)
    except msgspec.ValidationError as problem:
        raise error(f"{what} does not have the right form", str(problem)[:300]) from problem
