# SPDX-License-Identifier: MIT
"""The grammar of a licence synopsis: what stands behind `License:` in a copyright file, or in a recipe's LICENSE.

Source: machine-readable debian/copyright 1.0, "Short name" and "Syntax": `and` binds tighter than `or`, a comma before
either makes it bind looser than both; `with KEYWORDS exception` belongs to the name before it. BitBake's `&` and `|`
are read too. Where a text is ambiguous the reading is the one that asks for more: `and/or` and a bare comma are AND.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from orchestrator.sbom.expression import Node, all_of, any_of

_TOKEN = re.compile(r"[(),]|&+|\|+|[^\s(),&|]+")
_JOINED = re.compile(r"_(and|or)_", re.IGNORECASE)
_AND = frozenset({"and", "&", "&&", "and/or", "plus"})
_OR = frozenset({"or", "|", "||"})
_LATER = frozenset({"later", "newer", "any", "above"})
_MAX_TOKENS = 2000
_MAX_DEPTH = 16

Atom = Callable[[str, str], Node]
"""Gives the meaning of a name and the keywords behind its `with` (empty without)."""


class SynopsisError(ValueError):
    """A synopsis that the grammar does not cover."""


def parse(text: str, atom: Atom) -> Node:
    """Parse a synopsis; every name in it goes through `atom` exactly once, from left to right.

    Raises SynopsisError; exceptions of `atom` pass through.
    """
    tokens = _TOKEN.findall(_JOINED.sub(r" \1 ", text))
    if len(tokens) > _MAX_TOKENS:
        raise SynopsisError(f"more than {_MAX_TOKENS} words")
    return _Parser(tokens, atom).whole()


class _Parser:
    def __init__(self, tokens: list[str], atom: Atom) -> None:
        self.tokens = tokens
        self.atom = atom
        self.position = 0

    def peek(self, ahead: int = 0) -> str:
        position = self.position + ahead
        return self.tokens[position].lower() if position < len(self.tokens) else ""

    def take(self) -> str:
        token = self.tokens[self.position]
        self.position += 1
        return token

    def whole(self) -> Node:
        node = self.series(0)
        if self.position < len(self.tokens):
            raise SynopsisError(f"unexpected {self.tokens[self.position]!r}")
        return node

    def series(self, depth: int) -> Node:
        """Whole alternatives parted by commas; between them `, and` binds tighter than `, or`."""
        groups = [[self.alternatives(depth)]]
        while self.peek() == ",":
            self.take()
            if self.peek() in ("", ")"):
                break
            if self.peek() in _OR:
                self.take()
                groups.append([])
            elif self.peek() in _AND:
                self.take()
            groups[-1].append(self.alternatives(depth))
        return any_of(all_of(group) for group in groups)

    def alternatives(self, depth: int) -> Node:
        terms = [self.conjunction(depth)]
        while self.peek() in _OR:
            self.take()
            terms.append(self.conjunction(depth))
        return any_of(terms)

    def conjunction(self, depth: int) -> Node:
        terms = [self.term(depth)]
        while self.peek() in _AND:
            self.take()
            terms.append(self.term(depth))
        return all_of(terms)

    def term(self, depth: int) -> Node:
        if self.peek() != "(":
            return self.named()
        if depth >= _MAX_DEPTH:
            raise SynopsisError(f"more than {_MAX_DEPTH} nested parentheses")
        self.take()
        node = self.series(depth + 1)
        if self.peek() != ")":
            raise SynopsisError("a parenthesis is not closed")
        self.take()
        # What follows a group ("(A or B) with X exception") qualifies all of it; kept as a term of its own.
        return node if self.at_end_of_term() else all_of((node, self.named()))

    def at_end_of_term(self) -> bool:
        return self.peek() in _AND | _OR | {"", ",", ")"}

    def named(self) -> Node:
        words: list[str] = []
        exception: list[str] | None = None
        while True:
            if self.peek() in _OR and self.peek(1) in _LATER and words:
                words.append(self.take())
                words.append(self.take())
            elif self.at_end_of_term():
                break
            elif self.peek() == "with" and words and exception is None:
                self.take()
                exception = []
            elif self.peek() == "(":
                (words if exception is None else exception).append(self.remark())
            else:
                (words if exception is None else exception).append(self.take())
        if not words:
            raise SynopsisError("a name is missing")
        return self.atom(" ".join(words), " ".join(exception or []))

    def remark(self) -> str:
        """A parenthesis behind a word is part of the name: `BSD (3 clause)`."""
        start, depth = self.position, 0
        while self.position < len(self.tokens):
            token = self.take()
            depth += (token == "(") - (token == ")")
            if depth == 0:
                return "(" + " ".join(self.tokens[start + 1 : self.position - 1]) + ")"
        raise SynopsisError("a parenthesis is not closed")
