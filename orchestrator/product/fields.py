# SPDX-License-Identifier: MIT
"""A complaint about one field of several that a struct checks together: it names the field as the product file does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Path = tuple[str | int, ...]
Value = TypeVar("Value")


class FieldError(ValueError):
    """A wrong value at `path` below the struct that raises it; `hint` says what to write instead, or is empty."""

    def __init__(self, path: Path | str, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.path: Path = (path,) if isinstance(path, str) else path
        self.hint = hint


def within(path: Path | str, read: Callable[[str], Value], text: str) -> Value:
    """Return `read(text)`; its ValueError becomes one about the field at `path`."""
    try:
        return read(text)
    except ValueError as problem:
        raise FieldError(path, str(problem)) from problem
