# SPDX-License-Identifier: MIT
"""What goes wrong in a recipe, in the words of the person who has to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class LayerError(Exception):
    """A layer that cannot be deployed: what, why, and what to do."""

    def __init__(self, what: str, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.hint = what, why, hint

    def __str__(self) -> str:
        return "\n".join(line for line in (self.what, self.why, self.hint) if line)


@contextmanager
def reported(fatal: Callable[[str], object]) -> Iterator[None]:
    """Turn a LayerError into BitBake's own way to end a task: its message without a traceback."""
    try:
        yield
    except LayerError as problem:
        fatal(str(problem))
