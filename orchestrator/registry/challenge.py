# SPDX-License-Identifier: MIT
"""What a registry asks for when it answers 401: the header WWW-Authenticate (RFC 9110, section 11.6.1), strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_LIMIT = 8192
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"({_TOKEN})(?: +|\Z|(?=[ \t]*,))")
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*+)"|({_TOKEN}))')
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|\Z))")
_SEPARATOR = re.compile(r"[ \t]*(?:,[ \t]*)+|[ \t]+\Z")


@dataclass(frozen=True)
class Challenge:
    """One scheme, in lower case, with its parameters (names in lower case)."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Sequence[str]) -> list[Challenge]:
    """Return the challenges of the header's lines, in order; a line that is not in form ends the list there."""
    found: list[Challenge] = []
    for line in headers:
        found += _parse(line) if len(line) <= _LIMIT else []
    return found


def _parse(line: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while position < len(line):
        if match := _SEPARATOR.match(line, position):
            position = match.end()
        elif found and (match := _PARAMETER.match(line, position)):
            name, quoted, plain = match.groups()
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain
            found[-1][1].setdefault(name.lower(), value)
            position = match.end()
        elif match := _SCHEME.match(line, position):
            found.append((match[1].lower(), {}))
            position = match.end()
            if (credentials := _TOKEN68.match(line, position)) and "=" not in credentials[0].rstrip("="):
                position = credentials.end()  # Negotiate and its like: nothing that we speak
        else:
            break
    return [Challenge(scheme, parameters) for scheme, parameters in found]
