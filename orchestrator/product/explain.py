# SPDX-License-Identifier: MIT
"""The model's types in words for people: what was expected, which keys and choices there are at a place."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from orchestrator.product.fields import Path

_TYPES = re.compile(r"Expected `([^`]+)`, got `([^`]+)`\Z")
_LENGTH = re.compile(r"Expected `(str|array)` of length (>=|<=) (\d+)\Z")
_BOUND = re.compile(r"Expected `(?:int|float)` (>=|<=|>|<) (-?[\d.]+)\Z")
_NOUNS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
    "array": "a list",
    "object": "keys with values",
}
_COMPARED = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def in_words(reason: str) -> str:
    """Say in words what the decoder says in its own types."""
    if types := _TYPES.match(reason):
        wanted = " or ".join(_NOUNS.get(word, word) for word in types[1].split(" | ") if word != "null")
        return f"{wanted} is expected, not {_NOUNS.get(types[2], types[2])}"
    if length := _LENGTH.match(reason):
        what = "characters" if length[1] == "str" else "entries"
        return f"{_COMPARED[length[2]]} {length[3]} {what} are {'needed' if length[2] == '>=' else 'allowed'}"
    if bound := _BOUND.match(reason):
        return f"it must be {_COMPARED[bound[1]]} {bound[2].removesuffix('.0')}"
    return reason


def choices(kind: Any, path: Path) -> list[str]:
    """The words that are allowed at `path` below `kind`, sorted; none when it is not a choice."""
    return sorted(str(value) for item in _types_at(kind, path) for value in getattr(item, "values", ()))


def keys(kind: Any, path: Path, *, required: bool = False) -> list[str]:
    """The keys that the mapping at `path` below `kind` may have, or must have."""
    return [
        field.encode_name
        for item in _types_at(kind, path)
        if isinstance(item, msgspec.inspect.StructType)
        for field in item.fields
        if field.required or not required
    ]


def _types_at(kind: Any, path: Path) -> list[Any]:
    """The types that a value at `path` below `kind` may have."""
    found: list[Any] = [msgspec.inspect.type_info(kind)]
    for step in (*path, None):
        plain: list[Any] = []
        while found:
            item = found.pop()
            if isinstance(item, msgspec.inspect.UnionType):
                found.extend(item.types)
            elif isinstance(item, msgspec.inspect.Metadata):
                found.append(item.type)
            else:
                plain.append(item)
        if step is None:
            return plain
        for item in plain:
            if isinstance(item, msgspec.inspect.StructType) and isinstance(step, str):
                found += [field.type for field in item.fields if field.encode_name == step]
            elif isinstance(item, msgspec.inspect.ListType) and isinstance(step, int):
                found.append(item.item_type)
    return []


def field_names(kind: Any) -> list[str]:
    """Every key that the product file knows, at any depth below `kind`, as it is written in YAML."""
    names: set[str] = set()
    seen: set[type] = set()
    pending: list[Any] = [msgspec.inspect.type_info(kind)]
    while pending:
        item = pending.pop()
        if isinstance(item, msgspec.inspect.StructType) and item.cls not in seen:
            seen.add(item.cls)
            names |= {field.encode_name for field in item.fields}
            pending += [field.type for field in item.fields]
        elif isinstance(item, msgspec.inspect.UnionType):
            pending.extend(item.types)
        elif isinstance(item, msgspec.inspect.ListType):
            pending.append(item.item_type)
        elif isinstance(item, msgspec.inspect.DictType):
            pending.append(item.value_type)
    return sorted(names)
