# SPDX-License-Identifier: MIT
"""The lines beside a log: which revision came from which, drawn as git draws them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from orchestrator.cli.plain import Paint
from orchestrator.history.graph import Commit


class Drawing:
    """Draws commits that come children first; `shown` are the ids of all that will come.

    A column is a line that leads down to a commit which was named as a parent and has not come yet.
    """

    def __init__(self, shown: Collection[str], paint: Paint) -> None:
        self.shown = shown
        self.paint = paint
        self.columns: list[str] = []

    def lines(self, commit: Commit, text: Sequence[str]) -> list[str]:
        """Return the text of a commit with the lines beside it, and what follows to the next commit."""
        result = self._join(commit.id)
        if commit.id not in self.columns:
            self.columns.append(commit.id)
        here = self.columns.index(commit.id)
        parents = [parent for parent in dict.fromkeys(commit.parents) if parent in self.shown]
        head = self._bars(here, self.paint("*", "yellow"))
        result.append(f"{head} {text[0]}")
        below = self._bars(here, "|" if parents else " ")
        result += [f"{below} {line}".rstrip() for line in text[1:]]
        result += self._fork(here, parents)
        return result

    def _bars(self, at: int, mark: str) -> str:
        return " ".join(mark if position == at else "|" for position in range(len(self.columns)))

    def _join(self, digest: str) -> list[str]:
        """Lead all columns that wait for a commit into the first of them."""
        found = []
        while self.columns.count(digest) > 1:
            first = self.columns.index(digest)
            last = len(self.columns) - 1 - self.columns[::-1].index(digest)
            line = list(" ".join("|" * len(self.columns)))
            line[2 * last] = " "
            line[2 * last - 1] = "/"
            for position in range(2 * first + 1, 2 * last - 1):
                if line[position] == " ":
                    line[position] = "_"
            for position in range(last + 1, len(self.columns)):
                line[2 * position] = " "
                line[2 * position - 1] = "/"
            found.append("".join(line).rstrip())
            del self.columns[last]
        return found

    def _fork(self, here: int, parents: Sequence[str]) -> list[str]:
        """Put a commit's parents into its column and new ones right of it; the columns right of those move."""
        if not parents:
            rest = len(self.columns) - here - 1
            del self.columns[here]
            return [" ".join(["|"] * here + [" /"] * rest).rstrip()] if rest else []
        self.columns[here] = parents[0]
        found = []
        for number, parent in enumerate(parents[1:], start=1):
            position = here + number
            before = " ".join("|" * position)
            rest = len(self.columns) - position
            found.append(f"{before}\\" + " \\" * rest)
            self.columns.insert(position, parent)
        return found
