# SPDX-License-Identifier: MIT
"""SPDX licence expressions: a tree, its text, and a strict parser (SPDX 2.3, annex D).

Terms are only ever joined and deduplicated, never simplified: `A AND (A OR B)` is not `A` to an auditor, who wants to
see that B was offered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orchestrator.sbom import spdxlist

LICENCE_REF = re.compile(r"LicenseRef-[A-Za-z0-9.-]+\Z")
_TOKEN = re.compile(r"\s*(\(|\)|[A-Za-z0-9.+-]+)\s*")
_MAX_LENGTH = 100_000
_MAX_DEPTH = 32


class ExpressionError(ValueError):
    """A text that is not a licence expression over the pinned list; the message says where."""


class UnlistedError(ExpressionError):
    """An expression that is well formed but names an identifier that the pinned list does not have."""


@dataclass(frozen=True, slots=True)
class Licence:
    """One licence: an SPDX identifier or a LicenseRef, perhaps with a listed exception."""

    id: str
    exception: str = ""

    def __str__(self) -> str:
        return f"{self.id} WITH {self.exception}" if self.exception else self.id


@dataclass(frozen=True, slots=True)
class All:
    """Every term applies (AND)."""

    terms: tuple[Node, ...]

    def __str__(self) -> str:
        return " AND ".join(_inner(term) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Any:
    """The recipient may choose a term (OR)."""

    terms: tuple[Node, ...]

    def __str__(self) -> str:
        return " OR ".join(_inner(term) for term in self.terms)


Node = Licence | All | Any


def _inner(node: Node) -> str:
    return str(node) if isinstance(node, Licence) else f"({node})"


def all_of(nodes: Iterable[Node]) -> Node:
    """Join by AND: flat, in order, without repetition. Raises ValueError for no nodes."""
    return _join(All, nodes)


def any_of(nodes: Iterable[Node]) -> Node:
    """Join by OR: flat, in order, without repetition. Raises ValueError for no nodes."""
    return _join(Any, nodes)


def _join(kind: type[All] | type[Any], nodes: Iterable[Node]) -> Node:
    terms: dict[Node, None] = {}
    for node in nodes:
        terms.update(dict.fromkeys(node.terms if isinstance(node, kind) else (node,)))
    if not terms:
        raise ValueError("an expression needs a term")
    return next(iter(terms)) if len(terms) == 1 else kind(tuple(terms))


def licences(node: Node) -> Iterator[Licence]:
    """Yield every licence of an expression from left to right, repetitions included."""
    if isinstance(node, Licence):
        yield node
    else:
        for term in node.terms:
            yield from licences(term)


def is_copyleft(licence: Licence) -> bool:
    """Tell whether a listed licence is copyleft in the broad reading of the pinned list; LicenseRefs are not listed."""
    return licence.id in spdxlist.COPYLEFT


def parse(text: str) -> Node:
    """Parse an expression strictly: listed identifiers in their exact spelling or LicenseRefs, upper-case operators.

    Raises ExpressionError.
    """
    if len(text) > _MAX_LENGTH:
        raise ExpressionError(f"longer than {_MAX_LENGTH} characters")
    tokens: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(f"unexpected character at {position}: {text[position : position + 20]!r}")
        tokens.append(match[1])
        position = match.end()
    return _Parser(tokens).whole()


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.position = 0

    def whole(self) -> Node:
        node = self.alternatives(0)
        if self.position < len(self.tokens):
            raise ExpressionError(f"unexpected {self.tokens[self.position]!r}")
        return node

    def peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise ExpressionError("ends where a licence is expected")
        self.position += 1
        return token

    def alternatives(self, depth: int) -> Node:
        terms = [self.conjunction(depth)]
        while self.peek() == "OR":
            self.take()
            terms.append(self.conjunction(depth))
        return any_of(terms)

    def conjunction(self, depth: int) -> Node:
        terms = [self.term(depth)]
        while self.peek() == "AND":
            self.take()
            terms.append(self.term(depth))
        return all_of(terms)

    def term(self, depth: int) -> Node:
        token = self.take()
        if token == "(":
            if depth >= _MAX_DEPTH:
                raise ExpressionError(f"more than {_MAX_DEPTH} nested parentheses")
            node = self.alternatives(depth + 1)
            if self.take() != ")":
                raise ExpressionError("a parenthesis is not closed")
            return node
        if token in ("AND", "OR", "WITH", ")"):
            raise ExpressionError(f"{token!r} where a licence is expected")
        plain = token.removesuffix("+")
        known = plain in spdxlist.LICENCES or token in spdxlist.DEPRECATED or plain in spdxlist.DEPRECATED
        if not known and not LICENCE_REF.match(token):
            raise UnlistedError(f"{token!r} is not on SPDX licence list {spdxlist.VERSION}")
        if self.peek() != "WITH":
            return Licence(token)
        self.take()
        exception = self.take()
        if exception not in spdxlist.EXCEPTIONS and exception not in spdxlist.DEPRECATED_EXCEPTIONS:
            raise UnlistedError(f"{exception!r} is not an exception on SPDX licence list {spdxlist.VERSION}")
        return Licence(token, exception)
