# SPDX-License-Identifier: MIT
"""Values of the product file as YAML text in the form that its examples have: short lists and mappings in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

_WIDTH = 110


def entry(key: str, value: Any, column: int, step: int = 2, *, block: bool = False) -> str:
    """Return `key: value` as lines that begin at `column`, each further level `step` deeper, with a last line end.

    `value` is made of mappings, lists, texts, numbers, booleans and None; with `block` its own keys get lines each.
    """
    pad = " " * column
    short = f"{pad}{_inline(key)}: {_inline(value)}"
    if not isinstance(value, Mapping | list) or not value:
        return short + "\n"
    if not block and len(short) <= _WIDTH and _is_short(value):
        return short + "\n"
    head = f"{pad}{_inline(key)}:\n"
    if isinstance(value, Mapping):
        return head + "".join(entry(str(name), item, column + step, step) for name, item in value.items())
    return head + "".join(_item(item, column + step, step) for item in value)


def _item(value: Any, column: int, step: int) -> str:
    pad = " " * column
    if isinstance(value, Mapping) and value and not (_is_short(value) and column + len(_inline(value)) < _WIDTH):
        lines = "".join(entry(str(name), item, column + 2, step) for name, item in value.items())
        return f"{pad}- {lines[column + 2 :]}"
    return f"{pad}- {_inline(value)}\n"


def _is_short(value: Any) -> bool:
    """Whether a list or mapping reads well in one line: plain values, or one more level of them in a mapping."""
    items = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, Mapping) and len(value) > 6:
        return False
    return all(not isinstance(item, Mapping | list) or (len(item) <= 3 and _is_flat(item)) for item in items)


def _is_flat(value: Any) -> bool:
    items = value.values() if isinstance(value, Mapping) else value
    return all(not isinstance(item, Mapping | list) for item in items)


def _inline(value: Any) -> str:
    text: str = yaml.safe_dump(_plain(value), default_flow_style=True, width=2**31, sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
